"""The fast form, which the gate uses: slices and matrix products, one of each for every tap of the kernel.

`reference.geometry.taps` lists, for every tap, the block of small indices and the block of big indices it joins. A
convolution (`gather`) adds ``big @ w`` to the small block; a transposed convolution (`scatter`) adds ``small @ w.T`` to the big
one. There is no padded copy: what lies outside is not in the blocks. Both work on a stretch of rows at a time, so that what they add
up stays in the processor's cache.

With a stride, the taps of a scatter meet every s-th element. So the big side is kept apart into its phases, which every tap meets in one
piece, until all is added up.

Where channels are few, the product of a single tap is a sliver, and one product for all taps is faster: a convolution multiplies its
`windows`, a transposed one first makes all its stamps and then adds them up. Where every channel is on its own there is no matrix product
at all: `channelwise` multiplies and adds whole rows of the windows.
"""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import ArrayLike

from reference.arguments import Array, ConvolutionOptions, TransposedOptions, check_convolution, check_transposed
from reference.geometry import Axis, convolution_axis, phased_taps, stretches, taps, transposed_axis

STRETCH = 1 << 16
"""Elements that are worked on at a time: half a megabyte of float64, half of what a processor core's own cache holds today."""

MANY_STAMPS = 1 << 19
"""Elements of the stamps that are added up at a time: they are read but once, so fewer calls weigh more than the nearest cache."""

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
    y = np.zeros((batch, *(axis.small for axis in axes), filters), np.result_type(x, kernel))
    if groups == 1 and channels < FEW and _is_finite(kernel):
        seen, w = windows(x, axes), kernel.reshape(-1, filters)
        for rows, _ in stretches(axes, STRETCH // (batch * len(w))):
            block = y[:, rows]
            block[...] = (seen[:, rows].reshape(-1, len(w)) @ w).reshape(block.shape)
        return y
    for rows, part in stretches(axes, STRETCH // (batch * filters)):
        block = y[:, rows]
        for tap, small, big in taps(part):
            block[:, *small] += grouped_product(x[:, *big], kernel[tap], groups)
    return y


def scatter(x: Array, kernel: Array, axes: tuple[Axis, ...], groups: int = 1) -> Array:
    """``y[i s + t d - before] += x[i] @ kernel[t]`` for every ``i`` and ``t``, what falls outside y absent.

    Shapes: ``x`` (batch, *small, channels), ``kernel`` (*kernel_size, channels / groups, filters), result (batch, *big, filters).
    """
    *kernel_size, channels, filters = kernel.shape
    batch, rank, kind = len(x), len(axes), np.result_type(x, kernel)
    strides, lengths = zip(*((axis.stride, -(-axis.big // axis.stride)) for axis in axes), strict=True)
    if groups == 1 and min(channels, filters) < FEW:
        # filters first: rows of the image are then the longest stretches of memory to be added up
        y = np.zeros((*strides, filters, batch, *lengths), kind)
        w = kernel.swapaxes(-2, -1).reshape(-1, channels)
        parts = list(stretches(axes, MANY_STAMPS // (batch * len(w))))
        room = np.empty((len(w), x[:, parts[0][0]].size // channels), kind)  # no other is longer; fresh memory would cost half a product
        for rows, part in parts:
            block = x[:, rows]
            pixels = block.reshape(-1, channels)
            stamps = np.matmul(w, pixels.T, out=room[:, : len(pixels)]).reshape(*kernel_size, filters, *block.shape[:-1])
            for tap, small, phase, places in phased_taps(part):
                y[phase][:, :, *places] += stamps[tap][:, :, *small]
        return joined(np.moveaxis(y, rank, -1), axes)
    y = np.zeros((*strides, batch, *lengths, filters), kind)
    kernel = np.ascontiguousarray(kernel)  # a transposed matrix would be turned anew for each of the many small products
    for rows, part in stretches(axes, STRETCH // (batch * filters)):
        block = x[:, rows]
        for tap, small, phase, places in phased_taps(part):
            y[phase][:, *places] += grouped_product(block[:, *small], kernel[tap], groups)
    return joined(y, axes)


def joined(phases: Array, axes: tuple[Axis, ...]) -> Array:
    """``y[q s + r] = phases[r][q]`` along every axis: (*strides, batch, *places, filters) becomes (batch, *big, filters)."""
    rank = len(axes)
    batch, *places, filters = phases.shape[rank:]
    order = [rank, *(each for axis in range(rank) for each in (rank + 1 + axis, axis)), 2 * rank + 1]
    size = (q * axis.stride for q, axis in zip(places, axes, strict=True))
    y = phases.transpose(order).reshape(batch, *size, filters)
    return y[:, *(slice(axis.big) for axis in axes)]


def correlate(big_side: Array, small_side: Array, axes: tuple[Axis, ...], groups: int = 1) -> Array:
    """``w[t] = sum over batch and i of big[i s + t d - before].T @ small[i]``, terms outside absent: a gradient of the kernel.

    Shapes: ``big_side`` (batch, *big, channels), ``small_side`` (batch, *small, filters), result
    (*kernel_size, channels / groups, filters).
    """
    channels, filters = big_side.shape[-1] // groups, small_side.shape[-1]
    w = np.zeros((*(axis.kernel for axis in axes), channels, filters), np.result_type(big_side, small_side))
    for rows, part in stretches(axes, STRETCH // (len(big_side) * max(channels * groups, filters))):
        block = small_side[:, rows]
        for tap, small, big in taps(part):
            one = big_side[:, *big].reshape(-1, groups, channels).transpose(1, 2, 0)
            other = block[:, *small].reshape(-1, groups, filters // groups).swapaxes(0, 1)
            w[tap] += (one @ other).swapaxes(0, 1).reshape(channels, filters)
    return w


def channelwise(x: Array, kernel: Array, axes: tuple[Axis, ...]) -> Array:
    """``y[i, c m + q] = sum over t of x[i s + t d - before, c] kernel[t, c m + q]``, zeros for what is outside x.

    Shapes: ``x`` (batch, *big, channels), ``kernel`` (*kernel_size, channels m), result (batch, *small, channels m).
    """
    rank, batch, filters = len(axes), len(x), kernel.shape[-1]
    x = np.ascontiguousarray(x) if filters == x.shape[-1] else x.repeat(filters // x.shape[-1], axis=-1)
    y = np.empty((batch, *(axis.small for axis in axes), filters), np.result_type(x, kernel))
    # einsum multiplies and adds in one pass, but only as far as memory goes on: without a stride that is a row of the image, not one pixel
    rows_join = axes[-1].stride == 1
    w = np.tile(kernel, axes[-1].small) if rows_join else kernel
    places, tap = "xyz"[: rank - rows_join], "pqr"[:rank]
    for rows, part in stretches(axes, STRETCH // (batch * filters)):
        block, seen = y[:, rows], windows(x, part)
        if rows_join:
            block = block.reshape(*block.shape[:rank], -1)
            seen = np.moveaxis(seen, rank, -2).reshape(*block.shape[:rank], *kernel.shape[:-1], -1)
        np.einsum(f"b{places}{tap}f,{tap}f->b{places}f", seen, w[..., : block.shape[-1]], out=block)
    return y


def windows(x: Array, axes: tuple[Axis, ...]) -> Array:
    """``z[i, t] = x[i s + t d - before]``, zero where that is outside: (batch, *small, *kernel_size, channels).

    A view, of x or of what is needed of it with zeros around it: nothing is copied for the windows to overlap.
    """
    firsts = [-axis.before for axis in axes]
    lengths = [(axis.small - 1) * axis.stride + axis.span for axis in axes]
    inside = [slice(max(first, 0), min(first + n, axis.big)) for first, n, axis in zip(firsts, lengths, axes, strict=True)]
    seen = x[:, *inside]
    if seen.shape[1:-1] != tuple(lengths):
        seen = np.zeros((len(x), *lengths, x.shape[-1]), x.dtype)
        seen[:, *(slice(each.start - first, each.stop - first) for each, first in zip(inside, firsts, strict=True))] = x[:, *inside]
    batch, *each, channel = seen.strides
    return as_strided(
        seen,
        (len(x), *(axis.small for axis in axes), *(axis.kernel for axis in axes), x.shape[-1]),
        (
            batch,
            *(axis.stride * step for axis, step in zip(axes, each, strict=True)),
            *(axis.dilation * step for axis, step in zip(axes, each, strict=True)),
            channel,
        ),
        writeable=False,
    )


def _is_finite(kernel: Array) -> bool:
    """Whether zeros may stand for what is absent: times an infinite weight they are NaN."""
    return kernel.dtype.kind not in "fc" or bool(np.isfinite(kernel).all())


def grouped_product(x: Array, w: Array, groups: int) -> Array:
    """``y[..., f] = sum over c of x[..., c] w[c, f]``, ``c`` running over the channels of the group of filter ``f``.

    Shapes: ``x`` (..., channels), ``w`` (channels / groups, filters), result (..., filters). The filters of one group stand
    side by side, as do its channels.
    """
    channels, filters = w.shape
    if groups == 1:
        if x.shape[-2] < FEW:  # NumPy multiplies row after row: join them
            return np.asarray((x.reshape(-1, channels) @ w).reshape(*x.shape[:-1], filters))
        return np.asarray(x @ w)
    each = x.reshape(*x.shape[:-1], groups, channels)
    w = w.reshape(channels, groups, filters // groups)
    if channels == 1:
        return np.asarray((each * w[0]).reshape(*x.shape[:-1], filters))
    products = np.moveaxis(each, -2, 0).reshape(groups, -1, channels) @ w.swapaxes(0, 1)  # (groups, ..., filters / groups)
    return products.swapaxes(0, 1).reshape(*x.shape[:-1], filters)
