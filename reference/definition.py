"""The definition, word for word: one output element is one sum over the terms that exist.

Nothing here is shared with the fast forms but the argument checks: no `reference.geometry`, no padded buffer. Where
the windows lie is told by what characterises it (which positions a window may start at, in the middle of what), not
by a formula for it, so that a slip in a formula elsewhere shows as a disagreement.

Every number type works that has ``+`` and ``*``: NumPy integers and floats, and with ``dtype=object`` Python integers
of any size and `fractions.Fraction`. These loops are slow on purpose: they are for reading, and for checking others.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count, product
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from reference.arguments import (
    Arguments,
    Array,
    ConvolutionOptions,
    DepthwiseOptions,
    TransposedOptions,
    check_convolution,
    check_depthwise,
    check_pointwise,
    check_transposed,
)


def conv(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    rank: int | None = None,
    **options: Unpack[ConvolutionOptions],
) -> Array:
    """``y[b, i, f] = bias[f] + sum over t, c of kernel[t, c, f] x[b, i s + t d - before, c]``, terms outside x absent.

    ``i`` and ``t`` run over all spatial axes at once; ``c`` over the channels of the group that filter ``f`` belongs to.
    A ``valid`` window starts wherever it lies inside the input; a ``same`` window stands at every s-th input element, and
    all of them together are moved so that the input lies in their middle, or half an element nearer to their front; a
    ``causal`` window, of one axis alone, ends at every s-th input element.

    Args:
        x: (batch, *spatial, channels), or (batch, channels, *spatial) for ``channels_first``.
        kernel: (*kernel_size, channels / groups, filters); not flipped (a correlation), as in Keras.
        bias: (filters,) or None.
        rank: the number of spatial axes, by default what the kernel has.
        options: Keras's arguments by Keras's names, see `reference.arguments.ConvolutionOptions`.

    Returns:
        (batch, *output, filters) in the same data format, in the type of the products.

    Raises:
        ValueError: a bad argument, or a valid window larger than its input.
    """
    a = check_convolution(x, kernel, bias, rank=rank, **options)
    starts = tuple(
        _window_starts(n, k, s, d, a.padding) for n, k, s, d in zip(a.size, a.kernel_size, a.strides, a.dilation_rate, strict=True)
    )
    taps = list(np.ndindex(a.kernel_size))
    channels, filters = a.kernel.shape[-2], a.filters // a.groups
    y = np.zeros((a.batch, *map(len, starts), a.filters), a.dtype)
    for b, f in np.ndindex(a.batch, a.filters):
        first_channel = f // filters * channels
        for i, start in zip(np.ndindex(y.shape[1:-1]), product(*starts), strict=True):
            total = y[b, *i, f]
            for t in taps:
                j = tuple(start_ + t_ * d for start_, t_, d in zip(start, t, a.dilation_rate, strict=True))
                if all(0 <= j_ < n for j_, n in zip(j, a.size, strict=True)):
                    for c in range(channels):
                        total = total + a.kernel[*t, c, f] * a.x[b, *j, first_channel + c]
            y[b, *i, f] = total
    return a.finish(y)


def depthwise_conv(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    rank: int | None = None,
    **options: Unpack[DepthwiseOptions],
) -> Array:
    """``y[b, i, c m + q] = bias[c m + q] + sum over t of kernel[t, c, q] x[b, i s + t d - before, c]``, terms outside x absent.

    Every channel ``c`` is convolved on its own, with ``m`` kernels; channels never meet. Windows lie as in `conv`.

    Args:
        x: (batch, *spatial, channels), or (batch, channels, *spatial) for ``channels_first``.
        kernel: (*kernel_size, channels, depth_multiplier), as in Keras.
        bias: (channels * depth_multiplier,) or None.
        rank: the number of spatial axes, by default what the kernel has.
        options: Keras's arguments by Keras's names, see `reference.arguments.DepthwiseOptions`.

    Returns:
        (batch, *output, channels * depth_multiplier) in the same data format, in the type of the products.

    Raises:
        ValueError: a bad argument, or a valid window larger than its input.
    """
    a = check_depthwise(x, kernel, bias, rank=rank, **options)
    starts = tuple(
        _window_starts(n, k, s, d, a.padding) for n, k, s, d in zip(a.size, a.kernel_size, a.strides, a.dilation_rate, strict=True)
    )
    channels, multiplier = a.kernel.shape[-2:]
    y = np.zeros((a.batch, *map(len, starts), a.filters), a.dtype)
    for b, c, q in np.ndindex(a.batch, channels, multiplier):
        for i, start in zip(np.ndindex(y.shape[1:-1]), product(*starts), strict=True):
            total = y[b, *i, c * multiplier + q]
            for t in np.ndindex(a.kernel_size):
                j = tuple(start_ + t_ * d for start_, t_, d in zip(start, t, a.dilation_rate, strict=True))
                if all(0 <= j_ < n for j_, n in zip(j, a.size, strict=True)):
                    total = total + a.kernel[*t, c, q] * a.x[b, *j, c]
            y[b, *i, c * multiplier + q] = total
    return a.finish(y)


def separable_conv(
    x: ArrayLike,
    depthwise_kernel: ArrayLike,
    pointwise_kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    rank: int | None = None,
    **options: Unpack[DepthwiseOptions],
) -> Array:
    """``y[b, i, f] = bias[f] + sum over e of pointwise_kernel[e, f] depthwise_conv(x, depthwise_kernel)[b, i, e]``.

    Args:
        x: (batch, *spatial, channels), or (batch, channels, *spatial) for ``channels_first``.
        depthwise_kernel: (*kernel_size, channels, depth_multiplier), as in Keras.
        pointwise_kernel: (1, ..., 1, channels * depth_multiplier, filters), as in Keras.
        bias: (filters,) or None.
        rank: the number of spatial axes, by default what the kernel has.
        options: as in `depthwise_conv`; strides and dilation belong to the depthwise stage.

    Returns:
        (batch, *output, filters) in the same data format, in the type of the products.

    Raises:
        ValueError: a bad argument, or a valid window larger than its input.
    """
    a = check_depthwise(x, depthwise_kernel, None, rank=rank, **options)
    pointwise, bias = check_pointwise(pointwise_kernel, bias, a)
    z = np.moveaxis(depthwise_conv(x, depthwise_kernel, rank=rank, **options), 1 if a.data_format == "channels_first" else -1, -1)
    y = np.zeros((*z.shape[:-1], pointwise.shape[-1]), np.result_type(z, pointwise))
    for at in np.ndindex(*y.shape):
        total = y[at]
        for e in range(z.shape[-1]):
            total = total + pointwise[e, at[-1]] * z[*at[:-1], e]
        y[at] = total
    return replace(a, bias=bias).finish(y)


def conv_transpose(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    rank: int | None = None,
    **options: Unpack[TransposedOptions],
) -> Array:
    """``y[b, j, f] = bias[f] + sum of kernel[t, f, c] x[b, i, c] over all i, t, c with i s + t d - crop = j``.

    The adjoint of a convolution with the same window positions: element ``i`` of the input is written through the
    window that the convolution would have read it from. The output is that convolution's input, and the crop its
    padding in front.

    Args:
        x: (batch, *spatial, channels), or (batch, channels, *spatial) for ``channels_first``.
        kernel: (*kernel_size, filters, channels), as in Keras.
        bias: (filters,) or None.
        rank: the number of spatial axes, by default what the kernel has.
        options: Keras's arguments by Keras's names, see `reference.arguments.TransposedOptions`.

    Returns:
        (batch, *output, filters) in the same data format, in the type of the products. An output size may be zero
        (``same``, an even kernel, one input element and ``output_padding=0``).

    Raises:
        ValueError: a bad argument.
    """
    a = check_transposed(x, kernel, bias, rank=rank, **options)
    sizes, crops = _transposed_windows(a)
    taps = list(np.ndindex(a.kernel_size))
    y = np.zeros((a.batch, *sizes, a.filters), a.dtype)
    for b, f in np.ndindex(a.batch, a.filters):
        for j in np.ndindex(sizes):
            total = y[b, *j, f]
            for t in taps:
                # i s = j + crop - t d must have a solution i inside the input, on every axis
                steps = [divmod(j_ + crop - t_ * d, s) for j_, crop, t_, d, s in zip(j, crops, t, a.dilation_rate, a.strides, strict=True)]
                if all(rest == 0 and 0 <= i < n for (i, rest), n in zip(steps, a.size, strict=True)):
                    i = tuple(step[0] for step in steps)
                    for c in range(a.x.shape[-1]):
                        total = total + a.kernel[*t, f, c] * a.x[b, *i, c]
            y[b, *j, f] = total
    return a.finish(y)


def conv2d(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    **options: Unpack[ConvolutionOptions],
) -> Array:
    """``y[b, h, w, f] = bias[f] + sum of kernel[p, q, c, f] x[b, h s + p d - before, w s + q d - before, c]``.

    `conv` over two spatial axes, each with its own ``s``, ``d`` and ``before``.
    """
    return conv(x, kernel, bias, rank=2, **options)


def conv2d_transpose(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    **options: Unpack[TransposedOptions],
) -> Array:
    """``y[b, h s + p d - crop, w s + q d - crop, f] += kernel[p, q, f, c] x[b, h, w, c]``, plus ``bias[f]``.

    `conv_transpose` over two spatial axes, each with its own ``s``, ``d`` and ``crop``.
    """
    return conv_transpose(x, kernel, bias, rank=2, **options)


def _window_starts(n: int, k: int, s: int, d: int, padding: str) -> range:
    """Where the windows along one axis start, as positions in the input (negative: before its first element)."""
    reach = (k - 1) * d  # from a window's first tap to its last
    if padding == "valid":
        starts = range(0, n - reach, s)
        if not starts:
            raise ValueError(f"a valid window of {reach + 1} elements is larger than its input of {n}")
        return starts
    if padding == "causal":
        return range(-reach, n - reach, s)
    stands = range(0, n, s)
    beyond = stands[-1] + reach - (n - 1)  # how far the last window reaches past the last element
    front = _front_share(beyond)
    return range(-front, n - front, s)


def _front_share(beyond: int) -> int:
    """How much of a stretch ``beyond`` goes to the front, so that the back has as much, or one element more."""
    if beyond <= 0:
        return 0
    return next(front for front in count() if (beyond - front) - front in (0, 1))


def _transposed_windows(a: Arguments) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Output size and crop of every axis."""
    sizes, crops = [], []
    for n, k, s, d, p in zip(a.size, a.kernel_size, a.strides, a.dilation_rate, a.output_padding, strict=True):
        last_stamp = range(0, n * s, s)[-1]  # where the last input element puts the first tap of its kernel
        stamped = last_stamp + len(range(0, k * d, d)) * d - (d - 1)  # elements from the first tap to the last
        if a.padding == "valid":
            size = max(stamped, n * s) if p is None else stamped + p
            crop = 0
        else:
            odd = ((k - 1) * d) % 2 == 0  # a kernel that spans an odd number of elements has a middle one
            size = n * s if p is None else last_stamp + (1 if odd else 0) + p
            crop = _front_share(stamped - size)
        sizes.append(size)
        crops.append(crop)
    return tuple(sizes), tuple(crops)
