"""Which cases a run consists of, and why each family is there.

The axes of a convolution are independent, so a grid takes **every** configuration of one axis within its bounds, and runs each
as height and as width. The other axis of a case is always another configuration, chosen by rotation, so that nearly all cases
are unlike in kernel, stride and input size: an implementation that takes one axis's number for the other cannot pass.

Families, for each layer and padding:

- **strided**: kernel x stride (x output_padding), no dilation, every input size;
- **dilated**: kernel x dilation, stride 1 (Keras refuses strides with dilation), every input size;
- **grouped**: the same pairs of windows with groups, where the layer has them, each at one input size;
- **square**: each of those configurations with itself, where fast paths of their own exist (3x3, 1x1, ...);
- **refused**: what must be an error: valid windows larger than their input, one axis at a time; strides together with dilation, on one
  axis and across the two; an output padding that is not below its stride, one axis at a time;
- **long**: a few layers with many channels, for what only long sums show;
- **regressions**: cases that once exposed a fault which depends on both axes at once, and so might not be met again.

What does not belong to an axis (channels, filters, batch, groups, bias, data format, amplitude of the data) is spread over the cases as
the rows of a covering array: every pair of values of any two of these occurs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import cycle, product
from typing import Any, NamedTuple

from conformance.cases import DATA, DATA_FORMATS, LAYERS, Case, parse
from conformance.covering import pairwise
from conformance.misuses import MISUSES, words
from reference.geometry import effective_kernel


@dataclass(frozen=True, slots=True)
class Bounds:
    """The largest value of every field of an axis configuration; the smallest is always 1."""

    kernel: int
    stride: int
    dilation: int
    size: int


BOUNDS = {
    "smoke": Bounds(kernel=3, stride=3, dilation=3, size=4),
    "standard": Bounds(kernel=5, stride=4, dilation=3, size=9),
    "exhaustive": Bounds(kernel=7, stride=5, dilation=3, size=16),
}
"""The grids of axis configurations. ``smoke`` has all kinds of geometry: kernels shorter than the stride, odd and even crops, windows
larger than their input. Its dilation of 3 is there for a padding of 3, the least odd one of which half rounds up, not down, to even."""

FACTORS: dict[str, Sequence[Any]] = {
    "channels": (1, 2, 3, 8),  # in each group
    "filters": (1, 2, 3, 8),  # in each group
    "groups": (1,),
    "batch": (1, 2, 3),
    "use_bias": (True, False),
    "data_format": DATA_FORMATS,
    "data": DATA[:3],
}
"""What is spread over the cases. Groups come on top in a family of their own: frameworks run grouped convolutions by other code, and
so all axis configurations must be run without."""
GROUPS = (2, 3)


@lru_cache(maxsize=2)
def rows(grouped: bool) -> list[dict[str, Any]]:
    """The covering array over `FACTORS`, with groups or without."""
    return pairwise({**FACTORS, "groups": GROUPS} if grouped else FACTORS)


REGRESSIONS = (
    "conv2d-valid-in3x6x3x1-k2x3-f3-s1x2-nobias-wide_input",  # oneDNN's brgemm, one column of output
    "conv2d_transpose-same-in1x7x2x1-k2x3-f2-s2x3-op0x2",  # XLA's algebraic simplifier
    "conv2d_transpose-same-in1x1x4x2-k4x2-f3-s4x2-op3x0",  # the same, with the axes exchanged
)


LONG = (
    "conv2d-same-in2x4x4x512-k3x3-f32-s1x1",  # up to 4,608 terms
    "conv2d-same-in2x4x4x64-k3x3-f36-s1x1",
    "conv2d_transpose-valid-in2x4x4x256-k3x3-f46-s1x1",
)
"""Sums as long as those of real layers. Random data of zero mean, and enough elements for a statistical verdict, come with these ids."""


class Window(NamedTuple):
    """What a layer has along one axis. ``output_padding`` is None for Keras's own choice (and for a convolution)."""

    kernel: int
    stride: int
    dilation: int
    output_padding: int | None


class Pair(NamedTuple):
    """A layer's windows along height and width."""

    height: Window
    width: Window


