"""Faults of wiring: right numbers in the wrong place: axes, channels, filters, groups, batch items, bias, data format."""

from __future__ import annotations

from functools import reduce

import numpy as np

from conformance.cases import Case
from conformance.probes import Probe
from reference.arguments import Array
from tests.faults.layers import NOTHING, Layers, Side
from tests.faults.planting import BOTH_AXES, BOTH_LAYERS, OfOneLayer, OnOneAxis, planted

# the kernel


@planted("wiring", of=BOTH_LAYERS, axis=BOTH_AXES)
class KernelFlipped(OfOneLayer, OnOneAxis):
    """The kernel is flipped along one axis: a convolution where a correlation is defined, or the other way round."""

    def table(self, side: Side) -> Array:
        return super().table(side)[:, ::-1] if self.here(side) and self.concerns(side.case) else super().table(side)


@planted("wiring", of=BOTH_LAYERS)
class KernelTurned(OfOneLayer):
    """The kernel is flipped along both axes."""

    def table(self, side: Side) -> Array:
        return super().table(side)[:, ::-1] if self.concerns(side.case) else super().table(side)


@planted("wiring", of=BOTH_LAYERS)
class KernelTransposed(OfOneLayer):
    """The elements of a kernel are read column by column."""

    def weights(self, case: Case, probe: Probe) -> tuple[Array, Array | None]:
        kernel, bias = super().weights(case, probe)
        return (np.swapaxes(kernel, 0, 1).reshape(kernel.shape) if self.concerns(case) else kernel), bias


@planted("wiring", of=BOTH_LAYERS)
class KernelChannelsSwapped(OfOneLayer):
    """The kernel is read with its last two axes, channels and filters, in the other order."""

    def weights(self, case: Case, probe: Probe) -> tuple[Array, Array | None]:
        kernel, bias = super().weights(case, probe)
        return (np.swapaxes(kernel, -1, -2).reshape(kernel.shape) if self.concerns(case) else kernel), bias


@planted("wiring")
class KernelChannelsFirst(Layers):
    """The kernel is read with its channels before its spatial axes."""

    def weights(self, case: Case, probe: Probe) -> tuple[Array, Array | None]:
        kernel, bias = super().weights(case, probe)
        return np.moveaxis(kernel, (-2, -1), (0, 1)).reshape(kernel.shape), bias


