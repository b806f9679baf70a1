"""All taps of a kernel at once, where the product of a single tap would be a sliver.

One matrix product for all taps: of the `windows`, for few channels (`side_by_side`) and for gradients of a kernel (`correlate_windows`),
or of the image, which makes the stamps of all taps that are then added up, for few filters (`stamped`). Where every channel is on its
own there is no matrix product at all, and `channelwise` multiplies and adds whole rows of the windows.

What they compute, and the shapes, are those of `gather`, `scatter` and `correlate` in `reference.taps`. Zeros stand for what is absent
in the windows, so what they are multiplied with must be finite; a stamp may be of anything.
"""

from __future__ import annotations

from itertools import product
from math import inf, prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from reference.arguments import Array
from reference.geometry import Axis, outside, stamps, stretches, widths

STRETCH = 1 << 16
"""Elements of windows that are multiplied at a time: half a megabyte of float64, half of what a processor core's own cache holds today."""

MANY = 1 << 19
"""Elements of stamps or windows that are made at a time: they are read but once, so fewer calls weigh more than the nearest cache."""

SMALL = 1_000_000
"""Multiplications up to which OpenBLAS takes the factors as they lie, and does not put them in its own order first."""

LINE = 8
"""Elements of float64 in a line of the cache."""

RUN = 512
"""Elements that are multiplied and added up in one run where there is no matrix product: for all taps of a kernel they stay in the first
cache."""

LONG = 1 << 18
"""Elements whose runs are made in one call."""


def windows(x: Array, axes: tuple[Axis, ...]) -> Array:
    """``z[i, t] = x[i s + t d - before]``, zero where that is outside: (batch, *small, *kernel_size, channels).

    A view, of x or of what is needed of it with zeros around it: nothing is copied for the windows to overlap.
    """
    firsts = [-axis.before for axis in axes]
    lengths = [(axis.small - 1) * axis.stride + axis.span for axis in axes]
    inside = [
        slice(*(min(max(edge, 0), axis.big) for edge in (first, first + n))) for first, n, axis in zip(firsts, lengths, axes, strict=True)
    ]
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


