"""One axis at a time, in integers: output size, padding, crop. The rule of "same" lives here and nowhere else.

Along one axis a convolution relates a *big* side to a *small* side. Small index ``i`` and kernel tap ``t`` meet big index

    j = i * stride + t * dilation - before                                                  (1)

A convolution reads the big side and writes the small one; a transposed convolution reads the small side and writes
the big one through the very same relation, which is what makes it the adjoint. Both are therefore one `Axis`, and
they differ only in which of the two sizes is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

PADDINGS = ("valid", "same")
CAUSAL = "causal"
"""The padding of a convolution over one axis, time, that lets no output see what comes after it."""


def effective_kernel(kernel: int, dilation: int) -> int:
    """``e = (k - 1) d + 1``: how many elements a dilated kernel spans."""
    return (kernel - 1) * dilation + 1


def split_same(total: int) -> tuple[int, int]:
    """``before = floor(total / 2)``, ``after = total - before``: the odd element goes *after*.

    This is the whole rule of ``padding="same"``, for the padding of a convolution and for the crop of a transposed one.
    """
    before = total // 2
    return before, total - before


def overhang(small: int, big: int, kernel: int, stride: int, dilation: int) -> int:
    """``max((small - 1) s + e - big, 0)``: by how much all windows together are longer than the big side."""
    return max((small - 1) * stride + effective_kernel(kernel, dilation) - big, 0)


def convolution_size(size: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """``valid``: ``floor((n - e) / s) + 1``; ``same`` and ``causal``: ``ceil(n / s)``.

    Raises:
        ValueError: a valid window is larger than its input, so that not one output element is defined.
    """
    if padding != "valid":
        return -(-size // stride)
    span = effective_kernel(kernel, dilation)
    if size < span:
        raise ValueError(f"a valid window of {span} elements is larger than its input of {size}")
    return (size - span) // stride + 1


def convolution_padding(size: int, kernel: int, stride: int, dilation: int, padding: str) -> tuple[int, int]:
    """Zeros before and after the input: none for ``valid``, the split overhang for ``same``, ``e - 1`` in front for ``causal``.

    The last tap of causal window ``i`` then lies on input ``i s``, the latest that its output may see.
    """
    if padding == CAUSAL:
        return effective_kernel(kernel, dilation) - 1, 0
    small = convolution_size(size, kernel, stride, dilation, padding)
    return split_same(overhang(small, size, kernel, stride, dilation)) if padding == "same" else (0, 0)


def transposed_size(size: int, kernel: int, stride: int, dilation: int, padding: str, output_padding: int | None) -> int:
    """Output size of a transposed convolution of ``size`` elements, ``p`` the output padding.

    ======= ============================ =============================
    padding p is None                    p given
    ======= ============================ =============================
    valid   ``(n - 1) s + max(e, s)``    ``(n - 1) s + e + p``
    same    ``n s``                      ``(n - 1) s + (e mod 2) + p``
    ======= ============================ =============================
    """
    span = effective_kernel(kernel, dilation)
    if padding == "valid":
        return (size - 1) * stride + (max(span, stride) if output_padding is None else span + output_padding)
    return size * stride if output_padding is None else (size - 1) * stride + span % 2 + output_padding


def transposed_crop(size: int, kernel: int, stride: int, dilation: int, padding: str, output_padding: int | None) -> tuple[int, int]:
    """Elements cut from the front and from the back of the full overlap-add length ``(n - 1) s + e``.

    The front is never negative. A negative number for the back is a number of zeros that are appended there:
    the output is longer than what the kernels reach.
    """
    big = transposed_size(size, kernel, stride, dilation, padding, output_padding)
    before = split_same(overhang(size, big, kernel, stride, dilation))[0] if padding == "same" else 0
    full = (size - 1) * stride + effective_kernel(kernel, dilation)
    return before, full - before - big


class Tap(NamedTuple):
    """Kernel tap ``tap`` and the two equally long slices of small and big indices that relation (1) joins by it."""

    tap: int
    small: slice
    big: slice


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a convolution or transposed convolution: relation (1) between a small and a big side."""

    big: int
    small: int
    kernel: int
    stride: int
    dilation: int
    before: int

    @property
    def span(self) -> int:
        """How many big elements one window covers, see `effective_kernel`."""
        return effective_kernel(self.kernel, self.dilation)

    def stretch(self, first: int, stop: int) -> Axis:
        """Small indices ``first <= i < stop`` alone, counted from ``first``, and the same big side.

        ``(i + first) s + t d - before = i s + t d - (before - first s)``: a stretch of an axis is an axis.
        """
        return Axis(self.big, stop - first, self.kernel, self.stride, self.dilation, self.before - first * self.stride)

    @lru_cache(maxsize=1024)  # noqa: B019 - an axis is six integers, and few of them are used again and again
    def taps(self) -> tuple[Tap, ...]:
        """Every kernel tap with the indices it joins, both sides in range; taps that reach nothing are left out.

        From ``0 <= i s + t d - before < big`` and ``0 <= i < small``: ``i`` runs from
        ``ceil((before - t d) / s)`` to ``floor((big - 1 + before - t d) / s)``, cut to the small side.
        """
        found = []
        for tap in range(self.kernel):
            shift = tap * self.dilation - self.before
            first = max(0, -(shift // self.stride))
            last = min(self.small - 1, (self.big - 1 - shift) // self.stride)
            if first <= last:
                start = first * self.stride + shift
                stop = last * self.stride + shift + 1
                found.append(Tap(tap, slice(first, last + 1), slice(start, stop, self.stride)))
        return tuple(found)


@lru_cache(maxsize=4096)
def convolution_axis(size: int, kernel: int, stride: int, dilation: int, padding: str) -> Axis:
    """The axis of a convolution whose input, the big side, has ``size`` elements."""
    small = convolution_size(size, kernel, stride, dilation, padding)
    before, _ = convolution_padding(size, kernel, stride, dilation, padding)
    return Axis(size, small, kernel, stride, dilation, before)


@lru_cache(maxsize=4096)
def transposed_axis(size: int, kernel: int, stride: int, dilation: int, padding: str, output_padding: int | None) -> Axis:
    """The axis of a transposed convolution whose input, the small side, has ``size`` elements."""
    big = transposed_size(size, kernel, stride, dilation, padding, output_padding)
    before, _ = transposed_crop(size, kernel, stride, dilation, padding, output_padding)
    return Axis(big, size, kernel, stride, dilation, before)


class Taps(NamedTuple):
    """One tap of a kernel over several axes: its index in the kernel, and the two blocks it joins."""

    tap: tuple[int, ...]
    small: tuple[slice, ...]
    big: tuple[slice, ...]


@lru_cache(maxsize=64)
def taps(axes: tuple[Axis, ...]) -> tuple[Taps, ...]:
    """The taps of a kernel over several axes: the product of the taps of each (axes are independent)."""
    return tuple(Taps._make(zip(*each, strict=True)) for each in product(*(axis.taps() for axis in axes)))


class PhasedTaps(NamedTuple):
    """One tap of a kernel over several axes: its index in the kernel, the small block, and the phase and the places in it that it meets."""

    tap: tuple[int, ...]
    small: tuple[slice, ...]
    phase: tuple[int, ...]
    places: tuple[slice, ...]


@lru_cache(maxsize=64)
def phased_taps(axes: tuple[Axis, ...]) -> tuple[PhasedTaps, ...]:
    """The taps of a kernel, with the big side apart into its phases: big index ``q s + r`` is place ``q`` of phase ``r``.

    A tap meets one phase alone, ``r = (t d - before) mod s``, and there one place after the other.
    """
    found = []
    for tap, small, big in taps(axes):
        starts = [divmod(each.start, axis.stride) for each, axis in zip(big, axes, strict=True)]
        places = tuple(slice(q, q + each.stop - each.start) for (q, _), each in zip(starts, small, strict=True))
        found.append(PhasedTaps(tap, small, tuple(r for _, r in starts), places))
    return tuple(found)


def stretches(axes: tuple[Axis, ...], most: int) -> Iterator[tuple[slice, tuple[Axis, ...]]]:
    """The first axis in stretches of small indices, so long that at most ``most`` small elements (but one index at least) are in each."""
    first, *rest = axes
    rows = max(most // prod(axis.small for axis in rest), 1)
    if rows >= first.small:
        yield slice(0, first.small), axes
        return
    for start in range(0, first.small, rows):
        stop = min(start + rows, first.small)
        yield slice(start, stop), (first.stretch(start, stop), *rest)
