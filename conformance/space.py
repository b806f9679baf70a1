"""The whole space of cases, far beyond the grids: where exploration draws from, and which cases are a step from which.

A `Point` is a case whose fields are free of each other: channels and filters are those of one group, the filters of a depthwise layer
follow from its multiplier, and what belongs to one axis stands together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, NamedTuple

from conformance.cases import DATA, DATA_FORMATS, DTYPES, LAYERS, PADDINGS, Case, CaseError
from conformance.summary import smallness
from reference.geometry import effective_kernel

SIZE, KERNEL, STRIDE, DILATION = 64, 15, 9, 6
"""The largest values of an axis."""
BATCH, CHANNELS, GROUPS, MULTIPLIER = 4, 16, 4, 3
"""The largest values of what belongs to no axis; ``CHANNELS`` of filters, too, and both in one group."""
WORK, ELEMENTS = 1 << 22, 1 << 20
"""Multiplications of the plain algorithm, and elements of the larger side, at most: a case takes milliseconds."""


class Along(NamedTuple):
    """What a case has along one axis."""

    size: int
    kernel: int
    stride: int
    dilation: int
    output_padding: int | None

    @property
    def extent(self) -> int:
        """Elements of the larger side, roughly."""
        return self.size * self.stride + effective_kernel(self.kernel, self.dilation)


@dataclass(frozen=True, slots=True)
class Point:
    """One case, by fields of which each may be changed alone."""

    layer: str
    padding: str
    axes: tuple[Along, ...]
    batch: int
    channels: int
    filters: int
    groups: int
    multiplier: int
    dtype: str
    data_format: str
    use_bias: bool
    data: str

    @classmethod
    def of(cls, case: Case) -> Point:
        paddings: Sequence[int | None] = case.output_padding or (None,) * case.rank
        fields = zip(case.size, case.kernel_size, case.strides, case.dilation_rate, paddings, strict=True)
        return cls(
            layer=case.layer,
            padding=case.padding,
            axes=tuple(Along(*each) for each in fields),
            batch=case.batch,
            channels=case.channels // case.groups,
            filters=1 if case.depthwise else case.filters // case.groups,
            groups=case.groups,
            multiplier=case.depth_multiplier,
            dtype=case.dtype,
            data_format=case.data_format,
            use_bias=case.use_bias,
            data=case.data,
        )

    def case(self) -> Case:
        """Raises: CaseError, if there is no such case."""
        channels = self.channels * self.groups
        sizes, kernels, strides, dilations, paddings = zip(*self.axes, strict=True)
        return Case(
            layer=self.layer,
            padding=self.padding,
            input_shape=(self.batch, *sizes, channels),
            kernel_size=kernels,
            filters=channels * self.multiplier if LAYERS[self.layer].depthwise else self.filters * self.groups,
            strides=strides,
            dilation_rate=dilations,
            output_padding=None if None in paddings else paddings,
            groups=self.groups,
            dtype=self.dtype,
            data_format=self.data_format,
            use_bias=self.use_bias,
            data=self.data,
            depth_multiplier=self.multiplier,
        )


_PLAIN: dict[str, Sequence[Any]] = {"dtype": DTYPES, "data_format": DATA_FORMATS, "use_bias": (True, False), "data": DATA}
"""Fields with a default, which stands first: an id does not mention it."""


def _steps(value: int, least: int) -> list[int]:
    """Values to try in the place of this one: all smaller ones of a small number, and some larger ones, which may spare more elsewhere."""
    below = range(least, value) if value - least <= 6 else (*range(least, least + 4), value // 2, value - 2, value - 1)
    return sorted({*below, value + 1, value + 2, 2 * value})


def _changes(point: Point) -> Iterator[tuple[str, Point]]:
    """Every point that differs in one field, and the name of the field."""
    for i, along in enumerate(point.axes):
        for field, value in along._asdict().items():
            if value is None:
                continue
            for step in _steps(value, 0 if field == "output_padding" else 1):
                axes = list(point.axes)
                axes[i] = along._replace(**{field: step})
                yield f"{field}{i}", replace(point, axes=tuple(axes))
    values: dict[str, Sequence[Any]] = {
        **{field: _steps(getattr(point, field), 1) for field in ("batch", "channels", "filters", "groups", "multiplier")},
        **{field: each[:1] for field, each in _PLAIN.items()},
    }
    for field, each in values.items():
        yield from ((field, replace(point, **{field: value})) for value in each if value != getattr(point, field))
    yield from (
        ("padding", replace(point, padding=padding)) for padding in PADDINGS[:2] if padding != point.padding
    )  # what all layers have
    if point.axes[0].output_padding is not None:
        yield "output_padding", replace(point, axes=tuple(along._replace(output_padding=None) for along in point.axes))


def _fewer_axes(point: Point) -> Iterator[Point]:
    """The same kind of layer without one of its axes, where there is one; and the axes the other way round."""
    kind = LAYERS[point.layer]
    for name, other in LAYERS.items():
        if other._replace(keras_name="", rank=0) == kind._replace(keras_name="", rank=0) and other.rank == kind.rank - 1:
            for i in range(kind.rank):
                yield replace(point, layer=name, axes=point.axes[:i] + point.axes[i + 1 :])
    yield replace(point, axes=point.axes[::-1])


def smaller(case: Case, fields: int) -> list[Case]:
    """The cases that differ from this one in so many fields (one or two) and are smaller, the smallest first."""
    start, bound = Point.of(case), smallness(case)
    points = [*_fewer_axes(start)] if fields == 1 else []
    changes = list(_changes(start))
    if fields == 1:
        points += [point for _, point in changes]
    else:
        points += [_both(start, one, other) for (a, one), (b, other) in combinations(changes, 2) if a != b]
    found: dict[Case, tuple[int, int, str]] = {}
    for point in points:
        try:
            other = point.case()
        except CaseError:
            continue
        if other not in found:
            found[other] = smallness(other)
    return sorted((other for other, size in found.items() if size < bound), key=found.__getitem__)


def _both(start: Point, one: Point, other: Point) -> Point:
    """The changes of two points that each differ from ``start`` in a field of its own."""
    changed = {name: getattr(other, name) for name in Point.__slots__ if name != "axes" and getattr(other, name) != getattr(start, name)}
    axes = tuple(
        a._replace(**{name: value for name, value in b._asdict().items() if value != getattr(was, name)})
        for was, a, b in zip(start.axes, one.axes, other.axes, strict=True)
    )
    return replace(one, axes=axes, **changed)