def side_by_side(x: Array, kernel: Array, axes: tuple[Axis, ...]) -> Array:
    """`gather` for few channels: one product of the `windows` and the whole kernel."""
    batch, filters = len(x), kernel.shape[-1]
    y = np.empty((batch, *(axis.small for axis in axes), filters), np.result_type(x, kernel))
    seen, w = windows(x, axes), kernel.reshape(-1, filters)
    most, small = STRETCH // len(w), SMALL // (filters * len(w))
    if small >= batch * prod(axis.small for axis in axes[1:]):
        most = min(most, small)
    for rows, _ in stretches(axes, most // batch):
        np.matmul(seen[:, rows].reshape(batch, -1, len(w)), w, out=y[:, rows].reshape(batch, -1, filters))
    return y


def stamped(x: Array, kernel: Array, axes: tuple[Axis, ...]) -> Array:
    """`scatter` for few filters: one product makes the stamps of all taps, which are then shifted and added up.

    The rows of a stamp are as long as those of the phase that it is added to. So both lie in memory as one long row, and a shift,
    by whatever rows and columns, is one shift of it. Only what would come to lie in the row before or after must be put to zero.
    """
    *kernel_size, channels, filters = kernel.shape
    batch, rank, kind = len(x), len(axes), np.result_type(x, kernel)
    strides, lengths = zip(*((axis.stride, -(-axis.big // axis.stride)) for axis in axes), strict=True)
    wide = widths(axes)
    if x.shape[2:-1] != wide:
        narrow, x = x, np.ones((batch, axes[0].small, *wide, channels), kind)  # what is made of the ones is put to zero
        x[:, :, *(slice(axis.small) for axis in axes[1:])] = narrow
    row = prod(wide)
    each_tap = stamps(axes)
    front = max([0, *(-stamp.start for stamp in each_tap)])
    behind = max([0, *(stamp.start for stamp in each_tap)])
    # filters first: rows of the image are then the longest stretches of memory to be added up
    y = np.zeros((*strides, filters, batch, front + max(behind + axes[0].small * row, lengths[0] * row)), kind)
    w = kernel.swapaxes(-2, -1).reshape(-1, channels)
    parts = [rows for rows, _ in stretches(axes, MANY // (batch * len(w)))]
    # one room for all, since fresh memory would cost half a product; in rows of an odd number of lines, or many would share their place in
    # the cache
    longest = x[:, parts[0]].size // channels
    room = np.empty((len(w), (longest // LINE + 1 | 1) * LINE), kind)
    for rows in parts:
        block = x[:, rows]
        pixels = block.reshape(-1, channels)
        made = np.matmul(w, pixels.T, out=room[:, : len(pixels)]).reshape(*kernel_size, filters, *block.shape[:-1])
        for n, of_axis, columns in outside(axes):
            made.swapaxes(0, n).swapaxes(n - rank, -1)[of_axis, ..., columns] = 0
        made = made.reshape(*kernel_size, filters, batch, -1)
        first = front + rows.start * row
        for tap, phase, start in each_tap:
            sums = y[phase][:, :, first + start : first + start + made.shape[-1]]
            sums += made[tap]
    y = y[..., front : front + lengths[0] * row].reshape(*y.shape[:-1], lengths[0], *wide)
    return joined(np.moveaxis(y, rank, -1), axes)


def joined(phases: Array, axes: tuple[Axis, ...]) -> Array:
    """``y[q s + r] = phases[r][q]`` along every axis: (*strides, batch, *places, filters) becomes (batch, *big, filters)."""
    rank = len(axes)
    batch, *places, filters = phases.shape[rank:]
    order = [rank, *(each for axis in range(rank) for each in (rank + 1 + axis, axis)), 2 * rank + 1]
    size = (q * axis.stride for q, axis in zip(places, axes, strict=True))
    y = phases.transpose(order).reshape(batch, *size, filters)
    return y[:, *(slice(axis.big) for axis in axes)]


def correlate_windows(big_side: Array, small_side: Array, axes: tuple[Axis, ...]) -> Array:
    """`correlate` by products of the `windows`, all taps in one, and the small side."""
    batch, channels, filters = len(big_side), big_side.shape[-1], small_side.shape[-1]
    w = np.zeros((*(axis.kernel for axis in axes), channels, filters), np.result_type(big_side, small_side))
    seen, products = windows(big_side, axes), w.reshape(-1, filters)
    width = len(products)
    pixels = MANY // (width + filters)
    images = max(min(pixels // max(prod(axis.small for axis in axes[1:]), 1), batch), 1)  # as many as have room with one row each
    for first, (rows, _) in product(range(0, batch, images), stretches(axes, pixels // images)):
        some = slice(first, first + images)
        one, other = seen[some, rows].reshape(-1, width), small_side[some, rows].reshape(-1, filters)
        # a product turns its first factor round in memory: let that not be the far wider one
        products += one.T @ other if width <= 4 * filters else (other.T @ one).T
    return w


def channelwise(x: Array, kernel: Array, axes: tuple[Axis, ...]) -> Array:
    """`gather` where every channel is on its own: ``y[i, c m + q] = sum over t of x[i s + t d - before, c] kernel[t, c m + q]``.

    Shapes: ``x`` (batch, *big, channels), ``kernel`` (*kernel_size, channels m), result (batch, *small, channels m).
    """
    filters = kernel.shape[-1]
    x, (places, tap) = _for_each_filter(x, filters), _letters(axes)
    y = np.empty((len(x), *(axis.small for axis in axes), filters), np.result_type(x, kernel))
    for rows, part in stretches(axes, LONG // (len(x) * filters)):
        block, seen = _runs(y[:, rows], windows(x, part), part, RUN)
        np.einsum(f"{places}{tap}zf,{tap}f->{places}zf", seen, np.tile(kernel, block.shape[-1] // filters), out=block)
    return y


def channelwise_correlate(big_side: Array, small_side: Array, axes: tuple[Axis, ...]) -> Array:
    """`correlate` where every channel is on its own: ``w[t, 0, c m + q] = sum of big[i s + t d - before, c] small[i, c m + q]``.

    Shapes: ``big_side`` (batch, *big, channels), ``small_side`` (batch, *small, channels m), result (*kernel_size, 1, channels m).
    """
    filters = small_side.shape[-1]
    x, (places, tap) = _for_each_filter(big_side, filters), _letters(axes)
    w = np.zeros((*(axis.kernel for axis in axes), filters), np.result_type(x, small_side))
    for rows, part in stretches(axes, LONG // (len(x) * filters)):
        block, seen = _runs(small_side[:, rows], windows(x, part), part)
        products = np.einsum(f"{places}{tap}zf,{places}zf->{tap}f", seen, block)
        w += products.reshape(*w.shape[:-1], -1, filters).sum(axis=-2)
    return w[..., None, :]


def _letters(axes: tuple[Axis, ...]) -> tuple[str, str]:
    """For einsum: the batch and the places along all axes but the last, and the tap."""
    return "bxy"[: len(axes)], "pqr"[: len(axes)]


def _for_each_filter(x: Array, filters: int) -> Array:
    """Every channel as often as it has filters, which follow one another."""
    return np.ascontiguousarray(x) if filters == x.shape[-1] else x.repeat(filters // x.shape[-1], axis=-1)


def _runs(block: Array, seen: Array, axes: tuple[Axis, ...], most: float = inf) -> tuple[Array, Array]:
    """Some pixels that follow one another, with all their channels, as one run: of a block (batch, *small, channels) and its `windows`.

    einsum multiplies and adds in one pass, but only as far as memory goes on, which with a stride is one pixel.
    Shapes: (batch, *places, runs, run) and (batch, *places, *kernel_size, runs, run), the places those of all axes but the last.
    """
    rank, (*places, last), channels = len(axes), block.shape[1:-1], block.shape[-1]
    pixels = 1 if axes[-1].stride > 1 else max((n for n in range(1, last + 1) if last % n == 0 and n * channels <= most), default=1)
    runs = (len(block), *places), (last // pixels, pixels * channels)
    kernel_size = (axis.kernel for axis in axes)
    return block.reshape(*runs[0], *runs[1]), np.moveaxis(seen, rank, -2).reshape(*runs[0], *kernel_size, *runs[1])