def grid(name: str) -> tuple[Case, ...]:
    """All cases of the named grid, those that can share a layer side by side.

    Raises:
        KeyError: there is no grid of this name.
    """
    return within(BOUNDS[name])


def misused() -> tuple[Case, ...]:
    """One sound case a layer, once with everything that it must refuse (`conformance.misuses`) on every route; with every grid."""
    return tuple(
        replace(parse(sound), misuse=word)
        for sound in ("conv2d-valid-in2x5x6x4-k3x2-f4-s1x1", "conv2d_transpose-valid-in2x5x6x4-k3x2-f4-s1x1")
        for misuse in MISUSES[sound.partition("-")[0]].values()
        for word in words(misuse)
    )


@lru_cache(maxsize=4)
def within(bounds: Bounds) -> tuple[Case, ...]:
    """Every axis configuration within the bounds, in the families that the module describes; no case twice."""
    cases: dict[Case, None] = {}
    for layer in ("conv2d", "conv2d_transpose"):
        for padding in LAYERS[layer].paddings:
            cases.update(dict.fromkeys(_cases(layer, padding, bounds)))
    cases.update(dict.fromkeys(case for case in map(parse, (*REGRESSIONS, *LONG)) if _holds(bounds, case)))
    return tuple(cases)


def _holds(bounds: Bounds, case: Case) -> bool:
    return (
        max(case.kernel_size) <= bounds.kernel
        and max(case.strides) <= bounds.stride
        and max(case.dilation_rate) <= bounds.dilation
        and max(case.size) <= bounds.size
    )


def windows(bounds: Bounds, with_output_padding: bool) -> tuple[list[Window], list[Window]]:
    """The strided and the dilated windows within the bounds; the undilated window of stride 1 is in both."""

    def paddings(stride: int) -> Iterable[int | None]:
        return range(stride) if with_output_padding else (None,)

    kernels = _up_to(bounds.kernel)
    strided = [Window(k, s, 1, p) for k in kernels for s in _up_to(bounds.stride) for p in paddings(s)]
    dilated = [Window(k, 1, d, p) for k in kernels for d in _up_to(bounds.dilation) for p in paddings(1)]
    return strided, dilated


