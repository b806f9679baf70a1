"""The fast form, which the gate uses: slices and matrix products, one of each for every tap of the kernel.

`reference.geometry.taps` lists, for every tap, the block of small indices and the block of big indices it joins. A
convolution (`gather`) adds ``big @ w`` to the small block. There is no padded copy: what lies outside is not in the blocks. It works on
a stretch of rows at a time, so that what it adds up stays in the processor's cache.

A transposed convolution (`scatter`) adds ``small @ w.T`` to the big block. With a stride its taps meet every s-th element, one phase of
the big side, and on a phase there is no stride: there a scatter is a gather from the other side, with the kernel turned round.

Where channels or filters are few, the product of a single tap is a sliver, and `reference.all_taps` makes one of all taps; so it does
for the gradient of a kernel, and where every channel is on its own.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from reference.all_taps import channelwise, channelwise_correlate, correlate_windows, side_by_side, stamped
from reference.arguments import Array, ConvolutionOptions, TransposedOptions, check_convolution, check_transposed
from reference.geometry import Axis, convolution_axis, stretches, taps, transposed_axis

STRETCH = 1 << 16
"""Elements that are worked on at a time: half a megabyte of float64, half of what a processor core's own cache holds today."""

FEW = 12
"""Fewer channels than this make the product of a single tap a sliver; and so do rows that are shorter, unless they are joined."""


def conv(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    rank: int | None = None,
    **options: Unpack[ConvolutionOptions],
) -> Array:
    """``y[i] = bias + sum over t of x[i s + t d - before] @ kernel[t]``, terms outside x absent.

    Arguments, shapes and errors as in `reference.definition.conv`. Exact on integer types, and on floats whenever every
    partial sum is representable; otherwise rounded in an order of its own.
    """
    a = check_convolution(x, kernel, bias, rank=rank, **options)
    axes = tuple(
        convolution_axis(n, k, s, d, a.padding) for n, k, s, d in zip(a.size, a.kernel_size, a.strides, a.dilation_rate, strict=True)
    )
    return a.finish(gather(a.x, a.kernel, axes, a.groups))


def conv_transpose(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    rank: int | None = None,
    **options: Unpack[TransposedOptions],
) -> Array:
    """``y[i s + t d - crop] += x[i] @ kernel[t].T`` for every ``i`` and ``t``, what falls outside y absent; plus bias.

    Arguments, shapes and errors as in `reference.definition.conv_transpose`; exactness as in `conv`.
    """
    a = check_transposed(x, kernel, bias, rank=rank, **options)
    axes = tuple(
        transposed_axis(n, k, s, d, a.padding, p)
        for n, k, s, d, p in zip(a.size, a.kernel_size, a.strides, a.dilation_rate, a.output_padding, strict=True)
    )
    return a.finish(scatter(a.x, a.kernel.swapaxes(-2, -1), axes))


def conv2d(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    **options: Unpack[ConvolutionOptions],
) -> Array:
    """``y[b, h, w] = bias + sum over p, q of x[b, h s + p d - before, w s + q d - before] @ kernel[p, q]``.

    `conv` over two spatial axes, each with its own ``s``, ``d`` and ``before``.
    """
    return conv(x, kernel, bias, rank=2, **options)


def conv2d_transpose(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    **options: Unpack[TransposedOptions],
) -> Array:
    """``y[b, h s + p d - crop, w s + q d - crop] += x[b, h, w] @ kernel[p, q].T``, plus bias.

    `conv_transpose` over two spatial axes, each with its own ``s``, ``d`` and ``crop``.
    """
    return conv_transpose(x, kernel, bias, rank=2, **options)


