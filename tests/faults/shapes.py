"""Faults of what is said of a result before there is one: the values are right, and the shape function is not."""

from __future__ import annotations

from typing import Any

from conformance.cases import Case
from conformance.outcomes import Outcome
from conformance.subjects import Announced
from tests.faults.layers import Layers, Side
from tests.faults.planting import BOTH_AXES, BOTH_LAYERS, OfOneLayer, OnOneAxis, planted

SHAPE = (Outcome.WRONG_SHAPE,)


@planted("shapes", *SHAPE, axis=BOTH_AXES)
class FloorForCeilTold(OnOneAxis):
    """The shape function takes the floor of n / s for "same", where values have the ceil."""

    def told_size(self, side: Side) -> int:
        if side.same and not side.case.transposed and self.here(side):
            return side.n // side.s
        return super().told_size(side)


@planted("shapes", *SHAPE, axis=BOTH_AXES)
class OneWindowTooFewTold(OnOneAxis):
    """The shape function forgets the first window of a valid convolution where the stride divides what is left of the input."""

    def told_size(self, side: Side) -> int:
        told = super().told_size(side)
        wrong = not (side.same or side.case.transposed) and self.here(side) and side.s > 1 and (side.n - side.e) % side.s == 0
        return told - 1 if wrong else told


@planted("shapes", *SHAPE, axis=BOTH_AXES)
class ShortKernelToldAsItIs(OnOneAxis):
    """The shape function does not extend a kernel shorter than its stride in a valid transposed convolution."""

    def told_size(self, side: Side) -> int:
        valid = side.case.transposed and not side.same and side.p is None
        return side.full if valid and self.here(side) else super().told_size(side)


@planted("shapes", *SHAPE, axis=BOTH_AXES)
class OutputPaddingNotTold(OnOneAxis):
    """The shape function takes an output padding for none, where values have it."""

    def told_size(self, side: Side) -> int:
        return super().told_size(side) - ((side.p or 0) if self.here(side) else 0)


@planted("shapes", Outcome.WRONG_SHAPE, of=BOTH_LAYERS)
class DilationNotTold(OfOneLayer):
    """The shape function knows of no dilation."""

    def told_size(self, side: Side) -> int:
        told = super().told_size(side)
        if not self.concerns(side.case) or side.same:
            return told
        return told + (side.e - side.k) * (-1 if side.case.transposed else 1)


@planted("shapes", *SHAPE)
class SidesToldInTheOtherOrder(Layers):
    """The shape function tells the width as height and the height as width."""

    def arranged(self, case: Case, batch: int | None, told: list[int | None]) -> tuple[int | None, ...]:
        return super().arranged(case, batch, told[::-1])


@planted("shapes", *SHAPE)
class FiltersToldLast(Layers):
    """The shape function puts the filters last, whatever the data format."""

    def arranged(self, case: Case, batch: int | None, told: list[int | None]) -> tuple[int | None, ...]:
        return (batch, *told, case.filters)


@planted("shapes", *SHAPE)
class ChannelsToldForFilters(Layers):
    """The shape function tells the channels of the input for the filters."""

    def output_shape(self, case: Case, input_shape: tuple[int | None, ...], function: str) -> Announced:
        said = super().output_shape(case, input_shape, function)
        at = -1 if case.data_format == "channels_last" else 1
        shape = list(said.shape)
        shape[at] = input_shape[at]
        return Announced(tuple(shape), said.dtype)


@planted("shapes", *SHAPE)
class BatchNeverTold(Layers):
    """The shape function says that the batch is unknown, even if it is known."""

    def arranged(self, case: Case, batch: int | None, told: list[int | None]) -> tuple[int | None, ...]:
        return super().arranged(case, None, told)


@planted("shapes", *SHAPE)
class NothingToldIfAnythingIsUnknown(Layers):
    """The shape function tells no side of the output unless it knows every side of the input."""

    def arranged(self, case: Case, batch: int | None, told: list[int | None]) -> tuple[int | None, ...]:
        return super().arranged(case, batch, [None] * len(told) if None in told else told)


@planted("shapes", *SHAPE, axis=BOTH_AXES)
class NumberToldForUnknown(OnOneAxis):
    """The shape function tells a number for a side of which nothing is known, that of an input as long as the window."""

    def told(self, side: Side, known: bool) -> int | None:
        return super().told(side, known or self.here(side))


