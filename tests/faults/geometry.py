"""Faults of geometry: sizes, paddings, crops, strides and dilations that are off on one axis or on both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reference.arguments import Array
from tests.faults.layers import NOTHING, Layers, Side
from tests.faults.planting import BOTH_AXES, BOTH_LAYERS, OfOneLayer, OnOneAxis, planted

# padding of a convolution


@planted("geometry", axis=BOTH_AXES)
class OddPadInFront(OnOneAxis):
    """The odd pad of a "same" convolution goes before the input, not after."""

    def before(self, side: Side) -> int:
        right = super().before(side)
        return max(self.total(side), 0) - right if self.here(side) and side.same else right


@planted("geometry", axis=BOTH_AXES, by=(-1, 1))
class SameShifted(OnOneAxis):
    """Every window of a "same" convolution starts one pixel off."""

    by: int

    def before(self, side: Side) -> int:
        return super().before(side) + (self.by if self.here(side) and side.same else 0)


@planted("geometry")
class PadAllBehind(Layers):
    """The whole padding of "same" lies behind the input."""

    def before(self, side: Side) -> int:
        return 0


@planted("geometry")
class PadAllInFront(Layers):
    """The whole padding of "same" lies before the input."""

    def before(self, side: Side) -> int:
        return max(self.total(side), 0) if side.same else 0


@planted("geometry")
class PadRoundedHalfToEven(Layers):
    """Half of an odd padding is rounded to the nearest even number, as Python's round does."""

    def share(self, total: int) -> int:
        return round(total / 2)


@planted("geometry")
class PadNotClamped(Layers):
    """A negative padding, where windows overlap nothing, moves the windows of "same" into the input."""

    def before(self, side: Side) -> int:
        return self.share(self.total(side)) if side.same else 0


@planted("geometry")
class PadWithoutStride(Layers):
    """The padding of "same" is that of stride 1: half of what the kernel spans, whatever the stride."""

    def total(self, side: Side) -> int:
        return side.e - 1


@planted("geometry")
class PadWithoutSize(Layers):
    """The padding of "same" is kernel minus stride, as if the stride always divided the input's size."""

    def total(self, side: Side) -> int:
        return side.e - side.s


@planted("geometry")
class PadWithoutDilation(Layers):
    """The padding of "same" is that of the kernel without its dilation."""

    def total(self, side: Side) -> int:
        return super().total(side) - side.e + side.k


@planted("geometry", axis=BOTH_AXES)
class PadOfTheOtherAxis(OnOneAxis):
    """One axis has the padding of the other."""

    def before(self, side: Side) -> int:
        return super().before(side.other if self.here(side) else side)


@planted("geometry")
class PadByBatch(Layers):
    """The padding of "same" is computed from the batch size in place of the height."""

    def total(self, side: Side) -> int:
        return super().total(side) + (side.n - side.case.batch if side.axis == 0 else 0)


@planted("geometry")
class PadSymmetric(Layers):
    """The same padding, rounded down, on both sides of a "same" input: where it is odd the last window is lost."""

    def convolution_table(self, side: Side) -> Array:
        table = super().convolution_table(side)
        return table[:-1] if side.same and max(self.total(side), 0) % 2 and len(table) > 1 else table


@planted("geometry")
class PadWithTheEdge(Layers):
    """The padding of "same" repeats the border of the input, where zeros are due."""

    def convolution_table(self, side: Side) -> Array:
        return np.asarray(np.clip(self.starts(side)[:, None] + self.reach(side), 0, side.n - 1))


@planted("geometry")
class PadAroundTheBorder(Layers):
    """The padding of "same" wraps the input around."""

    def convolution_table(self, side: Side) -> Array:
        return (self.starts(side)[:, None] + self.reach(side)) % side.n


@planted("geometry")
class PadByReflection(Layers):
    """The padding of "same" mirrors the input at its border."""

    def convolution_table(self, side: Side) -> Array:
        met = np.abs(self.starts(side)[:, None] + self.reach(side))
        return np.asarray(np.clip(np.where(met >= side.n, 2 * side.n - 2 - met, met), 0, side.n - 1))


# sizes of a convolution


