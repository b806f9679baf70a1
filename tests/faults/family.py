"""Faults of the layers beside those of two axes: causal windows, depth multipliers, two stages, one axis and three."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.cases import Case
from conformance.outcomes import Outcome
from conformance.probes import Probe
from conformance.subjects import Observed
from reference.arguments import Array
from tests.faults.arithmetic import BFLOAT16, TF32, rounded
from tests.faults.layers import Layers, Side
from tests.faults.planting import planted

# causal windows


@planted("family")
class CausalLooksAhead(Layers):
    """The padding of "causal" lies behind the input: a window begins where it should end."""

    def past(self, side: Side) -> int:
        return 0


@planted("family")
class CausalInTheMiddle(Layers):
    """The padding of "causal" is that of "same"."""

    def past(self, side: Side) -> int:
        return self.share(max(self.total(side), 0))


@planted("family")
class CausalWithoutDilation(Layers):
    """The padding of "causal" is that of the kernel without its dilation."""

    def past(self, side: Side) -> int:
        return side.k - 1


@planted("family")
class CausalWithoutThePresent(Layers):
    """A causal window ends one element before the one that it stands at."""

    def past(self, side: Side) -> int:
        return super().past(side) + 1


@planted("family")
class CausalToTheNextWindow(Layers):
    """A strided causal window ends before the next one stands: its padding is kernel minus stride."""

    def past(self, side: Side) -> int:
        return side.e - side.s


@planted("shapes", Outcome.WRONG_SHAPE)
class CausalToldAsValid(Layers):
    """The shape function knows of no padding if that is "causal"."""

    def told_size(self, side: Side) -> int:
        return max(super().told_size(side) - side.e + 1, 0) if side.case.padding == "causal" else super().told_size(side)


@planted("gradients")
class CausalGradientLooksAhead(Layers):
    """The input's gradient of a causal layer is moved to the front, as if its windows looked ahead."""

    def input_gradient(self, case: Case, kernel: Array, upstream: Array, tables: list[Array]) -> Array:
        dx = super().input_gradient(case, kernel, upstream, tables)
        return np.roll(dx, 1 - case.kernel_size[0], axis=1) if case.padding == "causal" else dx


# a depth multiplier


def by_multiplier(case: Case, values: Array) -> Array:
    """What lies channel by channel along the last axis, multiplier by multiplier."""
    apart = values.reshape(*values.shape[:-1], case.channels, case.depth_multiplier)
    return np.swapaxes(apart, -1, -2).reshape(values.shape)


@planted("family", rank=(1, 2))
class MultiplierMajor(Layers):
    """All channels come out of a depthwise stage once, then all once more, where each should come out as often in a row."""

    rank: int

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        y = super().layer(case, x, kernel)
        return by_multiplier(case, y) if case.depthwise and case.rank == self.rank else y


@planted("family")
class DepthwiseKernelTransposed(Layers):
    """A depthwise kernel is read with its last two axes, channels and multiplier, in the other order."""

    def in_groups(self, case: Case, kernel: Array) -> Array:
        return super().in_groups(case, np.swapaxes(kernel, -1, -2) if case.depthwise else kernel)


@planted("family")
class FirstKernelForAllChannels(Layers):
    """Every channel of a depthwise stage is convolved with the kernels of the first."""

    def in_groups(self, case: Case, kernel: Array) -> Array:
        return super().in_groups(case, np.broadcast_to(kernel[..., :1, :], kernel.shape) if case.depthwise else kernel)


@planted("family")
class FirstOfTheMultiplierForAll(Layers):
    """Every channel of a depthwise stage comes out as often as it should, and each time with its first kernel."""

    def in_groups(self, case: Case, kernel: Array) -> Array:
        return super().in_groups(case, np.broadcast_to(kernel[..., :1], kernel.shape) if case.depthwise else kernel)


@planted("family")
class DepthwiseSumsChannels(Layers):
    """A depthwise layer adds up what its channels come to, as a convolution does."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        y = super().layer(case, x, kernel)
        if not case.depthwise:
            return y
        apart = y.reshape(*y.shape[:-1], case.channels, case.depth_multiplier)
        return np.broadcast_to(apart.sum(axis=-2, keepdims=True), apart.shape).reshape(y.shape)


def multiplied(case: Case) -> bool:
    return case.depthwise or case.separable


def changed(side: Side, **fields: object) -> Side:
    """The same axis of a case that differs by ``fields``."""
    return Side(replace(side.case, **fields), side.axis)  # type: ignore[arg-type]


@planted("family")
class FirstStrideForBothAxes(Layers):
    """A depthwise stage has the stride of its first axis on all, as where a framework knows of one."""

    def table(self, side: Side) -> Array:
        alike = side.case.strides[:1] * side.case.rank
        return super().table(changed(side, strides=alike) if multiplied(side.case) else side)


@planted("family")
class DilationLostBesideStrides(Layers):
    """A depthwise stage that is strided is not dilated."""

    def table(self, side: Side) -> Array:
        lost = multiplied(side.case) and max(side.case.strides) > 1
        return super().table(changed(side, dilation_rate=(1,) * side.case.rank) if lost else side)


@planted("family")
class StridesLostBesideDilation(Layers):
    """A depthwise stage that is dilated is not strided."""

    def table(self, side: Side) -> Array:
        lost = multiplied(side.case) and max(side.case.dilation_rate) > 1
        return super().table(changed(side, strides=(1,) * side.case.rank) if lost else side)


@planted("family", Outcome.DECLINED)
class StridesWithDilationRefusedToAll(Layers):
    """Depthwise and separable layers refuse strides together with dilation, as the others should."""

    def refuse(self, case: Case) -> None:
        super().refuse(case)
        if max(case.strides) > 1 and max(case.dilation_rate) > 1:
            raise ValueError("strides together with dilation")


@planted("gradients")
class DepthwiseGradientByMultiplier(Layers):
    """A depthwise kernel's gradient lies multiplier by multiplier, where the kernel lies channel by channel."""

    def kernel_gradient(self, case: Case, x: Array, upstream: Array, tables: list[Array]) -> Array:
        dw = super().kernel_gradient(case, x, upstream, tables)
        return np.swapaxes(dw, -1, -2).reshape(dw.shape) if case.depthwise else dw


