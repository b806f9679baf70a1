"""Depthwise and separable convolution: every channel on its own, and a pointwise one behind it that mixes them.

A depthwise convolution is the convolution with as many groups as channels: Keras's kernel (*kernel_size, channels, m) holds, row by row,
what a grouped kernel (*kernel_size, 1, channels m) holds. A separable convolution is a depthwise one, then a matrix product over the
channels that come out of it.

Both are linear in every operand, so gradients are adjoints, stage by stage. With ``z`` the depthwise result, ``g`` the gradient of some
loss with respect to the output, and the joined pairs ``(i, j)`` of every tap ``t`` as in `reference.geometry`:

=================== ================================================== =================================
gradient            depthwise ``y[i, c, q] += x[j, c] w[t, c, q]``     separable ``y = z @ v + b``
=================== ================================================== =================================
input               ``dx[j, c] += sum over q of g[i, c, q] w[t, c, q]`` depthwise, of ``dz = g @ v.T``
kernel              ``dw[t, c, q] = sum of x[j, c] g[i, c, q]``        depthwise, of ``dz = g @ v.T``
pointwise kernel                                                       ``dv = sum of z.T @ g``
bias                ``db = sum of g``                                  ``db = sum of g``
=================== ================================================== =================================
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from reference.arguments import Arguments, Array, DepthwiseOptions, check_depthwise, check_pointwise
from reference.geometry import Axis, convolution_axis
from reference.gradients import Gradients, in_format, upstream_gradient
from reference.taps import correlate, gather, scatter


def depthwise_conv(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    rank: int | None = None,
    **options: Unpack[DepthwiseOptions],
) -> Array:
    """``y[i, c, q] = bias[c, q] + sum over t of x[i s + t d - before, c] kernel[t, c, q]``, ``c m + q`` the filter; terms outside x absent.

    Arguments, shapes and errors as in `reference.definition.depthwise_conv`; exactness as in `reference.taps.conv`.
    """
    a = check_depthwise(x, kernel, bias, rank=rank, **options)
    return a.finish(_depthwise(a))


def separable_conv(
    x: ArrayLike,
    depthwise_kernel: ArrayLike,
    pointwise_kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    rank: int | None = None,
    **options: Unpack[DepthwiseOptions],
) -> Array:
    """``y[i] = bias + depthwise_conv(x, depthwise_kernel)[i] @ pointwise_kernel``.

    Arguments, shapes and errors as in `reference.definition.separable_conv`; exactness as in `reference.taps.conv`, of both stages.
    """
    a = check_depthwise(x, depthwise_kernel, None, rank=rank, **options)
    pointwise, bias = check_pointwise(pointwise_kernel, bias, a)
    return replace(a, bias=bias).finish(_product(_depthwise(a), pointwise))


def depthwise_conv_gradients(
    x: ArrayLike,
    kernel: ArrayLike,
    upstream: ArrayLike,
    *,
    rank: int | None = None,
    **options: Unpack[DepthwiseOptions],
) -> Gradients:
    """``dx[j, c] += sum over q of g[i, c, q] w[t, c, q]``, ``dw[t, c, q] = sum of x[j, c] g[i, c, q]``, ``db = sum of g``.

    Args:
        x: (batch, *spatial, channels), or (batch, channels, *spatial) for ``channels_first``.
        kernel: (*kernel_size, channels, depth_multiplier).
        upstream: g, the gradient with respect to the output, in the output's shape and data format.
        rank: the number of spatial axes, by default what the kernel has.

    Raises:
        ValueError: a bad argument, a valid window larger than its input, or an upstream gradient that has not the output's shape.
    """
    a = check_depthwise(x, kernel, None, rank=rank, **options)
    return _gradients(a, upstream_gradient(a, upstream, tuple(axis.small for axis in _axes(a))))


def separable_conv_gradients(
    x: ArrayLike,
    depthwise_kernel: ArrayLike,
    pointwise_kernel: ArrayLike,
    upstream: ArrayLike,
    *,
    rank: int | None = None,
    **options: Unpack[DepthwiseOptions],
) -> Gradients:
    """``dv = sum of z.T @ g``, ``db = sum of g``, the rest as in `depthwise_conv_gradients` of ``dz = g @ v.T``.

    Arguments and errors as in `depthwise_conv_gradients`; ``pointwise_kernel`` is (1, ..., 1, channels * depth_multiplier, filters).
    """
    a = check_depthwise(x, depthwise_kernel, None, rank=rank, **options)
    pointwise, _ = check_pointwise(pointwise_kernel, None, a)
    output = replace(a, filters=pointwise.shape[-1])
    g = upstream_gradient(output, upstream, tuple(axis.small for axis in _axes(a)))
    first = _gradients(a, _product(g, pointwise.T))
    everywhere = tuple(range(g.ndim - 1))
    dv = np.tensordot(_depthwise(a), g, (everywhere, everywhere))
    return Gradients(first.x, first.kernel, g.sum(axis=everywhere), dv.reshape(np.shape(pointwise_kernel)))


def _axes(a: Arguments) -> tuple[Axis, ...]:
    each = zip(a.size, a.kernel_size, a.strides, a.dilation_rate, strict=True)
    return tuple(convolution_axis(n, k, s, d, a.padding) for n, k, s, d in each)


def _depthwise(a: Arguments) -> Array:
    """The depthwise result without bias, channels last."""
    return gather(a.x, a.kernel.reshape(*a.kernel_size, 1, a.filters), _axes(a), groups=a.x.shape[-1])


def _product(z: Array, w: Array) -> Array:
    """``z @ w`` over the last axis, as one matrix product: NumPy would make one for every row of the image."""
    return np.asarray((z.reshape(-1, len(w)) @ w).reshape(*z.shape[:-1], w.shape[-1]))


def _gradients(a: Arguments, g: Array) -> Gradients:
    """``g`` has its channels last. Every filter gives its channel a gradient of its own, of which the channel has the sum."""
    axes, (channels, multiplier) = _axes(a), a.kernel.shape[-2:]
    each = scatter(g, a.kernel.reshape(*a.kernel_size, 1, a.filters), axes, groups=a.filters)
    dx = reduce(np.add, (each[..., q::multiplier] for q in range(multiplier)))  # sum() over so short an axis takes longer than the rest
    dw = correlate(a.x, g, axes, groups=channels).reshape(a.kernel.shape)
    return Gradients(in_format(dx, a), dw, g.sum(axis=tuple(range(g.ndim - 1))))
