"""Which cases a run consists of, and why each family is there.

The axes of a convolution are independent, so a grid takes **every** configuration of one axis within its bounds, and runs each in every
position: as the only axis, as height and as width, or as each of three. The other axes of a case are always other configurations, chosen
by rotation, so that nearly all cases are unlike in kernel, stride and input size: an implementation that takes one axis's number for the
other cannot pass.

Families, for each layer and padding:

- **strided**: kernel x stride (x output_padding), no dilation, every input size;
- **dilated**: kernel x dilation, stride 1 (Keras refuses strides with dilation), every input size;
- **strided and dilated**: kernel x stride x dilation, every input size, for the depthwise and separable layers, which compute them
  together;
- **alike**: over the two axes of a depthwise or separable layer, the strided windows once more beside those with the same stride, since
  there are frameworks that compute no others;
- **grouped**: the same windows with groups, where the layer has them, each at one input size;
- **square**: over two and three axes, each of those configurations with itself, where fast paths of their own exist (3x3, 1x1, ...);
- **refused**: what must be an error: valid windows larger than their input, one axis at a time; strides together with dilation, on one
  axis and across two; an output padding that is not below its stride, one axis at a time;
- **long**: a few layers with many channels, for what only long sums show;
- **samples**: a few cases of every other layer, in the grid that has only those of two axes;
- **regressions**: cases that once exposed a fault which depends on both axes at once, and so might not be met again.

What does not belong to an axis (channels, filters, batch, groups, depth multiplier, bias, data format, amplitude of the data) is spread
over the cases as the rows of a covering array: every pair of values of any two of these occurs.

The layers of two axes, `TWO_AXES`, have the bounds that `BOUNDS` says. The others share their code and rules, and have narrower ones,
`FAMILY`: a run of all of them stays short.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import cycle, product
from pathlib import Path
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

NAMES = (*BOUNDS, "models")
"""All grids: those of axis configurations, and the layers of known networks, see `networks`."""

TWO_AXES = ("conv2d", "conv2d_transpose")
FAMILY: dict[str, dict[str, Bounds]] = {
    "smoke": {},
    "standard": {
        "conv1d": Bounds(kernel=4, stride=3, dilation=3, size=6),
        "conv1d_transpose": Bounds(kernel=4, stride=3, dilation=2, size=4),
        "conv3d": Bounds(kernel=3, stride=2, dilation=2, size=4),
        "conv3d_transpose": Bounds(kernel=3, stride=2, dilation=2, size=3),
        "depthwise_conv1d": Bounds(kernel=3, stride=3, dilation=2, size=5),
        "depthwise_conv2d": Bounds(kernel=3, stride=2, dilation=2, size=5),
        "separable_conv1d": Bounds(kernel=3, stride=3, dilation=2, size=5),
        "separable_conv2d": Bounds(kernel=3, stride=2, dilation=2, size=5),
    },
    "exhaustive": {
        "conv1d": BOUNDS["standard"],
        "conv1d_transpose": BOUNDS["standard"],
        "conv3d": Bounds(kernel=4, stride=3, dilation=3, size=6),
        "conv3d_transpose": Bounds(kernel=4, stride=3, dilation=3, size=5),
        "depthwise_conv1d": Bounds(kernel=5, stride=3, dilation=3, size=8),
        "depthwise_conv2d": Bounds(kernel=5, stride=3, dilation=3, size=8),
        "separable_conv1d": Bounds(kernel=5, stride=3, dilation=3, size=8),
        "separable_conv2d": Bounds(kernel=5, stride=3, dilation=3, size=8),
    },
}
"""The other layers of each grid and their bounds."""

FACTORS: dict[str, tuple[Any, ...]] = {
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
MULTIPLIERS = (1, 2, 3)


def factors(layer: str) -> dict[str, tuple[Any, ...]]:
    """`FACTORS`, and for depthwise and separable layers the depth multiplier; a depthwise layer has no filters of its own."""
    kind = LAYERS[layer]
    found = {**FACTORS, "data": kind.data, **({"depth_multiplier": MULTIPLIERS} if kind.multiplied else {})}
    return {name: values for name, values in found.items() if not (kind.depthwise and name == "filters")}


def rows(layer: str, grouped: bool) -> list[dict[str, Any]]:
    """The covering array over the `factors` of a layer, with groups or without."""
    return _rows(tuple(({**factors(layer), "groups": GROUPS} if grouped else factors(layer)).items()))


@lru_cache(maxsize=32)
def _rows(factors: tuple[tuple[str, tuple[Any, ...]], ...]) -> list[dict[str, Any]]:
    """Layers have few sets of factors, and an array over them takes a while to find."""
    return pairwise(dict(factors))


REGRESSIONS = (
    "conv2d-valid-in3x6x3x1-k2x3-f3-s1x2-nobias-wide_input",  # oneDNN's brgemm, one column of output
    "depthwise_conv2d-valid-in2x5x3x1-k2x2-s1x2-m3",  # the same: TensorFlow makes a convolution of it
    "conv2d_transpose-valid-in3x6x1x8-k3x4-f1-s1x3-op0x2-wide_input",  # the same, behind the gradient
    "conv2d_transpose-same-in1x7x2x1-k2x3-f2-s2x3-op0x2",  # XLA's algebraic simplifier
    "conv2d_transpose-same-in1x1x4x2-k4x2-f3-s4x2-op3x0",  # the same, with the axes exchanged
)


LONG = (
    "conv2d-same-in2x4x4x512-k3x3-f32-s1x1",  # up to 4,608 terms
    "conv2d-same-in2x4x4x64-k3x3-f36-s1x1",
    "conv2d_transpose-valid-in2x4x4x256-k3x3-f46-s1x1",
)
"""Sums as long as those of real layers. Random data of zero mean, and enough elements for a statistical verdict, come with these ids."""


SAMPLES = (
    # a window that looks back alone: dilated, strided, grouped
    "conv1d-causal-in2x4x2-k2-f3-s1-d2",
    "conv1d-causal-in1x4x3-k3-f2-s2-wide_input",
    "conv1d-causal-in3x4x4-k3-f4-s1-g2-channels_first",
    "conv1d-same-in2x4x3-k2-f2-s1-channels_first-wide_kernel",
    "conv1d-same-in1x4x2-k3-f8-s2-nobias",
    "conv1d-valid-in2x4x3-k2-f3-s1-d2",
    "conv1d-valid-in3x4x1-k2-f2-s2",
    "conv1d-valid-in1x2x2-k3-f1-s1",  # larger than its input
    "conv1d-same-in1x4x2-k2-f2-s2-d2",  # strides with dilation: refused
    "conv1d_transpose-same-in2x4x2-k3-f3-s2",
    "conv1d_transpose-same-in1x3x3-k2-f2-s3-op1-channels_first",
    "conv1d_transpose-same-in3x3x1-k3-f2-s1-d2-nobias-wide_input",
    "conv1d_transpose-valid-in2x3x2-k2-f3-s3-wide_kernel",
    "conv1d_transpose-valid-in1x4x3-k3-f1-s2-op1",
    "conv1d_transpose-valid-in2x3x2-k2-f2-s2-op2",  # an output padding not below its stride
    # three axes, no two alike
    "conv3d-same-in2x2x3x4x2-k2x3x1-f3-s1x1x2",
    "conv3d-same-in1x4x2x3x4-k3x1x2-f4-s1x1x1-g2-channels_first-wide_input",
    "conv3d-valid-in1x4x3x2x3-k2x3x1-f2-s2x1x1-wide_kernel",
    "conv3d-valid-in2x3x4x3x1-k2x2x3-f2-s1x1x1-d1x2x1-nobias",
    "conv3d-valid-in1x2x4x3x2-k3x2x1-f2-s1x1x1",  # larger than its input along the first
    "conv3d_transpose-same-in1x2x3x2x2-k3x2x1-f3-s2x1x2",
    "conv3d_transpose-same-in2x2x1x3x1-k2x3x2-f2-s2x1x2-op1x0x0-channels_first",
    "conv3d_transpose-valid-in2x2x3x1x3-k1x3x2-f2-s2x1x1-wide_input",
    "conv3d_transpose-valid-in1x3x2x2x2-k2x1x3-f1-s1x1x1-d2x1x1-nobias",
    # every channel on its own; strides with dilation are computed
    "depthwise_conv1d-same-in2x4x3-k2-s1-m2",
    "depthwise_conv1d-valid-in1x4x2-k2-s2-d2-m3-channels_first-wide_kernel",
    "depthwise_conv1d-same-in3x4x2-k3-s2-nobias-wide_input",
    "depthwise_conv1d-valid-in1x2x3-k3-s1-m2",  # larger than its input
    "depthwise_conv2d-same-in2x3x4x3-k2x3-s1x1-m2",
    "depthwise_conv2d-same-in1x4x3x2-k3x2-s2x2-m3-channels_first-wide_input",
    "depthwise_conv2d-valid-in2x4x4x2-k2x3-s2x1-m2-wide_kernel",
    "depthwise_conv2d-valid-in1x4x3x8-k2x1-s1x1-d2x1-nobias",
    "separable_conv1d-same-in2x4x3-k2-f6-s1-m2",
    "separable_conv1d-valid-in1x4x2-k2-f3-s2-d2-m3-channels_first-wide_kernel",
    "separable_conv1d-same-in3x4x3-k3-f3-s2-nobias-wide_pointwise",
    "separable_conv1d-valid-in1x2x2-k3-f2-s1",  # larger than its input
    "separable_conv2d-same-in2x3x4x2-k2x3-f3-s1x1-m2-wide_pointwise",
    "separable_conv2d-same-in1x4x3x3-k3x2-f2-s2x2-m2-channels_first-wide_input",
    "separable_conv2d-valid-in2x4x4x2-k2x3-f8-s2x1-wide_kernel",
    "separable_conv2d-valid-in1x4x3x3-k2x1-f3-s1x1-d2x1-m3-nobias",
)
"""A few cases of each of the other layers, for a grid that has nothing more of them: what is special to each, and axes that are unlike."""


class Network(NamedTuple):
    """The convolution layers of a known network, the distinct ones, on an image of the size it was made for; and where that is from."""

    name: str
    source: str
    cases: tuple[Case, ...]


@lru_cache
def networks() -> tuple[Network, ...]:
    """What ``networks.toml`` beside this file has."""
    found = tomllib.loads(Path(__file__).with_name("networks.toml").read_text(encoding="utf-8"))
    return tuple(Network(each["name"], each["source"], tuple(map(parse, each["cases"]))) for each in found["network"])


class Window(NamedTuple):
    """What a layer has along one axis. ``output_padding`` is None for Keras's own choice (and for a convolution)."""

    kernel: int
    stride: int
    dilation: int
    output_padding: int | None


