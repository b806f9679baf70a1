"""Faults at the edge of what is defined: an invalid argument accepted, a valid case declined, a result of another type or shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from conformance.cases import Case
from conformance.outcomes import Outcome
from conformance.probes import Probe
from conformance.subjects import Observed
from reference.arguments import Array
from tests.faults.layers import Layers, Side
from tests.faults.planting import BOTH_AXES, OnOneAxis, planted

# an invalid argument accepted


@planted("refusals", Outcome.ACCEPTED, axis=BOTH_AXES)
class EmptyForTooLarge(OnOneAxis):
    """A valid window larger than its input gives an empty result."""

    def refuse_side(self, side: Side) -> None:
        if not (self.here(side) and side.e > side.n):
            super().refuse_side(side)


@planted("refusals", Outcome.ACCEPTED)
class PaddedForTooLarge(Layers):
    """A valid window larger than its input hangs over it, in zeros."""

    def refuse_side(self, side: Side) -> None:
        if side.case.transposed or not side.valid:
            super().refuse_side(side)

    def outputs(self, side: Side) -> int:
        return max(super().outputs(side), 1)


@planted("refusals", Outcome.ACCEPTED)
class TooLargeWithoutDilation(Layers):
    """A valid window is compared with its input without its dilation."""

    def refuse_side(self, side: Side) -> None:
        super().refuse_side(Side(replace(side.case, dilation_rate=(1,) * side.case.rank), side.axis))


@planted("refusals", Outcome.ACCEPTED, Outcome.DECLINED)
class TooLargeOfTheOtherAxis(Layers):
    """The height of a window is compared with the width of the input, and the other way round."""

    def refuse_side(self, side: Side) -> None:
        case = side.case
        turned = (case.batch, *case.size[::-1], case.channels)
        super().refuse_side(Side(replace(case, input_shape=turned), side.axis))


@planted("refusals", Outcome.ACCEPTED)
class StridesWithDilationAccepted(Layers):
    """Strides together with dilation are computed as the equations have it."""

    def refuse(self, case: Case) -> None:
        for axis in range(case.rank):
            self.refuse_side(Side(case, axis))


@planted("refusals", Outcome.ACCEPTED)
class StridesWithDilationOnUnlikeAxes(Layers):
    """Strides together with dilation are refused on one and the same axis only."""

    def refuse(self, case: Case) -> None:
        sides = [Side(case, axis) for axis in range(case.rank)]
        if any(side.s > 1 and side.d > 1 for side in sides):
            super().refuse(case)
        for side in sides:
            self.refuse_side(side)


@planted("refusals", Outcome.ACCEPTED)
class OutputPaddingAsLargeAsTheStride(Layers):
    """An output padding that is not below the stride is computed as the equations have it."""

    def refuse_side(self, side: Side) -> None:
        super().refuse_side(Side(replace(side.case, output_padding=None), side.axis))


@planted("refusals", Outcome.DECLINED)
class FallsOverForTooLarge(Layers):
    """A valid window larger than its input ends in an accident of the implementation, not in a refusal."""

    def refuse_side(self, side: Side) -> None:
        try:
            super().refuse_side(side)
        except ValueError:
            raise IndexError("index out of range") if side.case.transposed else AttributeError("'NoneType' has no shape") from None


# a valid case declined

DECLINED: dict[str, Callable[[Case], bool]] = {
    "stride-beyond-kernel": lambda case: any(s > k for s, k in zip(case.strides, case.kernel_size, strict=True)),
    "one-pixel": lambda case: 1 in case.size,
    "channels-first": lambda case: case.data_format == "channels_first",
    "groups-of-three": lambda case: case.groups == 3,
    "unlike-strides": lambda case: len(set(case.strides)) > 1,
    "transposed-dilation": lambda case: case.transposed and max(case.dilation_rate) > 1,
    "window-as-large-as-input": lambda case: not case.transposed and case.padding == "valid" and case.kernel_size == case.size,
    "output-padding": lambda case: case.output_padding is not None and max(case.output_padding) > 0,
}


@planted("refusals", Outcome.DECLINED, what=tuple(DECLINED))
class Declining(Layers):
    """A valid case is declined."""

    what: str

    def refuse(self, case: Case) -> None:
        super().refuse(case)
        if DECLINED[self.what](case):
            raise NotImplementedError(self.what)


# another type or shape


@planted("refusals", Outcome.WRONG_DTYPE, dtype=("float64", "float16", "bfloat16"))
class TypeOfTheResult(Layers):
    """The right numbers in another type."""

    dtype: str

    def result(self, case: Case, y: Array) -> Observed:
        return Observed(y, self.dtype)


@planted("refusals", Outcome.WRONG_SHAPE)
class BatchOfOneSqueezed(Layers):
    """The result of a batch of one has no batch axis."""

    def result(self, case: Case, y: Array) -> Observed:
        return super().result(case, y[0] if len(y) == 1 else y)


@planted("refusals", Outcome.WRONG_SHAPE)
class SinglePixelSqueezed(Layers):
    """Spatial axes of one element are dropped."""

    def from_channels_last(self, case: Case, y: Array) -> Array:
        return super().from_channels_last(case, y) if 1 not in y.shape[1:-1] else y.reshape(len(y), -1)


@planted("refusals", Outcome.WRONG_SHAPE)
class SingleFilterSqueezed(Layers):
    """The result of one filter has no channel axis."""

    def result(self, case: Case, y: Array) -> Observed:
        return super().result(case, y.squeeze(-1 if case.data_format == "channels_last" else 1) if case.filters == 1 else y)


@planted("refusals", Outcome.WRONG_SHAPE)
class ExtraAxis(Layers):
    """The result has an axis more than the input."""

    def result(self, case: Case, y: Array) -> Observed:
        return super().result(case, y[None])


@planted("refusals", Outcome.WRONG_VALUE)
class Uninitialised(Layers):
    """Where a "same" window is larger than its input, the memory of the result was never written."""

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        right = super().forward(case, probe, mode)
        larger = case.padding == "same" and any(Side(case, axis).e > Side(case, axis).n for axis in range(case.rank))
        return Observed(np.full_like(right.values, 1e-38), right.dtype) if larger and not case.transposed else right
