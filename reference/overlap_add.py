"""Every input element stamps the kernel, scaled by itself, onto the output; where stamps overlap, they add.

The stamps of a transposed convolution stand ``s`` apart and together reach over ``(n - 1) s + e`` elements; the output is a window of
that. A convolution is the same thing with the stamps side by side and the kernel turned round, of which every s-th element is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from reference.arguments import Array, ConvolutionOptions, TransposedOptions, check_convolution, check_transposed
from reference.convolution_matrix import ungrouped
from reference.geometry import convolution_padding, convolution_size, effective_kernel, transposed_crop


def conv_transpose(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    rank: int | None = None,
    **options: Unpack[TransposedOptions],
) -> Array:
    """``full[i s + t d] += kernel[t] x[i]`` for every ``i`` and ``t``; ``y = full`` without its crop, plus bias.

    Arguments, shapes and errors as in `reference.definition.conv_transpose`.
    """
    a = check_transposed(x, kernel, bias, rank=rank, **options)
    full = stamp(a.x, a.kernel, a.strides, a.dilation_rate)
    each = zip(a.size, a.kernel_size, a.strides, a.dilation_rate, a.output_padding, strict=True)
    crops = [transposed_crop(n, k, s, d, a.padding, p) for n, k, s, d, p in each]
    return a.finish(crop(full, crops))


def conv(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    rank: int | None = None,
    **options: Unpack[ConvolutionOptions],
) -> Array:
    """``full[j + t d] += kernel[k - 1 - t] x[j]`` for every ``j`` and ``t``; ``y[i] = full[i s + e - 1 - before]``, plus bias.

    Arguments, shapes and errors as in `reference.definition.conv`.
    """
    a = check_convolution(x, kernel, bias, rank=rank, **options)
    rank = len(a.size)
    turned = np.flip(ungrouped(a.kernel, a.groups), tuple(range(rank))).swapaxes(-2, -1)  # (*kernel_size, filters, channels)
    y = stamp(a.x, turned, (1,) * rank, a.dilation_rate)
    for axis, (n, k, s, d) in enumerate(zip(a.size, a.kernel_size, a.strides, a.dilation_rate, strict=True), start=1):
        before, _ = convolution_padding(n, k, s, d, a.padding)
        kept = effective_kernel(k, d) - 1 - before + s * np.arange(convolution_size(n, k, s, d, a.padding))
        y = y.take(kept, axis)
    return a.finish(y)


def stamp(x: Array, kernel: Array, strides: Sequence[int], dilation_rate: Sequence[int]) -> Array:
    """``full[i s + t d] += kernel[t] x[i]`` for every ``i`` and ``t``: all of it, nothing cropped.

    Shapes: ``x`` (batch, *spatial, channels), ``kernel`` (*kernel_size, filters, channels), result (batch, *full, filters) with
    ``full = (n - 1) s + e`` an axis.
    """
    *kernel_size, filters, _ = kernel.shape
    size = x.shape[1:-1]
    spans = [effective_kernel(k, d) for k, d in zip(kernel_size, dilation_rate, strict=True)]
    full = [(n - 1) * s + e for n, s, e in zip(size, strides, spans, strict=True)]
    y = np.zeros((x.shape[0], *full, filters), np.result_type(x, kernel))
    for i in np.ndindex(size):
        under = tuple(slice(i_ * s, i_ * s + e, d) for i_, s, e, d in zip(i, strides, spans, dilation_rate, strict=True))
        y[:, *under] += np.moveaxis(kernel @ x[:, *i].T, -1, 0)
    return y


def crop(full: Array, crops: Sequence[tuple[int, int]]) -> Array:
    """``y[j] = full[front + j]``: so much cut in front and behind, an axis; a negative number behind appends zeros."""
    lengths = [n - front - back for n, (front, back) in zip(full.shape[1:-1], crops, strict=True)]
    y = np.zeros((full.shape[0], *lengths, full.shape[-1]), full.dtype)
    kept = full[:, *(slice(front, front + length) for (front, _), length in zip(crops, lengths, strict=True))]
    y[:, *(slice(n) for n in kept.shape[1:-1])] = kept
    return y
