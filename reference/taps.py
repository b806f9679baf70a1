"""The fast form, which the gate uses: one slice and one matrix product for each tap of the kernel.

`reference.geometry.taps` lists, for every tap, the block of small indices and the block of big indices it joins. A
convolution adds ``big @ w`` to the small block; a transposed convolution adds ``small @ w.T`` to the big one. There is
no padded copy: what lies outside is not in the blocks.
"""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from reference.arguments import Array, ConvolutionOptions, TransposedOptions, check_convolution, check_transposed
from reference.geometry import convolution_axis, taps, transposed_axis


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
    y = np.zeros((a.batch, *(axis.small for axis in axes), a.filters), a.dtype)
    for tap, small, big in taps(axes):
        y[:, *small] += grouped_product(a.x[:, *big], a.kernel[tap], a.groups)
    return a.finish(y)


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
    y = np.zeros((a.batch, *(axis.big for axis in axes), a.filters), a.dtype)
    for tap, small, big in taps(axes):
        y[:, *big] += a.x[:, *small] @ a.kernel[tap].T
    return a.finish(y)


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


def grouped_product(x: Array, w: Array, groups: int) -> Array:
    """``y[..., f] = sum over c of x[..., c] w[c, f]``, ``c`` running over the channels of the group of filter ``f``.

    Shapes: ``x`` (..., channels), ``w`` (channels / groups, filters), result (..., filters). The filters of one group stand
    side by side, as do its channels.
    """
    if groups == 1:
        return np.asarray(x @ w)
    channels, filters = w.shape
    x = x.reshape(*x.shape[:-1], groups, channels)
    w = w.reshape(channels, groups, filters // groups)
    return np.asarray(np.einsum("...gc,cgf->...gf", x, w).reshape(*x.shape[:-2], filters))