@planted("wiring", tap=("first", "middle", "last"))
class TapLost(Layers):
    """One tap of every kernel with several contributes nothing."""

    tap: str

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        taps = list(np.ndindex(case.kernel_size))
        if len(taps) > 1:
            kernel = kernel.copy()
            kernel[taps[{"first": 0, "middle": len(taps) // 2, "last": -1}[self.tap]]] = 0
        return super().layer(case, x, kernel)


@planted("wiring")
class CornerTapLostAtTheBorder(Layers):
    """The first tap of the first window contributes nothing, as if the border had a pixel more."""

    def table(self, side: Side) -> Array:
        table = super().table(side)
        if len(table) > 1:
            table[0, np.argmax(table[0] != NOTHING)] = NOTHING
        return table


# channels and filters


@planted("wiring")
class LastChannelLost(Layers):
    """The last channel of the input contributes nothing, where there are several."""

    def channels_last(self, case: Case, x: Array) -> Array:
        x = super().channels_last(case, x)
        return np.concatenate([x[..., :-1], np.zeros_like(x[..., -1:])], axis=-1) if case.channels > 1 else x


@planted("wiring")
class ChannelsBeyondAVectorLost(Layers):
    """Only the first four channels are read, as by a loop over vectors without its remainder."""

    def channels_last(self, case: Case, x: Array) -> Array:
        x = super().channels_last(case, x)
        return np.where(np.arange(case.channels) < 4, x, 0).astype(x.dtype)


@planted("wiring")
class ChannelsReversed(Layers):
    """The channels of the input are read in reverse."""

    def channels_last(self, case: Case, x: Array) -> Array:
        return super().channels_last(case, x)[..., ::-1]


@planted("wiring", of=BOTH_LAYERS)
class FiltersReversed(OfOneLayer):
    """The filters of the output stand in reverse."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        y = super().layer(case, x, kernel)
        return y[..., ::-1] if self.concerns(case) else y


@planted("wiring")
class FirstFilterForAll(Layers):
    """Every filter is the first one."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        y = super().layer(case, x, kernel)
        return np.broadcast_to(y[..., :1], y.shape)


@planted("wiring")
class LastFilterOfAVectorLost(Layers):
    """The eighth filter is not computed."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        y = super().layer(case, x, kernel)
        return np.where(np.arange(case.filters) == 7, 0, y).astype(y.dtype)


# groups


@planted("wiring")
class GroupsIgnored(Layers):
    """Every group reads the channels of the first."""

    def pairs(self, groups: int, met: Array, kernel: Array) -> list[tuple[Array, Array]]:
        right = super().pairs(groups, met, kernel)
        return [(right[0][0], ws) for _, ws in right]


@planted("wiring")
class GroupsInterleaved(Layers):
    """Channel c belongs to group c modulo the number of groups, where each group has a stretch."""

    def pairs(self, groups: int, met: Array, kernel: Array) -> list[tuple[Array, Array]]:
        right = super().pairs(groups, met, kernel)
        return [(met[..., group::groups], ws) for group, (_, ws) in enumerate(right)]


@planted("wiring")
class GroupsReversed(Layers):
    """The first group of filters reads the last group of channels, and so on."""

    def pairs(self, groups: int, met: Array, kernel: Array) -> list[tuple[Array, Array]]:
        right = super().pairs(groups, met, kernel)
        return [(xs, ws) for (xs, _), (_, ws) in zip(reversed(right), right, strict=True)]


@planted("wiring")
class GroupsOfFiltersInterleaved(Layers):
    """Filter f belongs to group f modulo the number of groups, where each group has a stretch."""

    def grouped(self, case: Case, met: Array, kernel: Array) -> Array:
        y = super().grouped(case, met, kernel)
        return y.reshape(*y.shape[:-1], case.groups, case.filters // case.groups).swapaxes(-1, -2).reshape(y.shape)


@planted("wiring")
class GroupsWithoutStride(Layers):
    """The path for groups takes its last window for the first, where there are several."""

    def grouped(self, case: Case, met: Array, kernel: Array) -> Array:
        y = super().grouped(case, met, kernel)
        return np.roll(y, 1, axis=1) if case.groups > 1 else y


# the batch


@planted("wiring")
class BatchRolled(Layers):
    """Every result belongs to the batch item before."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        return np.roll(super().layer(case, x, kernel), 1, axis=0)


@planted("wiring")
class BatchOfTheFirst(Layers):
    """Every batch item has the result of the first."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        y = super().layer(case, x, kernel)
        return np.broadcast_to(y[:1], y.shape)


@planted("wiring")
class ThirdBatchItemLost(Layers):
    """Batches are computed in pairs and the odd item of three is forgotten."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        y = super().layer(case, x, kernel).copy()
        y[2:] = 0
        return y


@planted("wiring")
class BatchTakenForChannels(Layers):
    """Batch and channels of the input change places where there are equally many."""

    def channels_last(self, case: Case, x: Array) -> Array:
        x = super().channels_last(case, x)
        return np.swapaxes(x, 0, -1) if case.batch == case.channels else x


# the axes


@planted("wiring", of=BOTH_LAYERS)
class AxesSwapped(OfOneLayer):
    """Height and width of the output change places."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        y = super().layer(case, x, kernel)
        return np.swapaxes(y, 1, 2) if self.concerns(case) else y


@planted("wiring", of=BOTH_LAYERS)
class SquareTransposed(OfOneLayer):
    """A square output is transposed; no shape shows it."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        y = super().layer(case, x, kernel)
        return np.swapaxes(y, 1, 2) if self.concerns(case) and y.shape[1] == y.shape[2] else y


@planted("wiring", axis=BOTH_AXES)
class OutputFlipped(OnOneAxis):
    """The output is mirrored along one axis."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        return np.flip(super().layer(case, x, kernel), self.axis + 1)


# the bias


@planted("wiring", of=BOTH_LAYERS)
class BiasIgnored(OfOneLayer):
    """The bias is not added."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        return super().add_bias(case, y, None if self.concerns(case) else bias)


@planted("wiring")
class BiasTwice(Layers):
    """The bias is added twice."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        return super().add_bias(case, super().add_bias(case, y, bias), bias)


@planted("wiring")
class BiasSubtracted(Layers):
    """The bias is subtracted."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        return super().add_bias(case, y, None if bias is None else -bias)


@planted("wiring")
class BiasReversed(Layers):
    """Every filter has the bias of its mirror image."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        return super().add_bias(case, y, None if bias is None else bias[::-1])


@planted("wiring")
class BiasOfTheFirstFilter(Layers):
    """Every filter has the bias of the first."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        return super().add_bias(case, y, None if bias is None else bias[:1])


@planted("wiring", axis=BOTH_AXES)
class BiasAlongAnAxis(OnOneAxis):
    """The bias lies along a spatial axis where that has as many elements as there are filters."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        if bias is None or self.axis >= case.rank or y.shape[self.axis + 1] != case.filters:
            return super().add_bias(case, y, bias)
        return np.asarray(y + bias.reshape(-1, *(1,) * (case.rank - self.axis)))


@planted("wiring")
class BiasPerTap(Layers):
    """The bias is added once for every tap that meets the input, where those are not as many everywhere."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        met = [np.sum(self.table(Side(case, axis)) != NOTHING, axis=1) for axis in range(case.rank)]
        return y if bias is None else (y + reduce(np.multiply.outer, met)[..., None] * bias).astype(y.dtype)


@planted("wiring")
class BiasOnlyWhereStamped(Layers):
    """The bias is added before the zeros are appended that extend a short kernel to its stride."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        stamped = [np.any(self.table(Side(case, axis)) != NOTHING, axis=1) for axis in range(case.rank)]
        return y if bias is None else np.where(reduce(np.logical_and.outer, stamped)[..., None], y + bias, y)


@planted("wiring")
class BiasLostForChannelsFirst(Layers):
    """The bias is not added for channels_first."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        return super().add_bias(case, y, None if case.data_format == "channels_first" else bias)


# the data format


@planted("wiring")
class DataFormatIgnored(Layers):
    """A channels_first input is taken for a channels_last one, its numbers in the order in which they lie in memory."""

    def channels_last(self, case: Case, x: Array) -> Array:
        return x.reshape(case.input_shape)


@planted("wiring")
class OutputLeftChannelsLast(Layers):
    """The result of a channels_first layer has its channels last."""

    def from_channels_last(self, case: Case, y: Array) -> Array:
        return y


@planted("wiring")
class OutputLabelledChannelsFirst(Layers):
    """The result of a channels_first layer has the right shape, and its numbers in the order of channels_last."""

    def from_channels_last(self, case: Case, y: Array) -> Array:
        return y.reshape(super().from_channels_last(case, y).shape)


@planted("wiring")
class ChannelsFirstTransposed(Layers):
    """A channels_first result is brought back with height and width in the other order."""

    def from_channels_last(self, case: Case, y: Array) -> Array:
        return y if case.data_format == "channels_last" else np.transpose(y, (0, case.rank + 1, *range(case.rank, 0, -1)))


@planted("wiring")
class ChannelsFirstStrides(Layers):
    """A channels_first layer swaps its strides, where it has two."""

    def table(self, side: Side) -> Array:
        return super().table(self.turned(side) if side.case.data_format == "channels_first" else side)

    def turned(self, side: Side) -> Side:
        case = side.case
        fields = {name: getattr(case, name) for name in case.__dataclass_fields__}
        return Side(Case(**{**fields, "strides": case.strides[::-1]}), side.axis)


# what is done to the sum


@planted("wiring")
class ReluApplied(Layers):
    """What is negative is zero: an activation that nobody asked for."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        return np.maximum(super().add_bias(case, y, bias), 0)


@planted("wiring")
class MeanForSum(Layers):
    """The terms are averaged."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        return np.asarray(super().multiply(rows, columns) / rows.dtype.type(len(columns)))


@planted("wiring")
class SignFlipped(Layers):
    """The sum is subtracted from the bias."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        return np.negative(super().multiply(rows, columns))