def _cases(layer: str, padding: str, bounds: Bounds) -> Iterator[Case]:
    """The cases of one layer and padding. Every pair of windows, so every layer to be built, has one row of the factors."""
    transposed = LAYERS[layer].transposed
    plain_rows, grouped_rows = cycle(rows(grouped=False)), cycle(rows(grouped=True))
    sizes = _up_to(bounds.size)

    def fits(window: Window, size: int) -> bool:
        return padding == "same" or transposed or size >= effective_kernel(window.kernel, window.dilation)

    for with_output_padding in (False, True) if transposed else (False,):
        strided, dilated = windows(bounds, with_output_padding)
        # a window that fits into none of the sizes is seen as an error beside one that always fits, which is also the partner
        # of those it would have been paired with
        plain = Window(1, 1, 1, 0 if with_output_padding else None)
        lost = [window for window in dilated if not any(fits(window, size) for size in sizes)]
        for pair in [*unlike(strided, "stride"), *unlike(dilated, "dilation")]:
            height, width = (plain if window in lost else window for window in pair)
            found = list(unlike_sizes(Pair(height, width), sizes, fits))
            row = next(plain_rows)
            for size in found:
                yield _case(layer, padding, Pair(height, width), size, row)
            if not transposed:
                yield _case(layer, padding, Pair(height, width), found[len(sizes) // 2 % len(found)], next(grouped_rows))
        for window in lost:
            for pair in (Pair(window, plain), Pair(plain, window)):
                row = next(plain_rows)
                for extent in sizes:
                    yield _case(layer, padding, pair, (extent, extent % bounds.size + 1), row)
        for window in dict.fromkeys((*strided, *dilated)):
            row = next(plain_rows)
            fitting = [extent for extent in sizes if fits(window, extent)]
            if len(fitting) > 1:
                yield _case(layer, padding, Pair(window, window), (fitting[-1], fitting[-2]), row)
        yield from _strides_with_dilation(layer, padding, bounds, with_output_padding, next(plain_rows))
        if with_output_padding:
            yield from _output_padding_not_below_stride(layer, padding, bounds, next(plain_rows))


def unlike(windows: Sequence[Window], field: str) -> list[Pair]:
    """Each window once as height and once as width, never beside one with the same kernel or the same value of ``field``.

    The kernel is rotated by one. The rest, sorted by ``field``, is rotated by the size of the largest group of equal values, which carries
    every member out of its own group as long as no group holds more than half of all.
    """
    kernels = sorted({window.kernel for window in windows})
    rests = sorted({window[1:] for window in windows}, key=lambda rest: (getattr(Window(0, *rest), field), rest[-1]))
    turn = max(Counter(getattr(Window(0, *rest), field) for rest in rests).values())
    next_kernel = dict(zip(kernels, kernels[1:] + kernels[:1], strict=True))
    next_rest = dict(zip(rests, rests[turn:] + rests[:turn], strict=True))
    return [Pair(window, Window(next_kernel[window.kernel], *next_rest[window[1:]])) for window in windows]


def unlike_sizes(pair: Pair, sizes: Sequence[int], fits: Callable[[Window, int], bool]) -> Iterator[tuple[int, int]]:
    """Every size once at least as height and as width; one list is turned against the other so that the fewest pairs are alike.

    Where a window does not fit, the other one does: an error then has one cause. Both must fit somewhere.
    """
    heights = [size for size in sizes if fits(pair.height, size)]
    widths = [size for size in sizes if fits(pair.width, size)]
    steps = range(max(len(heights), len(widths)))

    def turned(by: int) -> list[tuple[int, int]]:
        return [(heights[step % len(heights)], widths[(step + by) % len(widths)]) for step in steps]

    yield from min(map(turned, range(len(widths))), key=lambda both: sum(height == width for height, width in both))
    yield from ((size, widths[-1]) for size in sizes if size not in heights)
    yield from ((heights[-1], size) for size in sizes if size not in widths)


def _strides_with_dilation(layer: str, padding: str, bounds: Bounds, with_output_padding: bool, row: dict[str, Any]) -> Iterator[Case]:
    """Strides together with dilation, on the same axis and on different ones: refused at construction, whatever the size."""
    given = 0 if with_output_padding else None
    plain = Window(2, 1, 1, given)
    for s, d in product(_up_to(bounds.stride)[1:], _up_to(bounds.dilation)[1:]):
        both, strided, dilated = Window(2, s, d, given), Window(2, s, 1, given), Window(2, 1, d, given)
        for pair in (Pair(both, plain), Pair(plain, both), Pair(strided, dilated), Pair(dilated, strided)):
            yield _case(layer, padding, pair, (bounds.size, bounds.size - 1), row)


def _output_padding_not_below_stride(layer: str, padding: str, bounds: Bounds, row: dict[str, Any]) -> Iterator[Case]:
    """An output padding as large as its stride, and one larger, beside one that is not: refused at construction, whatever the size."""
    plain = Window(2, 1, 1, 0)
    for s, beyond in product(_up_to(bounds.stride), (0, 1)):
        wrong = Window(3, s, 1, s + beyond)
        for pair in (Pair(wrong, plain), Pair(plain, wrong)):
            yield _case(layer, padding, pair, (bounds.size, bounds.size - 1), row)


def _case(layer: str, padding: str, pair: Pair, size: tuple[int, int], row: dict[str, Any]) -> Case:
    height, width = pair
    groups = row["groups"]
    return Case(
        layer=layer,
        padding=padding,
        input_shape=(row["batch"], *size, row["channels"] * groups),
        kernel_size=(height.kernel, width.kernel),
        filters=row["filters"] * groups,
        strides=(height.stride, width.stride),
        dilation_rate=(height.dilation, width.dilation),
        output_padding=(
            None if height.output_padding is None or width.output_padding is None
            else (height.output_padding, width.output_padding)
        ),
        groups=groups,
        data_format=row["data_format"],
        use_bias=row["use_bias"],
        data=row["data"],
    )  # fmt: skip


def _up_to(last: int) -> range:
    return range(1, last + 1)