@planted("gradients")
class InputGradientOfTheFirstMultiplier(Layers):
    """What a channel comes to by other kernels than its first does not reach the input's gradient."""

    def input_gradient(self, case: Case, kernel: Array, upstream: Array, tables: list[Array]) -> Array:
        if case.depthwise:
            kernel = np.where(np.arange(case.depth_multiplier) == 0, kernel, kernel.dtype.type(0))
        return super().input_gradient(case, kernel, upstream, tables)


# two stages


@planted("family")
class PointwiseBeforeDepthwise(Layers):
    """A separable layer with as many filters as channels mixes the channels first and convolves each of the mixtures."""

    def linear(self, case: Case, x: Array, kernel: Array, pointwise: Array) -> Array:
        if not case.separable or case.depth_multiplier > 1 or case.filters != case.channels:
            return super().linear(case, x, kernel, pointwise)
        return self.layer(self.first_stage(case), self.second_stage(case, x, pointwise), kernel)


@planted("family")
class PointwiseKernelTransposed(Layers):
    """The pointwise kernel is read with a row for each filter."""

    def as_matrix(self, case: Case, pointwise: Array) -> Array:
        return pointwise.reshape(case.filters, -1).T


@planted("family")
class PointwiseKernelByMultiplier(Layers):
    """The rows of the pointwise kernel are read multiplier by multiplier."""

    def as_matrix(self, case: Case, pointwise: Array) -> Array:
        return by_multiplier(case, super().as_matrix(case, pointwise).T).T


@planted("family")
class PointwiseMixesNothing(Layers):
    """The pointwise stage multiplies every filter with one of what the first stage gives, and adds nothing up."""

    def as_matrix(self, case: Case, pointwise: Array) -> Array:
        right = super().as_matrix(case, pointwise)
        own = np.arange(len(right))[:, None] == np.arange(case.filters) % len(right)
        return np.where(own, right, right.dtype.type(0))


@planted("family")
class StridedTwice(Layers):
    """The pointwise stage has the strides of the layer, too."""

    def second_stage(self, case: Case, y: Array, pointwise: Array) -> Array:
        skipped = y[:, *(slice(None, None, s) for s in case.strides)]
        return super().second_stage(case, skipped, pointwise)


@planted("family")
class BiasBetweenTheStages(Layers):
    """The bias of a separable layer is added before the pointwise stage, where that has as many inputs as filters."""

    def linear(self, case: Case, x: Array, kernel: Array, pointwise: Array) -> Array:
        self._early = case.separable and case.filters == case.channels * case.depth_multiplier
        return super().linear(case, x, kernel, pointwise)

    def weights(self, case: Case, probe: Probe) -> tuple[Array, Array | None]:
        kernel, self._bias = super().weights(case, probe)
        return kernel, self._bias

    def second_stage(self, case: Case, y: Array, pointwise: Array) -> Array:
        return super().second_stage(case, super().add_bias(case, y, self._bias) if self._early else y, pointwise)

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        return super().add_bias(case, y, None if self._early else bias)


@planted("family")
class ReluBetweenTheStages(Layers):
    """What is negative between the stages is zero."""

    def second_stage(self, case: Case, y: Array, pointwise: Array) -> Array:
        return super().second_stage(case, np.maximum(y, 0), pointwise)


@planted("family", bits=(BFLOAT16, TF32))
class RoundedBetweenTheStages(Layers):
    """What the first stage gives is kept in fewer bits (8 are bfloat16, 11 are TF32)."""

    bits: int

    def second_stage(self, case: Case, y: Array, pointwise: Array) -> Array:
        return super().second_stage(case, rounded(y, self.bits), pointwise)


@planted("gradients")
class PointwiseGradientOfTheFirstItem(Layers):
    """The pointwise kernel's gradient is not summed over the batch: it is that of the first item."""

    def pointwise_gradient(self, case: Case, inner: Array, upstream: Array) -> Array:
        return super().pointwise_gradient(case, inner[:1], upstream[:1])