def gather(x: Array, kernel: Array, axes: tuple[Axis, ...], groups: int = 1) -> Array:
    """``y[i] = sum over t of x[i s + t d - before] @ kernel[t]``, terms outside x absent.

    Shapes: ``x`` (batch, *big, channels), ``kernel`` (*kernel_size, channels / groups, filters), result (batch, *small, filters).
    """
    batch, channels, filters = len(x), x.shape[-1], kernel.shape[-1]
    if groups == channels > 1 and _is_finite(kernel):
        return channelwise(x, kernel[..., 0, :], axes)
    if groups == 1 and channels < FEW and _is_finite(kernel):
        return side_by_side(x, kernel, axes)
    if groups == 1 and filters < FEW and _can_turn(axes):
        return stamped(x, _flipped(kernel), tuple(axis.turned() for axis in axes))
    y = np.empty((batch, *(axis.small for axis in axes), filters), np.result_type(x, kernel))
    kernel = np.ascontiguousarray(kernel)  # a transposed matrix would be turned anew for each of the many small products
    for rows, part in stretches(axes, STRETCH // (batch * filters)):
        block, everywhere = y[:, rows], tuple(slice(0, axis.small) for axis in part)
        each = sorted(taps(part), key=lambda tap: tap.small != everywhere)
        begun = bool(each) and each[0].small == everywhere
        if begun:  # there is nothing yet to add to
            grouped_product(x[:, *each[0].big], kernel[each[0].tap], groups, out=block)
        else:
            block[...] = 0
        for tap, small, big in each[begun:]:
            block[:, *small] += grouped_product(x[:, *big], kernel[tap], groups)
    return y


def scatter(x: Array, kernel: Array, axes: tuple[Axis, ...], groups: int = 1) -> Array:
    """``y[i s + t d - before] += x[i] @ kernel[t]`` for every ``i`` and ``t``, what falls outside y absent.

    Shapes: ``x`` (batch, *small, channels), ``kernel`` (*kernel_size, channels / groups, filters), result (batch, *big, filters).
    """
    filters = kernel.shape[-1]
    if groups == 1 and filters < FEW:
        return stamped(x, kernel, axes)
    if all(axis.stride == 1 for axis in axes):
        return gather(x, _flipped(kernel), tuple(axis.turned() for axis in axes), groups)
    y = np.zeros((len(x), *(axis.big for axis in axes), filters), np.result_type(x, kernel))
    for phases in product(*(axis.phases() for axis in axes)):
        big, some, parts = zip(*phases, strict=True)
        y[:, *big] = gather(x, _flipped(kernel[some]), tuple(part.turned() for part in parts), groups)
    return y


def correlate(big_side: Array, small_side: Array, axes: tuple[Axis, ...], groups: int = 1) -> Array:
    """``w[t] = sum over batch and i of big[i s + t d - before].T @ small[i]``, terms outside absent: a gradient of the kernel.

    Shapes: ``big_side`` (batch, *big, channels), ``small_side`` (batch, *small, filters), result
    (*kernel_size, channels / groups, filters).
    """
    channels, filters = big_side.shape[-1] // groups, small_side.shape[-1]
    if groups == 1 and FEW > filters < channels and _can_turn(axes) and _is_finite(big_side):
        turned = tuple(axis.turned() for axis in axes)
        return _flipped(correlate_windows(small_side, big_side, turned)).swapaxes(-2, -1)
    if groups == 1 and _is_finite(small_side):
        return correlate_windows(big_side, small_side, axes)
    if groups == big_side.shape[-1] and _is_finite(small_side):
        return channelwise_correlate(big_side, small_side, axes)
    w = np.zeros((*(axis.kernel for axis in axes), channels, filters), np.result_type(big_side, small_side))
    for rows, part in stretches(axes, STRETCH // (len(big_side) * max(channels * groups, filters))):
        block = small_side[:, rows]
        for tap, small, big in taps(part):
            one = big_side[:, *big].reshape(-1, groups, channels).transpose(1, 2, 0)
            other = block[:, *small].reshape(-1, groups, filters // groups).swapaxes(0, 1)
            w[tap] += (one @ other).swapaxes(0, 1).reshape(channels, filters)
    return w


def _is_finite(other: Array) -> bool:
    """Whether zeros may stand for what is absent: times an infinite number they are NaN."""
    return other.dtype.kind not in "fc" or bool(np.isfinite(other).all())


def _can_turn(axes: tuple[Axis, ...]) -> bool:
    """Whether the axes can be turned, and it pays: all of the big side is multiplied then, so most of it should meet most of the taps."""
    return all(axis.stride == 1 for axis in axes) and prod(axis.big for axis in axes) <= 2 * prod(axis.small for axis in axes)


def _flipped(kernel: Array) -> Array:
    """The last tap first, along every axis."""
    return np.flip(kernel, axis=tuple(range(kernel.ndim - 2)))


def grouped_product(x: Array, w: Array, groups: int, out: Array | None = None) -> Array:
    """``y[..., f] = sum over c of x[..., c] w[c, f]``, ``c`` running over the channels of the group of filter ``f``.

    Shapes: ``x`` (..., channels), ``w`` (channels / groups, filters), result, or ``out``, (..., filters). The filters of one group
    stand side by side, as do its channels.
    """
    channels, filters = w.shape
    if groups == 1 and x.shape[-2] >= max(FEW, filters // 4):
        return np.matmul(x, w, out=out)
    if groups == 1:  # NumPy multiplies row after row: join them
        y = x.reshape(-1, channels) @ w
    elif channels == 1:
        y = x.reshape(*x.shape[:-1], groups, 1) * w.reshape(groups, filters // groups)
    else:
        each = np.moveaxis(x.reshape(*x.shape[:-1], groups, channels), -2, 0).reshape(groups, -1, channels)
        y = (each @ w.reshape(channels, groups, filters // groups).swapaxes(0, 1)).swapaxes(0, 1)  # (..., groups, filters / groups)
    y = y.reshape(*x.shape[:-1], filters)
    if out is None:
        return y
    out[...] = y
    return out