Windows = tuple[Window, ...]
"""A layer's windows along each of its axes."""


@lru_cache(maxsize=4)
def grid(name: str) -> tuple[Case, ...]:
    """All cases of the named grid, those that can share a layer side by side, none twice.

    Raises:
        KeyError: there is no grid of this name.
    """
    if name == "models":
        return tuple(dict.fromkeys(case for network in networks() for case in network.cases))
    cases: dict[Case, None] = {}
    for layer, bounds in {**dict.fromkeys(TWO_AXES, BOUNDS[name]), **FAMILY[name]}.items():
        for padding in LAYERS[layer].paddings:
            cases.update(dict.fromkeys(_cases(layer, padding, bounds)))
    more = (*REGRESSIONS, *LONG) if FAMILY[name] else (*SAMPLES, *REGRESSIONS, *LONG)
    cases.update(dict.fromkeys(case for case in map(parse, more) if _holds(BOUNDS[name], case)))
    return tuple(cases)


def misused() -> tuple[Case, ...]:
    """One sound case a layer, once with everything that it must refuse (`conformance.misuses`) on every route; with every grid."""
    return tuple(
        replace(parse(sound), misuse=word)
        for sound in ("conv2d-valid-in2x5x6x4-k3x2-f4-s1x1", "conv2d_transpose-valid-in2x5x6x4-k3x2-f4-s1x1")
        for misuse in MISUSES[sound.partition("-")[0]].values()
        for word in words(misuse)
    )


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
    """The cases of one layer and padding. Every set of windows, so every layer to be built, has one row of the factors."""
    kind, rank = LAYERS[layer], LAYERS[layer].rank
    plain_rows, grouped_rows = cycle(rows(layer, grouped=False)), cycle(rows(layer, grouped=True) if kind.plain else [])
    sizes = _up_to(bounds.size)

    def fits(window: Window, size: int) -> bool:
        return padding != "valid" or kind.transposed or size >= effective_kernel(window.kernel, window.dilation)

    for with_output_padding in (False, True) if kind.transposed else (False,):
        strided, dilated = windows(bounds, with_output_padding)
        both = [
            Window(k, s, d, None) for k in _up_to(bounds.kernel) for s in _up_to(bounds.stride)[1:] for d in _up_to(bounds.dilation)[1:]
        ]
        joint = both if kind.multiplied else []
        # a window that fits into none of the sizes is seen as an error beside others that always fit, which are also the partners
        # of those it would have been paired with
        plain = Window(1, 1, 1, 0 if with_output_padding else None)
        lost = [window for window in (*dilated, *joint) if not any(fits(window, size) for size in sizes)]
        found = [*unlike(strided, "stride", rank), *unlike(dilated, "dilation", rank), *unlike(joint, "stride", rank)]
        if kind.multiplied and rank > 1:
            found += [each for family in (strided, joint) for each in unlike(family, "", rank) if max(each).stride > 1]
        for each in found:
            chosen = tuple((window._replace(kernel=1) if kind.multiplied else plain) if window in lost else window for window in each)
            given = list(unlike_sizes(chosen, sizes, fits))
            row = next(plain_rows)
            for size in given:
                yield _case(layer, padding, chosen, size, row)
            if kind.plain:
                yield _case(layer, padding, chosen, given[len(sizes) // 2 % len(given)], next(grouped_rows))
        for window in lost:
            for chosen in _placed(window, plain, rank):
                row = next(plain_rows)
                for extent in sizes:
                    yield _case(layer, padding, chosen, tuple((extent - 1 + axis) % bounds.size + 1 for axis in range(rank)), row)
        for window in dict.fromkeys((*strided, *dilated, *joint)) if rank > 1 else ():
            row = next(plain_rows)
            fitting = [extent for extent in sizes if fits(window, extent)]
            if len(fitting) > 1:
                yield _case(layer, padding, (window,) * rank, tuple(fitting[-1 - axis % 2] for axis in range(rank)), row)
        if not kind.multiplied:
            yield from _strides_with_dilation(layer, padding, bounds, with_output_padding, next(plain_rows))
        if with_output_padding:
            yield from _output_padding_not_below_stride(layer, padding, bounds, next(plain_rows))


def unlike(windows: Sequence[Window], field: str, rank: int) -> list[Windows]:
    """Each window once in every position, never beside one with the same kernel or, of two, the same value of ``field``.

    From one axis to the next the kernel is rotated by one. The rest, sorted by ``field``, is rotated by the size of the largest group of
    equal values, which carries every member out of its own group as long as no group holds more than half of all; the third axis has the
    rotation that leaves the fewest alike with either. Without a field the rest is the same on all axes.
    """
    if not windows:
        return []
    kernels = sorted({window.kernel for window in windows})
    rests = sorted({window[1:] for window in windows}, key=lambda rest: (getattr(Window(0, *rest), field or "stride"), rest[-1] or 0, rest))
    values = [getattr(Window(0, *rest), field or "stride") for rest in rests]
    turns = [0, max(Counter(values).values()) if field else 0]
    if field:
        # how often a value meets itself on the first or on the second axis
        turns.append(min(range(len(rests)), key=lambda turn: sum(_met(values, turn - before) for before in turns)))
    else:
        turns.append(0)
    return [
        tuple(
            Window(_turned(kernels, window.kernel, axis), *_turned(rests, window[1:], turn))
            for axis, turn in enumerate(turns[:rank])
        )
        for window in windows
    ]  # fmt: skip


def _turned(values: Sequence[Any], value: Any, by: int) -> Any:
    return values[(values.index(value) + by) % len(values)]


def _met(values: Sequence[Any], turn: int) -> int:
    """How many values stand beside themselves when the list is turned by so much."""
    return sum(value == values[(i + turn) % len(values)] for i, value in enumerate(values))


def unlike_sizes(chosen: Windows, sizes: Sequence[int], fits: Callable[[Window, int], bool]) -> Iterator[tuple[int, ...]]:
    """Every size once at least along every axis; the lists are turned against the first so that the fewest sizes are alike.

    Where a window does not fit, the others do: an error then has one cause. All must fit somewhere.
    """
    fitting = [[size for size in sizes if fits(window, size)] for window in chosen]
    steps = range(max(map(len, fitting)))

    def turned(by: tuple[int, ...]) -> list[tuple[int, ...]]:
        return [tuple(each[(step + turn) % len(each)] for each, turn in zip(fitting, (0, *by), strict=True)) for step in steps]

    def alike(found: list[tuple[int, ...]]) -> int:
        return sum(len(size) - len(set(size)) for size in found)

    yield from min(map(turned, product(*(range(len(each)) for each in fitting[1:]))), key=alike)
    largest = tuple(each[-1] for each in fitting)
    for axis, each in enumerate(fitting):
        yield from ((*largest[:axis], size, *largest[axis + 1 :]) for size in sizes if size not in each)


def _placed(window: Window, plain: Window, rank: int) -> list[Windows]:
    """The window in every position, beside plain ones."""
    return [tuple(window if axis == position else plain for axis in range(rank)) for position in range(rank)]


def _strides_with_dilation(layer: str, padding: str, bounds: Bounds, with_output_padding: bool, row: dict[str, Any]) -> Iterator[Case]:
    """Strides together with dilation, on the same axis and on different ones: refused at construction, whatever the size."""
    given, rank = 0 if with_output_padding else None, LAYERS[layer].rank
    plain = Window(2, 1, 1, given)
    for s, d in product(_up_to(bounds.stride)[1:], _up_to(bounds.dilation)[1:]):
        both, strided, dilated = Window(2, s, d, given), Window(2, s, 1, given), Window(2, 1, d, given)
        across = [
            tuple(strided if axis == position else dilated if axis == (position + 1) % rank else plain for axis in range(rank))
            for position in range(rank)
        ]
        for chosen in [*_placed(both, plain, rank), *(across if rank > 1 else ())]:
            yield _case(layer, padding, chosen, _large(bounds, rank), row)


def _output_padding_not_below_stride(layer: str, padding: str, bounds: Bounds, row: dict[str, Any]) -> Iterator[Case]:
    """An output padding as large as its stride, and one larger, beside one that is not: refused at construction, whatever the size."""
    rank = LAYERS[layer].rank
    for s, beyond in product(_up_to(bounds.stride), (0, 1)):
        for chosen in _placed(Window(3, s, 1, s + beyond), Window(2, 1, 1, 0), rank):
            yield _case(layer, padding, chosen, _large(bounds, rank), row)


def _large(bounds: Bounds, rank: int) -> tuple[int, ...]:
    return tuple(max(bounds.size - axis, 1) for axis in range(rank))


def _case(layer: str, padding: str, chosen: Windows, size: tuple[int, ...], row: dict[str, Any]) -> Case:
    groups, multiplier = row["groups"], row.get("depth_multiplier", 1)
    channels = row["channels"] * groups
    paddings = tuple(window.output_padding for window in chosen)
    return Case(
        layer=layer,
        padding=padding,
        input_shape=(row["batch"], *size, channels),
        kernel_size=tuple(window.kernel for window in chosen),
        filters=channels * multiplier if LAYERS[layer].depthwise else row["filters"] * groups,
        strides=tuple(window.stride for window in chosen),
        dilation_rate=tuple(window.dilation for window in chosen),
        output_padding=None if None in paddings else tuple(p for p in paddings if p is not None),
        groups=groups,
        data_format=row["data_format"],
        use_bias=row["use_bias"],
        data=row["data"],
        depth_multiplier=multiplier,
    )


def _up_to(last: int) -> range:
    return range(1, last + 1)