@planted("geometry", axis=BOTH_AXES)
class FloorForCeil(OnOneAxis):
    """The size of a "same" convolution is rounded down."""

    def outputs(self, side: Side) -> int:
        return max(side.n // side.s, 1) if self.here(side) and side.same else super().outputs(side)


@planted("geometry", axis=BOTH_AXES)
class CeilForFloor(OnOneAxis):
    """The size of a "valid" convolution is rounded up: the last window hangs over the input."""

    def outputs(self, side: Side) -> int:
        return -(-(side.n - side.e) // side.s) + 1 if self.here(side) and side.valid else super().outputs(side)


@planted("geometry")
class SizeWithoutDilation(Layers):
    """The size of a "valid" convolution is that of the kernel without its dilation."""

    def outputs(self, side: Side) -> int:
        return len(range(side.k, side.n + 1, side.s)) if side.valid else super().outputs(side)


@planted("geometry")
class SizeWithoutStride(Layers):
    """The size of a "same" convolution is its input's, whatever the stride."""

    def outputs(self, side: Side) -> int:
        return side.n if side.same else super().outputs(side)


@planted("geometry")
class FullSize(Layers):
    """A "same" convolution has every window that touches the input."""

    def outputs(self, side: Side) -> int:
        return -(-(side.n + side.e - 1) // side.s) if side.same else super().outputs(side)


@planted("geometry")
class ValidForSame(Layers):
    """A "same" convolution whose kernel fits is computed as a "valid" one."""

    def convolution_table(self, side: Side) -> Array:
        return super().convolution_table(_as(side, "valid") if side.e <= side.n else side)


@planted("geometry")
class SameForValid(Layers):
    """A "valid" convolution is computed as a "same" one."""

    def convolution_table(self, side: Side) -> Array:
        return super().convolution_table(_as(side, "same") if side.valid else side)


@planted("geometry", of=BOTH_LAYERS, axis=BOTH_AXES)
class LastLineZero(OfOneLayer, OnOneAxis):
    """The last row, or column, of the output sees nothing of the input."""

    def table(self, side: Side) -> Array:
        table = super().table(side)
        if self.here(side) and self.concerns(side.case) and len(table) > 1:
            table[-1] = NOTHING
        return table


@planted("geometry", of=BOTH_LAYERS, axis=BOTH_AXES)
class LastLineLost(OfOneLayer, OnOneAxis):
    """The output lacks its last row, or column, wherever it has more than one."""

    def table(self, side: Side) -> Array:
        table = super().table(side)
        return table[:-1] if self.here(side) and self.concerns(side.case) and len(table) > 1 else table


@planted("geometry")
class LastInputUnread(Layers):
    """The last column of the input is never read."""

    def table(self, side: Side) -> Array:
        table = super().table(side)
        return np.where(table == side.n - 1, NOTHING, table) if side.axis == 1 else table


# strides and dilations


@planted("geometry", of=BOTH_LAYERS)
class StridesSwapped(OfOneLayer):
    """The stride of the height is used for the width, and the other way round."""

    def table(self, side: Side) -> Array:
        return super().table(_with(side, strides=side.case.strides[::-1]) if self.concerns(side.case) else side)


@planted("geometry", of=BOTH_LAYERS)
class DilationsSwapped(OfOneLayer):
    """The dilation of the height is used for the width, and the other way round."""

    def table(self, side: Side) -> Array:
        return super().table(_with(side, dilation_rate=side.case.dilation_rate[::-1]) if self.concerns(side.case) and _fits(side) else side)


@planted("geometry", of=BOTH_LAYERS, axis=BOTH_AXES)
class StrideIgnored(OfOneLayer, OnOneAxis):
    """One axis has stride 1 whatever was asked for."""

    def table(self, side: Side) -> Array:
        return super().table(_with(side, strides=(1, 1)) if self.here(side) and self.concerns(side.case) else side)


@planted("geometry", of=BOTH_LAYERS, axis=BOTH_AXES)
class DilationIgnored(OfOneLayer, OnOneAxis):
    """One axis has dilation 1 whatever was asked for."""

    def table(self, side: Side) -> Array:
        return super().table(_with(side, dilation_rate=(1, 1)) if self.here(side) and self.concerns(side.case) else side)


@planted("geometry", axis=BOTH_AXES)
class DilationOffAfterTheFirst(OnOneAxis):
    """Taps stand dilation + 1 apart, as if dilation counted the gaps, wherever there is one."""

    def reach(self, side: Side) -> Array:
        return super().reach(side) + (np.arange(side.k) if side.d > 1 and self.here(side) else 0)


@planted("geometry")
class WindowsFromTheEnd(Layers):
    """The windows of a "valid" convolution are anchored at the end of the input, not at its start."""

    def starts(self, side: Side) -> Array:
        starts = super().starts(side)
        return starts + side.n - side.e - starts[-1] if side.valid else starts


@planted("geometry")
class PointwiseIgnoresStride(Layers):
    """A kernel of one element is taken for stride 1, on the path of 1 x 1 kernels."""

    def table(self, side: Side) -> Array:
        return super().table(_with(side, strides=(1,) * side.case.rank) if max(side.case.kernel_size) == 1 else side)


# size and crop of a transposed convolution


@planted("geometry", axis=BOTH_AXES)
class OddCropInFront(OnOneAxis):
    """The odd element of the crop is cut from the front, not from the back."""

    def crop(self, side: Side) -> int:
        right = super().crop(side)
        return max(side.full - self.transposed_outputs(side), 0) - right if self.here(side) and side.same else right


@planted("geometry", axis=BOTH_AXES, by=(-1, 1))
class CropShifted(OnOneAxis):
    """The crop of a "same" transposed convolution starts one pixel off."""

    by: int

    def crop(self, side: Side) -> int:
        return super().crop(side) + (self.by if self.here(side) and side.same else 0)


@planted("geometry")
class CropAllBehind(Layers):
    """The whole crop is cut from the back."""

    def crop(self, side: Side) -> int:
        return 0


@planted("geometry")
class CropAllInFront(Layers):
    """The whole crop is cut from the front."""

    def crop(self, side: Side) -> int:
        return max(side.full - self.transposed_outputs(side), 0) if side.same else 0


@planted("geometry", axis=BOTH_AXES)
class CropOfTheOtherAxis(OnOneAxis):
    """One axis is cropped as the other should be."""

    def crop(self, side: Side) -> int:
        return super().crop(side.other if self.here(side) else side)


@planted("geometry")
class CropNegative(Layers):
    """A kernel shorter than its stride gives a negative crop: the stamps move away from the front."""

    def crop(self, side: Side) -> int:
        return self.share(side.full - self.transposed_outputs(side)) if side.same else 0


@planted("geometry")
class CropWithoutStride(Layers):
    """The crop of "same" is half of what the kernel spans, as for stride 1."""

    def crop(self, side: Side) -> int:
        return (side.e - 1) // 2 if side.same else 0


@planted("geometry")
class CropWithoutDilation(Layers):
    """The crop of "same" is that of the kernel without its dilation."""

    def crop(self, side: Side) -> int:
        return super().crop(_with(side, dilation_rate=(1,) * side.case.rank))


@planted("geometry")
class CropWithoutOutputPadding(Layers):
    """The crop of "same" is that of the default output padding, whatever was asked for."""

    def crop(self, side: Side) -> int:
        return super().crop(_with(side, output_padding=None))


@planted("geometry")
class CropAtTheDefault(Layers):
    """The crop of "valid" is that of "same"."""

    def crop(self, side: Side) -> int:
        return super().crop(_as(side, "same"))


@planted("geometry", axis=BOTH_AXES)
class ShortKernelNotExtended(OnOneAxis):
    """A "valid" transposed convolution ends with its last stamp, even if the kernel is shorter than the stride."""

    def transposed_outputs(self, side: Side) -> int:
        return side.full if self.here(side) and not side.same and side.p is None else super().transposed_outputs(side)


@planted("geometry")
class ShortKernelAlwaysExtended(Layers):
    """A "valid" transposed convolution is extended to whole strides before the output padding, too."""

    def transposed_outputs(self, side: Side) -> int:
        return super().transposed_outputs(side) if side.same else max(side.full, side.n * side.s) + (side.p or 0)


@planted("geometry")
class ExtendedInFront(Layers):
    """The zeros that extend a short kernel to its stride stand before the stamps."""

    def kept(self, side: Side) -> Array:
        right = super().kept(side)
        return right if side.same else right - max(side.s - side.e, 0) * (side.p is None)


@planted("geometry")
class SameAsLongAsTheStamps(Layers):
    """A "same" transposed convolution is not cropped at all."""

    def transposed_outputs(self, side: Side) -> int:
        return side.full if side.same else super().transposed_outputs(side)


# output padding


@planted("geometry", padding=("valid", "same"))
class OutputPaddingIgnored(Layers):
    """The output padding is ignored: the size is the default one."""

    padding: str

    def transposed_table(self, side: Side) -> Array:
        return super().transposed_table(_with(side, output_padding=None) if side.case.padding == self.padding else side)


@planted("geometry", padding=("valid", "same"))
class OutputPaddingTakenForZero(Layers):
    """The output padding is taken for zero."""

    padding: str

    def transposed_table(self, side: Side) -> Array:
        given = side.p is not None and side.case.padding == self.padding
        return super().transposed_table(_with(side, output_padding=(0,) * side.case.rank) if given else side)


@planted("geometry", axis=BOTH_AXES)
class OutputPaddingInFront(OnOneAxis):
    """The output padding lengthens the output at its front."""

    def kept(self, side: Side) -> Array:
        return super().kept(side) - ((side.p or 0) if self.here(side) else 0)


@planted("geometry")
class OutputPaddingAfterTheCrop(Layers):
    """The output padding appends zeros behind the crop, in place of elements that the crop would have cut."""

    def transposed_table(self, side: Side) -> Array:
        table = super().transposed_table(side)
        if side.same and side.p:
            table[-side.p :] = NOTHING
        return table


@planted("geometry")
class OutputPaddingsSwapped(Layers):
    """The output padding of the height is used for the width, and the other way round."""

    def transposed_table(self, side: Side) -> Array:
        given = side.case.output_padding
        return super().transposed_table(_with(side, output_padding=None if given is None else given[::-1]))


@planted("geometry")
class OutputPaddingTwice(Layers):
    """The output padding is added twice."""

    def transposed_outputs(self, side: Side) -> int:
        return super().transposed_outputs(side) + (side.p or 0)


@planted("geometry")
class OutputPaddingFromDefault(Layers):
    """An output padding of 0 is taken for none given."""

    def transposed_outputs(self, side: Side) -> int:
        return super().transposed_outputs(_with(side, output_padding=None) if side.p == 0 else side)


@planted("geometry")
class ParityDropped(Layers):
    """The size of "same" with an explicit output padding lacks its ``kernel % 2``."""

    def transposed_outputs(self, side: Side) -> int:
        return super().transposed_outputs(side) - (side.e % 2 if side.same and side.p is not None else 0)


@planted("geometry")
class ParityAlwaysOne(Layers):
    """The size of "same" with an explicit output padding takes every kernel for an odd one."""

    def transposed_outputs(self, side: Side) -> int:
        return super().transposed_outputs(side) + (1 - side.e % 2 if side.same and side.p is not None else 0)


@planted("geometry")
class ParityWithoutDilation(Layers):
    """The size of "same" with an explicit output padding takes ``kernel % 2`` of the kernel without its dilation."""

    def transposed_outputs(self, side: Side) -> int:
        return super().transposed_outputs(side) + (side.k % 2 - side.e % 2 if side.same and side.p is not None else 0)


# stamps


@planted("geometry")
class UpsampledByRepetition(Layers):
    """A transposed convolution repeats its input between the stamps, where zeros are due."""

    def transposed_table(self, side: Side) -> Array:
        met = (self.kept(side)[:, None] - self.reach(side)) // side.s
        return np.where((met >= 0) & (met < side.n), met, NOTHING)


@planted("geometry")
class ZerosBeforeTheElement(Layers):
    """The zeros inserted by a stride stand before each input element, not behind it."""

    def kept(self, side: Side) -> Array:
        return super().kept(side) - (side.s - 1)


@planted("geometry", axis=BOTH_AXES)
class ZerosTooFew(OnOneAxis):
    """One zero less than stride - 1 is inserted between input elements, if the stride is more than 2."""

    def transposed_table(self, side: Side) -> Array:
        if side.s < 3 or not self.here(side):
            return super().transposed_table(side)
        met, rest = np.divmod(self.kept(side)[:, None] - self.reach(side), side.s - 1)
        return np.where((rest == 0) & (met >= 0) & (met < side.n), met, NOTHING)


@planted("geometry", axis=BOTH_AXES)
class LastStampLost(OnOneAxis):
    """The last row, or column, of the input does not stamp the kernel, where there are several."""

    def transposed_table(self, side: Side) -> Array:
        table = super().transposed_table(side)
        return np.where((table == side.n - 1) & (side.n > 1), NOTHING, table) if self.here(side) else table


@planted("geometry", axis=BOTH_AXES)
class OverlapOverwritten(OnOneAxis):
    """Where stamps overlap the later one overwrites the earlier, in place of adding to it."""

    def transposed_table(self, side: Side) -> Array:
        table = super().transposed_table(side)
        return np.where(table == table.max(axis=1, keepdims=True), table, NOTHING) if self.here(side) and table.size else table


def _with(side: Side, **changes: object) -> Side:
    """The same axis of a case that differs by ``changes``."""
    return Side(replace(side.case, **changes), side.axis)  # type: ignore[arg-type]


def _as(side: Side, padding: str) -> Side:
    return _with(side, padding=padding)


def _fits(side: Side) -> bool:
    """Whether the kernel fits with the other axis's dilation, too: where it does not, nothing could be computed."""
    return side.same or side.case.transposed or (side.k - 1) * side.other.d < side.n
