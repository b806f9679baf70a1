"""A convolution is one matrix C, and the transposed convolution is its transpose. That is all the name says.

Along one axis, row ``i`` of C holds the kernel where the window of output ``i`` lies::

    C[i, j] = kernel[t]  where  j = i s + t d - before,  0 elsewhere

Over several axes ``i``, ``j`` and ``t`` are tuples, with one such condition an axis. Over several channels every element is a block:
``C[(i, f), (j, c)] = kernel[t, c, f]``. With ``vec`` an array's elements in row-major order, channels last,

- convolution: ``vec(y) = C vec(x)``;
- transposed convolution: ``vec(y) = C.T vec(x)``, C being the matrix of the convolution that leads back.

The dense C has (output elements) x (input elements) numbers; the sparse one only those that are not zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

import numpy as np
from numpy.typing import ArrayLike

from reference.arguments import Arguments, Array, ConvolutionOptions, IntOrInts, TransposedOptions, check_convolution, check_transposed
from reference.geometry import Axis, convolution_axis, transposed_axis

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def conv(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    rank: int | None = None,
    sparse: bool = False,
    **options: Unpack[ConvolutionOptions],
) -> Array:
    """``vec(y) = C vec(x)`` for every item of the batch, plus bias.

    Arguments, shapes and errors as in `reference.definition.conv`; ``sparse`` makes C with SciPy, without its zeros.
    """
    a = check_convolution(x, kernel, bias, rank=rank, **options)
    axes = _convolution_axes(a)
    c = (_sparse if sparse else _dense)(axes, ungrouped(a.kernel, a.groups))
    y = (c @ a.x.reshape(a.batch, -1).T).T
    return a.finish(y.reshape(a.batch, *(axis.small for axis in axes), a.filters))


def conv_transpose(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    rank: int | None = None,
    sparse: bool = False,
    **options: Unpack[TransposedOptions],
) -> Array:
    """``vec(y) = C.T vec(x)`` for every item of the batch, plus bias.

    Arguments, shapes and errors as in `reference.definition.conv_transpose`; ``sparse`` as in `conv`.
    """
    a = check_transposed(x, kernel, bias, rank=rank, **options)
    axes = _transposed_axes(a)
    c = (_sparse if sparse else _dense)(axes, a.kernel)
    y = (c.T @ a.x.reshape(a.batch, -1).T).T
    return a.finish(y.reshape(a.batch, *(axis.big for axis in axes), a.filters))


def matrix(
    kernel: ArrayLike,
    size: Sequence[int],
    *,
    strides: IntOrInts = 1,
    padding: str = "valid",
    dilation_rate: IntOrInts = 1,
    groups: int = 1,
) -> Array:
    """``C[(i, f), (j, c)] = kernel[t, c, f] where j = i s + t d - before, 0 elsewhere``: the matrix of a convolution.

    Args:
        kernel: (*kernel_size, channels / groups, filters).
        size: the spatial shape of the input.

    Returns:
        (output elements x filters, input elements x channels).

    Raises:
        ValueError: a bad argument, or a valid window larger than its input.
    """
    kernel = np.asarray(kernel)
    a = check_convolution(
        _blank(size, kernel.shape[-2] * groups if kernel.ndim > 1 else 1),
        kernel,
        None,
        strides=strides,
        padding=padding,
        dilation_rate=dilation_rate,
        groups=groups,
        data_format="channels_last",
    )
    return _dense(_convolution_axes(a), ungrouped(a.kernel, groups))


def transposed_matrix(
    kernel: ArrayLike,
    size: Sequence[int],
    *,
    strides: IntOrInts = 1,
    padding: str = "valid",
    output_padding: IntOrInts | None = None,
    dilation_rate: IntOrInts = 1,
) -> Array:
    """``C.T``, the matrix of a transposed convolution: C as in `matrix`, of the convolution from its output back to its input.

    Args:
        kernel: (*kernel_size, filters, channels).
        size: the spatial shape of the input of the transposed convolution.

    Returns:
        (output elements x filters, input elements x channels).

    Raises:
        ValueError: a bad argument.
    """
    kernel = np.asarray(kernel)
    a = check_transposed(
        _blank(size, kernel.shape[-1] if kernel.ndim else 1),
        kernel,
        None,
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        dilation_rate=dilation_rate,
        data_format="channels_last",
    )
    return _dense(_transposed_axes(a), a.kernel).T


def ungrouped(kernel: Array, groups: int) -> Array:
    """``w[t, c, f] = kernel[t, c - first channel of the group, f] if c is in the group of f, else 0``.

    A grouped convolution is a plain one whose kernel is block-diagonal in channels and filters.
    Shapes: (*kernel_size, channels / groups, filters) to (*kernel_size, channels, filters).
    """
    *spatial, channels, filters = kernel.shape
    w = np.zeros((*spatial, groups * channels, filters), kernel.dtype)
    for g in range(groups):
        mine = slice(g * filters // groups, (g + 1) * filters // groups)
        w[..., g * channels : (g + 1) * channels, mine] = kernel[..., mine]
    return w


def tap_table(axis: Axis) -> Array:
    """``T[i, j] = t where j = i s + t d - before``, and ``k``, which is no tap, where there is no such ``t``; shape (small, big).

    Two indices are joined by one tap at most, so this is all that C needs to know about an axis.
    """
    i, j = np.ogrid[: axis.small, : axis.big]
    t, rest = np.divmod(j - i * axis.stride + axis.before, axis.dilation)
    return np.where((rest == 0) & (t >= 0) & (t < axis.kernel), t, axis.kernel)


def _dense(axes: Sequence[Axis], kernel: Array) -> Array:
    """``C[(i, f), (j, c)] = kernel[T[i, j], c, f]``, where the tap that does not exist is zero."""
    rank = len(axes)
    with_absent_tap = np.zeros((*(axis.kernel + 1 for axis in axes), *kernel.shape[-2:]), kernel.dtype)
    with_absent_tap[tuple(slice(axis.kernel) for axis in axes)] = kernel
    # the table of axis a varies along dimensions a (its i) and rank + a (its j)
    others = [tuple(b for b in range(2 * rank) if b not in (a, rank + a)) for a in range(rank)]
    t = tuple(np.expand_dims(tap_table(axis), other) for axis, other in zip(axes, others, strict=True))
    c: Array = with_absent_tap[t]  # (*i, *j, c, f)
    c = np.moveaxis(c, -1, rank)  # (*i, f, *j, c)
    rows = kernel.shape[-1] * int(np.prod([axis.small for axis in axes]))
    columns = kernel.shape[-2] * int(np.prod([axis.big for axis in axes]))
    return c.reshape(rows, columns)


def _sparse(axes: Sequence[Axis], kernel: Array) -> csr_array:
    """C as in `_dense`, from a list of the triples (i, j, t) that exist."""
    from scipy.sparse import coo_array  # the one use of SciPy in this package

    i, j, t = [], [], []
    for axis in axes:
        table = tap_table(axis)
        joined = np.nonzero(table < axis.kernel)
        i.append(joined[0])
        j.append(joined[1])
        t.append(table[joined])
    row = np.ravel_multi_index(np.meshgrid(*i, indexing="ij"), tuple(axis.small for axis in axes))
    column = np.ravel_multi_index(np.meshgrid(*j, indexing="ij"), tuple(max(axis.big, 1) for axis in axes))
    blocks = kernel[tuple(np.meshgrid(*t, indexing="ij"))]  # (*triples, c, f)
    channels, filters = kernel.shape[-2:]
    rows = np.broadcast_to(row[..., None, None] * filters + np.arange(filters), blocks.shape)
    columns = np.broadcast_to(column[..., None, None] * channels + np.arange(channels)[:, None], blocks.shape)
    shape = (filters * int(np.prod([axis.small for axis in axes])), channels * int(np.prod([axis.big for axis in axes])))
    c = coo_array((blocks.ravel(), (rows.ravel(), columns.ravel())), shape=shape).tocsr()
    c.eliminate_zeros()  # between groups
    return c


def _blank(size: Sequence[int], channels: int) -> Array:
    """An input of this shape, for checks: it takes no memory."""
    return np.broadcast_to(0, (1, *size, channels))


def _convolution_axes(a: Arguments) -> list[Axis]:
    each = zip(a.size, a.kernel_size, a.strides, a.dilation_rate, strict=True)
    return [convolution_axis(n, k, s, d, a.padding) for n, k, s, d in each]


def _transposed_axes(a: Arguments) -> list[Axis]:
    each = zip(a.size, a.kernel_size, a.strides, a.dilation_rate, a.output_padding, strict=True)
    return [transposed_axis(n, k, s, d, a.padding, p) for n, k, s, d, p in each]
