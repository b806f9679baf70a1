"""Gradients of the two convolutions with respect to input, kernel and bias, in closed form.

Both maps are linear in the input and in the kernel, so a gradient is an adjoint. With the relation of `reference.geometry` between small
index ``i``, tap ``t`` and big index ``j``, and ``g`` the gradient of some loss with respect to the output:

=================== ============================================ ============================================
gradient            convolution ``y[i] += x[j] @ w[t]``          transposed ``y[j] += x[i] @ w[t].T``
=================== ============================================ ============================================
input               ``dx[j] += g[i] @ w[t].T``                   ``dx[i] += g[j] @ w[t]``
kernel              ``dw[t] = sum of x[j].T @ g[i]``             ``dw[t] = sum of g[j].T @ x[i]``
bias                ``db = sum of g``                            ``db = sum of g``
=================== ============================================ ============================================

The sums run over the batch and all joined pairs ``(i, j)`` of the tap.
"""

from __future__ import annotations

from typing import NamedTuple, Unpack

import numpy as np
from numpy.typing import ArrayLike

from reference.arguments import Arguments, Array, ConvolutionOptions, TransposedOptions, check_convolution, check_transposed
from reference.geometry import convolution_axis, transposed_axis
from reference.taps import correlate, gather, scatter


class Gradients(NamedTuple):
    """Gradients with the shapes of what they belong to: ``x`` as the input, ``kernel``, and ``bias`` (filters,).

    ``kernel`` is the depthwise one of a separable convolution, which alone has a ``pointwise_kernel``.
    """

    x: Array
    kernel: Array
    bias: Array
    pointwise_kernel: Array | None = None


def conv_gradients(
    x: ArrayLike,
    kernel: ArrayLike,
    upstream: ArrayLike,
    *,
    rank: int | None = None,
    **options: Unpack[ConvolutionOptions],
) -> Gradients:
    """``dx[j] += g[i] @ w[t].T``, ``dw[t] = sum of x[j].T @ g[i]``, ``db = sum of g``, all over ``j = i s + t d - before``.

    Args:
        x: (batch, *spatial, channels), or (batch, channels, *spatial) for ``channels_first``.
        kernel: (*kernel_size, channels / groups, filters).
        upstream: g, the gradient with respect to the output, in the output's shape and data format.
        rank: the number of spatial axes, by default what the kernel has.

    Raises:
        ValueError: a bad argument, a valid window larger than its input, or an upstream gradient that has not the output's shape.
    """
    a = check_convolution(x, kernel, None, rank=rank, **options)
    axes = tuple(
        convolution_axis(n, k, s, d, a.padding) for n, k, s, d in zip(a.size, a.kernel_size, a.strides, a.dilation_rate, strict=True)
    )
    g = upstream_gradient(a, upstream, tuple(axis.small for axis in axes))
    dx = scatter(g, _swapped(a.kernel, a.groups), axes, a.groups)
    dw = correlate(a.x, g, axes, a.groups)
    return Gradients(in_format(dx, a), dw, g.sum(axis=tuple(range(g.ndim - 1))))


def conv_transpose_gradients(
    x: ArrayLike,
    kernel: ArrayLike,
    upstream: ArrayLike,
    *,
    rank: int | None = None,
    **options: Unpack[TransposedOptions],
) -> Gradients:
    """``dx[i] += g[j] @ w[t]``, ``dw[t] = sum of g[j].T @ x[i]``, ``db = sum of g``, all over ``j = i s + t d - crop``.

    Arguments and errors as in `conv_gradients`; ``kernel`` is (*kernel_size, filters, channels).
    """
    a = check_transposed(x, kernel, None, rank=rank, **options)
    axes = tuple(
        transposed_axis(n, k, s, d, a.padding, p)
        for n, k, s, d, p in zip(a.size, a.kernel_size, a.strides, a.dilation_rate, a.output_padding, strict=True)
    )
    g = upstream_gradient(a, upstream, tuple(axis.big for axis in axes))
    dx = gather(g, a.kernel, axes)
    dw = correlate(g, a.x, axes)
    return Gradients(in_format(dx, a), dw, g.sum(axis=tuple(range(g.ndim - 1))))


def upstream_gradient(a: Arguments, upstream: ArrayLike, size: tuple[int, ...]) -> Array:
    """The upstream gradient of an output of this spatial size, with its channels last.

    Raises:
        ValueError: it has not the shape of the output.
    """
    g = np.asarray(upstream)
    shape = (a.batch, *size, a.filters)
    wanted = shape if a.data_format == "channels_last" else (a.batch, a.filters, *size)
    if g.shape != wanted:
        raise ValueError(f"the upstream gradient must have the output's shape {wanted}, got {g.shape}")
    return g if a.data_format == "channels_last" else np.moveaxis(g, 1, -1)


def in_format(dx: Array, a: Arguments) -> Array:
    """What has its channels last, in the data format that was asked for."""
    return dx if a.data_format == "channels_last" else np.moveaxis(dx, -1, 1)


def _swapped(kernel: Array, groups: int) -> Array:
    """``w[t, c, f]`` of every group as ``w[t, f, c]``.

    Shapes: (*kernel_size, channels / groups, filters) becomes (*kernel_size, filters / groups, channels).
    """
    *kernel_size, channels, filters = kernel.shape
    each = kernel.reshape(*kernel_size, channels, groups, filters // groups)
    return np.moveaxis(each, -1, -3).swapaxes(-1, -2).reshape(*kernel_size, filters // groups, groups * channels)
