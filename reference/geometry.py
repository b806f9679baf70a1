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
from math import gcd, prod
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


class Phase(NamedTuple):
    """The big indices of one phase, the taps that meet it, and the axis that these are between the small side and the places in it."""

    big: slice
    taps: slice
    axis: Axis


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

    def turned(self) -> Axis:
        """An axis without a stride, read the other way: its big side as the small one, its last tap as the first.

        ``j = i + t d - before`` is ``i = j + (k - 1 - t) d - ((k - 1) d - before)``.
        """
        return Axis(self.small, self.big, self.kernel, 1, self.dilation, self.span - 1 - self.before)

    @lru_cache(maxsize=1024)  # noqa: B019 - as for `taps`
    def phases(self) -> tuple[Phase, ...]:
        """Every phase of the big side that a tap meets, ``j = q s + r`` for one ``r``, as an axis without a stride between ``i`` and ``q``.

        With ``t d - before = q_t s + r_t``, tap ``t`` meets phase ``r_t`` alone, and there ``q = i + q_t``. The next tap with the same
        ``r_t`` is ``p = s / gcd(s, d)`` further, and its ``q_t`` by ``p d / s``.
        """
        period = self.stride // gcd(self.stride, self.dilation)
        found = []
        for first in range(min(period, self.kernel)):
            place, phase = divmod(first * self.dilation - self.before, self.stride)
            taps = slice(first, None, period)
            axis = Axis(
                big=len(range(phase, self.big, self.stride)),
                small=self.small,
                kernel=len(range(self.kernel)[taps]),
                stride=1,
                dilation=period * self.dilation // self.stride,
                before=-place,
            )
            found.append(Phase(slice(phase, None, self.stride), taps, axis))
        return tuple(found)

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


class Stamp(NamedTuple):
    """What one tap of a kernel makes of the small side: the phase of the big side that it meets, and the place of its first element there.

    Places are counted along one long row, see `stamps`.
    """

    tap: tuple[int, ...]
    phase: tuple[int, ...]
    start: int


def widths(axes: tuple[Axis, ...]) -> tuple[int, ...]:
    """How long the rows are in which both the small side and any phase of the big side have room: along all axes but the first."""
    return tuple(max(axis.small, -(-axis.big // axis.stride)) for axis in axes[1:])


@lru_cache(maxsize=64)
def stamps(axes: tuple[Axis, ...]) -> tuple[Stamp, ...]:
    """The taps of a kernel, with the big side apart into its phases: big index ``q s + r`` is place ``q`` of phase ``r``.

    A tap meets one phase alone, ``r = (t d - before) mod s``, and there one place after the other. In rows of the same `widths` on both
    sides these places follow one another in memory just as the small indices do: a stamp is one long row from its start on. What of it
    lies before the first row of the phase or behind the last is not part of the result, and nor is what is `outside`.
    """
    width = widths(axes)
    steps = [prod(width[n:]) for n in range(len(axes))]
    found = []
    for tap, small, big in taps(axes):
        places, phase = zip(*(divmod(each.start, axis.stride) for each, axis in zip(big, axes, strict=True)), strict=True)
        start = sum(step * (place - first.start) for step, place, first in zip(steps, places, small, strict=True))
        found.append(Stamp(tap, phase, start))
    return tuple(found)


class Outside(NamedTuple):
    """Small indices along one axis (0 the first) that its tap joins with nothing, in rows of `widths`."""

    axis: int
    tap: int
    small: slice


@lru_cache(maxsize=64)
def outside(axes: tuple[Axis, ...]) -> tuple[Outside, ...]:
    """What a stamp must not have along all axes but the first, where it would lie in the row before or after."""
    found = []
    for n, (axis, width) in enumerate(zip(axes[1:], widths(axes), strict=True), 1):
        for tap, inside, _ in axis.taps():
            beyond = (slice(0, inside.start), slice(inside.stop, width))
            found += [Outside(n, tap, each) for each in beyond if each.start < each.stop]
    return tuple(found)


def stretches(axes: tuple[Axis, ...], most: int) -> Iterator[tuple[slice, tuple[Axis, ...]]]:
    """The first axis in stretches of small indices, so long that at most ``most`` small elements (but one index at least) are in each."""
    first, *rest = axes
    rows = max(most // max(prod(axis.small for axis in rest), 1), 1)
    if rows >= first.small:
        yield slice(0, first.small), axes
        return
    for start in range(0, first.small, rows):
        stop = min(start + rows, first.small)
        yield slice(start, stop), (first.stretch(start, stop), *rest)
