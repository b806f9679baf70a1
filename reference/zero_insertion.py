"""The four-step recipe: a transposed convolution is a direct one, with stride 1, on an input with zeros put in.

1. z = s - 1 and p' = e - 1 - crop, the latter in front and behind, each by its own crop;
2. insert z zeros between the elements of the input;
3. pad it by p';
4. convolve with stride 1 and the kernel turned round.

``e`` is the span of the kernel, which for a kernel without dilation is ``k``. Behind, the crop may be negative, and p' then also holds
the zeros that are appended to the output. The direct convolution of step 4 is here too, with any stride: pad, and slide a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from reference.arguments import Array, ConvolutionOptions, TransposedOptions, check_convolution, check_transposed
from reference.convolution_matrix import ungrouped
from reference.geometry import convolution_padding, effective_kernel, transposed_crop


def conv_transpose(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    rank: int | None = None,
    **options: Unpack[TransposedOptions],
) -> Array:
    """``y = direct(pad(insert(x, s - 1), e - 1 - crop), turned kernel)``, plus bias.

    Arguments, shapes and errors as in `reference.definition.conv_transpose`.
    """
    a = check_transposed(x, kernel, bias, rank=rank, **options)
    pads = []
    for n, k, s, d, p in zip(a.size, a.kernel_size, a.strides, a.dilation_rate, a.output_padding, strict=True):
        most = effective_kernel(k, d) - 1
        front, back = transposed_crop(n, k, s, d, a.padding, p)
        pads.append((most - front, most - back))
    z = insert_zeros(a.x, a.strides)
    z = surround(z, pads)
    rank = len(a.size)
    turned = np.flip(a.kernel, tuple(range(rank))).swapaxes(-2, -1)  # (*kernel_size, channels, filters)
    return a.finish(direct(z, turned, (1,) * rank, a.dilation_rate))


def conv(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    rank: int | None = None,
    **options: Unpack[ConvolutionOptions],
) -> Array:
    """``y = direct(pad(x, before, after), kernel)``, plus bias: the zeros of step 3 alone, and a stride.

    Arguments, shapes and errors as in `reference.definition.conv`.
    """
    a = check_convolution(x, kernel, bias, rank=rank, **options)
    each = zip(a.size, a.kernel_size, a.strides, a.dilation_rate, strict=True)
    pads = [convolution_padding(n, k, s, d, a.padding) for n, k, s, d in each]
    z = surround(a.x, pads)
    return a.finish(direct(z, ungrouped(a.kernel, a.groups), a.strides, a.dilation_rate))


def insert_zeros(x: Array, strides: Sequence[int]) -> Array:
    """``z[i s] = x[i]``, zeros between: s - 1 of them, none before the first element and none behind the last.

    Shapes: (batch, *spatial, channels) to (batch, *((n - 1) s + 1), channels).
    """
    longer = [(n - 1) * s + 1 for n, s in zip(x.shape[1:-1], strides, strict=True)]
    z = np.zeros((x.shape[0], *longer, x.shape[-1]), x.dtype)
    z[:, *(slice(None, None, s) for s in strides)] = x
    return z


def surround(x: Array, pads: Sequence[tuple[int, int]]) -> Array:
    """``z[front + j] = x[j]``, zeros before and behind, as many as ``pads`` has for each spatial axis.

    Not `numpy.pad`: among Python integers of any size it puts zeros of a type that overflows.
    """
    longer = [front + n + back for n, (front, back) in zip(x.shape[1:-1], pads, strict=True)]
    z = np.zeros((x.shape[0], *longer, x.shape[-1]), x.dtype)
    z[:, *(slice(front, front + n) for n, (front, _) in zip(x.shape[1:-1], pads, strict=True))] = x
    return z


def direct(x: Array, kernel: Array, strides: Sequence[int], dilation_rate: Sequence[int]) -> Array:
    """``y[i] = sum over t of x[i s + t d] @ kernel[t]``, as many ``i`` as windows lie inside x.

    Shapes: ``x`` (batch, *spatial, channels), ``kernel`` (*kernel_size, channels, filters). An input one element too short for a window
    has none, and the result no element.
    """
    *kernel_size, _, filters = kernel.shape
    rooms = [n - effective_kernel(k, d) + 1 for n, k, d in zip(x.shape[1:-1], kernel_size, dilation_rate, strict=True)]
    outputs = [-(-room // s) for room, s in zip(rooms, strides, strict=True)]
    y = np.zeros((x.shape[0], *outputs, filters), np.result_type(x, kernel))
    for t in np.ndindex(*kernel_size):
        seen = tuple(slice(t_ * d, t_ * d + room, s) for t_, d, room, s in zip(t, dilation_rate, rooms, strides, strict=True))
        y += x[:, *seen] @ kernel[t]
    return y