@planted("shapes", Outcome.DECLINED)
class UnknownRefused(Layers):
    """The shape function refuses an input of which a side is unknown."""

    def told(self, side: Side, known: bool) -> int | None:
        if not known:
            raise ValueError("every side must be known")
        return super().told(side, known)


@planted("shapes", Outcome.ACCEPTED)
class ShapeToldOfWhatIsRefused(Layers):
    """The shape function tells a shape, with sides of no length, of a window larger than its input, which values refuse."""

    def output_shape(self, case: Case, input_shape: tuple[int | None, ...], function: str) -> Announced:
        try:
            return super().output_shape(case, input_shape, function)
        except ValueError as error:
            if "does not fit" not in str(error):
                raise
            return Announced(self.arranged(case, input_shape[0], [0] * case.rank), case.compute_dtype)


@planted("shapes", Outcome.WRONG_SHAPE)
class SizesAreNotIntegers(Layers):
    """The shape function tells 3.0 for 3."""

    def output_shape(self, case: Case, input_shape: tuple[int | None, ...], function: str) -> Announced:
        said = super().output_shape(case, input_shape, function)
        return Announced(tuple(n if n is None else float(n) for n in said.shape), said.dtype)  # type: ignore[misc]  # the fault


@planted("shapes", Outcome.WRONG_DTYPE)
class AnotherTypeTold(Layers):
    """The shape is told beside another type than the values have."""

    def output_shape(self, case: Case, input_shape: tuple[int | None, ...], function: str) -> Announced:
        return Announced(super().output_shape(case, input_shape, function).shape, "float16")


@planted("shapes", *SHAPE)
class OneOfTwoFunctionsWrong(Layers):
    """Of two functions that tell shapes, the second is off by one for an odd kernel."""

    shape_functions = ("the right one", "the wrong one")

    def output_shape(self, case: Case, input_shape: tuple[int | None, ...], function: str) -> Announced:
        said = super().output_shape(case, input_shape, function)
        if function == "the right one" or case.kernel_size[0] % 2 == 0:
            return said
        at = 1 if case.data_format == "channels_last" else 2
        return Announced((*said.shape[:at], (said.shape[at] or 0) + 1, *said.shape[at + 1 :]), said.dtype)


class Remembering(Layers):
    """Keeps shapes."""

    def __init__(self) -> None:
        self._told: dict[Any, Announced] = {}

    def key(self, case: Case, input_shape: tuple[int | None, ...]) -> Any:
        raise NotImplementedError

    def output_shape(self, case: Case, input_shape: tuple[int | None, ...], function: str) -> Announced:
        said = super().output_shape(case, input_shape, function)
        return self._told.setdefault(self.key(case, input_shape), said)


@planted("shapes", *SHAPE)
class FirstShapeToldForALayer(Remembering):
    """The shape that was told first for a layer is told ever after."""

    def key(self, case: Case, input_shape: tuple[int | None, ...]) -> Any:
        return case.configuration


@planted("shapes", *SHAPE)
class ShapeKeptByWhatIsKnown(Remembering):
    """A shape is told again for every input of which the same sides are known, whatever their sizes."""

    def key(self, case: Case, input_shape: tuple[int | None, ...]) -> Any:
        return case.configuration, tuple(n is None for n in input_shape)


@planted("shapes", *SHAPE)
class ShapeKeptByKernel(Remembering):
    """A shape is told again to every layer with a kernel of the same shape, for an input of the same shape."""

    def key(self, case: Case, input_shape: tuple[int | None, ...]) -> Any:
        return case.layer, case.kernel_shape, input_shape


@planted("shapes", *SHAPE)
class LastShapeToldOnceMore(Layers):
    """A layer asked for a second time tells what it told last."""

    def __init__(self) -> None:
        self._asked: dict[Any, Announced] = {}
        self._last = Announced(())

    def output_shape(self, case: Case, input_shape: tuple[int | None, ...], function: str) -> Announced:
        said = super().output_shape(case, input_shape, function)
        if (case.configuration, input_shape) in self._asked:
            return self._last
        self._asked[case.configuration, input_shape] = self._last = said
        return said
