"""Kernel n, stride n: nothing overlaps, and the output is blocks, each the kernel times one input element.

For one channel in and one out that is the Kronecker product of input and kernel, ``np.kron(x, kernel)``. With channels it is an outer
product, summed over the channels, and a transpose that brings every block to its place.
"""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from reference.arguments import Array, TransposedOptions, check_transposed
from reference.geometry import transposed_size


def conv_transpose(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    rank: int | None = None,
    **options: Unpack[TransposedOptions],
) -> Array:
    """``y[b, i n + t, f] = sum over c of x[b, i, c] kernel[t, f, c]``, plus bias; ``i`` a block and ``t`` a place inside it.

    Arguments and shapes as in `reference.definition.conv_transpose`.

    Raises:
        ValueError: a bad argument; or the blocks are not the output: the kernel size is not the stride, the kernel is dilated, or
            output_padding asks for another size than (input size) x stride.
    """
    a = check_transposed(x, kernel, bias, rank=rank, **options)
    if a.kernel_size != a.strides:
        raise ValueError(f"the Kronecker form needs a kernel as large as the strides, got {a.kernel_size} and {a.strides}")
    if any(k > 1 and d > 1 for k, d in zip(a.kernel_size, a.dilation_rate, strict=True)):
        raise ValueError(f"the Kronecker form needs a kernel without dilation, got dilation_rate {a.dilation_rate}")
    blocks = tuple(n * s for n, s in zip(a.size, a.strides, strict=True))
    each = zip(a.size, a.kernel_size, a.strides, a.dilation_rate, a.output_padding, strict=True)
    output = tuple(transposed_size(n, k, s, d, a.padding, p) for n, k, s, d, p in each)
    if output != blocks:
        raise ValueError(f"the Kronecker form makes an output of {blocks}, but output_padding {a.output_padding} asks for {output}")
    rank = len(blocks)
    outer = np.tensordot(a.x, a.kernel, axes=(-1, -1))  # (b, *i, *t, f)
    in_place = [axis for i in range(1, rank + 1) for axis in (i, i + rank)]
    y = outer.transpose(0, *in_place, 2 * rank + 1)  # (b, i1, t1, i2, t2, ..., f)
    return a.finish(y.reshape(a.batch, *blocks, a.filters))