@planted("gradients")
class PointwiseGradientWithoutTheLastPlace(Layers):
    """The last place along the first axis, where there are several, does not reach the pointwise kernel's gradient."""

    def pointwise_gradient(self, case: Case, inner: Array, upstream: Array) -> Array:
        last = -1 if upstream.shape[1] > 1 else None
        return super().pointwise_gradient(case, inner[:, :last], upstream[:, :last])


@planted("gradients")
class PointwiseGradientTransposed(Layers):
    """The pointwise kernel's gradient has a row for each filter."""

    def pointwise_gradient(self, case: Case, inner: Array, upstream: Array) -> Array:
        right = self.as_matrix(case, super().pointwise_gradient(case, inner, upstream))
        return right.T.reshape(case.pointwise_shape)


@planted("gradients", Outcome.DECLINED)
class PointwiseGradientMissing(Layers):
    """There is no gradient with respect to the pointwise kernel."""

    def gradients(self, case: Case, probe: Probe, mode: str) -> dict[str, Observed]:
        found = super().gradients(case, probe, mode)
        return {name: gradient for name, gradient in found.items() if name != "pointwise_kernel"}


@planted("gradients")
class InnerGradientOfTheFirstFilter(Layers):
    """Of the filters behind the first stage only the first reaches what lies before it."""

    def inner_gradient(self, case: Case, pointwise: Array, upstream: Array) -> Array:
        return super().inner_gradient(case, pointwise, np.where(np.arange(case.filters) == 0, upstream, upstream.dtype.type(0)))


@planted("gradients")
class InnerGradientNotWeighted(Layers):
    """What lies before the pointwise stage is differentiated as if that stage had ones for a kernel."""

    def inner_gradient(self, case: Case, pointwise: Array, upstream: Array) -> Array:
        return super().inner_gradient(case, np.ones_like(pointwise), upstream)


# one axis


@planted("family")
class LengthTakenFromTheChannels(Layers):
    """Over one axis the padding of "same" is computed from the number of channels in place of the length."""

    def total(self, side: Side) -> int:
        return super().total(side) + (side.n - side.case.channels if side.case.rank == 1 else 0)


@planted("family")
class CropTakenFromTheChannels(Layers):
    """Over one axis the crop of "same" grows with the number of channels."""

    def crop(self, side: Side) -> int:
        return super().crop(side) + (side.case.channels > 1 if side.case.rank == 1 and side.same else 0)


@planted("family")
class LengthReversed(Layers):
    """Over one axis the kernel is flipped."""

    def table(self, side: Side) -> Array:
        return super().table(side)[:, ::-1] if side.case.rank == 1 else super().table(side)


# three axes


TWO_OF_THREE = {"depth-height": (0, 1), "height-width": (1, 2), "depth-width": (0, 2)}


class OfTwoAxes(Layers):
    """A fault of layers over three axes that takes two of them for each other."""

    axes: str

    def swapped(self, side: Side) -> Side:
        """The other of the two axes; of all other axes themselves."""
        one, other = TWO_OF_THREE[self.axes]
        return side if side.case.rank < 3 else Side(side.case, {one: other, other: one}.get(side.axis, side.axis))


@planted("family", axes=tuple(TWO_OF_THREE))
class KernelAxesSwapped(OfTwoAxes):
    """Of a kernel over three axes two are read in the other order."""

    def in_groups(self, case: Case, kernel: Array) -> Array:
        kernel = super().in_groups(case, kernel)
        return kernel if case.rank < 3 else np.swapaxes(kernel, *TWO_OF_THREE[self.axes]).reshape(kernel.shape)


@planted("family", axes=tuple(TWO_OF_THREE))
class StridesOfTwoAxesSwapped(OfTwoAxes):
    """Over three axes two have each other's strides."""

    def table(self, side: Side) -> Array:
        turned = tuple(self.swapped(Side(side.case, axis)).s for axis in range(side.case.rank))
        return super().table(changed(side, strides=turned))


@planted("family", axes=tuple(TWO_OF_THREE))
class PaddingsOfTwoAxesSwapped(OfTwoAxes):
    """Over three axes two have each other's padding in front."""

    def before(self, side: Side) -> int:
        return super().before(self.swapped(side))


@planted("shapes", Outcome.WRONG_SHAPE, axes=tuple(TWO_OF_THREE))
class SidesToldInAnotherOrder(OfTwoAxes):
    """Over three axes the shape function tells two sides of the output in the other order."""

    def told_size(self, side: Side) -> int:
        return super().told_size(self.swapped(side))


@planted("family")
class DilationOfTheDepthIgnored(Layers):
    """Over three axes the first is not dilated."""

    def table(self, side: Side) -> Array:
        deep = side.case.rank == 3 and side.axis == 0
        return super().table(changed(side, dilation_rate=(1, *side.case.dilation_rate[1:])) if deep else side)


@planted("family")
class LastSliceLost(Layers):
    """Over three axes the last slice of several sees nothing of the input."""

    def table(self, side: Side) -> Array:
        table = super().table(side)
        if side.case.rank == 3 and side.axis == 0 and len(table) > 1:
            table[-1] = -1
        return table
