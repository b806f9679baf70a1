"""Faults of gradients: a right forward pass, and a derivative that is not its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.cases import Case
from conformance.outcomes import Outcome
from conformance.probes import Probe
from conformance.subjects import Observed
from reference.arguments import Array
from tests.faults.arithmetic import BFLOAT16, TF32, rounded
from tests.faults.layers import NOTHING, Layers
from tests.faults.planting import BOTH_AXES, BOTH_LAYERS, OfOneLayer, OnOneAxis, planted

# with respect to the input


@planted("gradients", of=BOTH_LAYERS)
class InputGradientLosesATap(OfOneLayer):
    """The last tap of a kernel with several does not reach the input's gradient."""

    def input_gradient(self, case: Case, kernel: Array, upstream: Array, tables: list[Array]) -> Array:
        if self.concerns(case) and max(case.kernel_size) > 1:
            kernel = kernel.copy()
            kernel[tuple(k - 1 for k in case.kernel_size)] = 0
        return super().input_gradient(case, kernel, upstream, tables)


@planted("gradients", of=BOTH_LAYERS, axis=BOTH_AXES)
class InputGradientOfTheFlippedKernel(OfOneLayer, OnOneAxis):
    """The input's gradient flips the kernel along one axis, where it is the other of correlation and convolution already."""

    def input_gradient(self, case: Case, kernel: Array, upstream: Array, tables: list[Array]) -> Array:
        return super().input_gradient(case, np.flip(kernel, self.axis) if self.concerns(case) else kernel, upstream, tables)


@planted("gradients")
class InputGradientOfTheKernelNotTransposed(Layers):
    """The input's gradient reads the kernel with channels and filters as the forward pass does."""

    def input_gradient(self, case: Case, kernel: Array, upstream: Array, tables: list[Array]) -> Array:
        return super().input_gradient(case, np.swapaxes(kernel, -1, -2).reshape(kernel.shape), upstream, tables)


@planted("gradients", axis=BOTH_AXES)
class InputGradientOnTheWrongSide(OnOneAxis):
    """The odd element of "same" lies in front for the input's gradient: it is moved by one."""

    def input_gradient(self, case: Case, kernel: Array, upstream: Array, tables: list[Array]) -> Array:
        dx = super().input_gradient(case, kernel, upstream, tables)
        return (
            np.roll(dx, 1, axis=1 + self.axis) if self.has(case) and case.padding == "same" and case.kernel_size[self.axis] % 2 == 0 else dx
        )


@planted("gradients", axis=BOTH_AXES)
class InputGradientWithoutTheRest(OnOneAxis):
    """Input elements behind the last window, whose gradient is zero, get that of the first element: the buffer was not cleared."""

    def input_gradient(self, case: Case, kernel: Array, upstream: Array, tables: list[Array]) -> Array:
        right = super().input_gradient(case, kernel, upstream, tables)
        if not self.has(case):
            return right
        dx = np.moveaxis(right, 1 + self.axis, 0).copy()
        table = tables[self.axis]
        seen = np.isin(np.arange(len(dx)), table[table != NOTHING])
        if seen.any():
            dx[~seen] = dx[np.argmax(seen)]
        return np.moveaxis(dx, 0, 1 + self.axis)


@planted("gradients", axis=BOTH_AXES)
class InputGradientWithoutDilation(OnOneAxis):
    """The taps of a dilated kernel stand side by side in the input's gradient."""

    def ways_back(self, case: Case, tables: list[Array]) -> list[Array]:
        tables = list(tables)
        if self.has(case) and case.dilation_rate[self.axis] > 1:
            near = tables[self.axis][:, :1] + np.arange(case.kernel_size[self.axis]) * (-1 if case.transposed else 1)
            tables[self.axis] = np.where((near >= 0) & (near < case.size[self.axis]), near, NOTHING)
        return super().ways_back(case, tables)


@planted("gradients")
class InputGradientWithoutOutputPadding(Layers):
    """What output_padding added to the output's height is cut before the input's gradient."""

    def input_gradient(self, case: Case, kernel: Array, upstream: Array, tables: list[Array]) -> Array:
        if case.output_padding is not None and case.output_padding[0] and upstream.shape[1]:
            upstream = upstream.copy()
            upstream[:, -case.output_padding[0] :] = 0
        return super().input_gradient(case, kernel, upstream, tables)


@planted("gradients")
class InputGradientOfTheOtherItem(Layers):
    """The items of a batch get each other's gradients, in reverse."""

    def input_gradient(self, case: Case, kernel: Array, upstream: Array, tables: list[Array]) -> Array:
        return super().input_gradient(case, kernel, upstream, tables)[::-1]


@planted("gradients")
class InputGradientOfTheOtherGroup(Layers):
    """The channels of a group get the gradient of the next group."""

    def input_gradient(self, case: Case, kernel: Array, upstream: Array, tables: list[Array]) -> Array:
        return np.roll(super().input_gradient(case, kernel, upstream, tables), case.channels // case.groups if case.groups > 1 else 0, -1)


@planted("gradients")
class InputGradientInTheOtherDataFormat(Layers):
    """The input's gradient of a channels_first layer has its channels last, in the shape that it should have."""

    def gradients(self, case: Case, probe: Probe, mode: str) -> dict[str, Observed]:
        found = super().gradients(case, probe, mode)
        if case.data_format == "channels_first":
            values = found["input"].values
            found["input"] = Observed(np.moveaxis(values, 1, -1).reshape(values.shape), found["input"].dtype)
        return found


@planted("gradients", Outcome.WRONG_SHAPE)
class InputGradientInTheShapeOfTheOutput(Layers):
    """Of an empty output, the input's gradient has the shape of the output."""

    def input_gradient(self, case: Case, kernel: Array, upstream: Array, tables: list[Array]) -> Array:
        return super().input_gradient(case, kernel, upstream, tables) if upstream.size else upstream


@planted("gradients", Outcome.DECLINED)
class InputGradientMissing(Layers):
    """There is no gradient with respect to the input of a strided layer."""

    def gradients(self, case: Case, probe: Probe, mode: str) -> dict[str, Observed]:
        found = super().gradients(case, probe, mode)
        return {name: gradient for name, gradient in found.items() if name != "input" or max(case.strides) == 1}


# with respect to the kernel


@planted("gradients", of=BOTH_LAYERS, axis=BOTH_AXES)
class KernelGradientFlipped(OfOneLayer, OnOneAxis):
    """The kernel's gradient is flipped along one axis."""

    def kernel_gradient(self, case: Case, x: Array, upstream: Array, tables: list[Array]) -> Array:
        dw = super().kernel_gradient(case, x, upstream, tables)
        return np.flip(dw, self.axis) if self.concerns(case) else dw


@planted("gradients")
class KernelGradientReadByColumns(Layers):
    """The kernel's gradient has height and width the other way round."""

    def kernel_gradient(self, case: Case, x: Array, upstream: Array, tables: list[Array]) -> Array:
        dw = super().kernel_gradient(case, x, upstream, tables)
        return np.swapaxes(dw, 0, 1).reshape(dw.shape)


@planted("gradients", of=BOTH_LAYERS)
class KernelGradientNotTransposed(OfOneLayer):
    """The kernel's gradient has channels and filters the other way round."""

    def kernel_gradient(self, case: Case, x: Array, upstream: Array, tables: list[Array]) -> Array:
        dw = super().kernel_gradient(case, x, upstream, tables)
        return np.swapaxes(dw, -1, -2).reshape(dw.shape) if self.concerns(case) else dw


@planted("gradients")
class KernelGradientOfTheFirstItem(Layers):
    """The kernel's gradient is not summed over the batch: it is that of the first item."""

    def kernel_gradient(self, case: Case, x: Array, upstream: Array, tables: list[Array]) -> Array:
        return super().kernel_gradient(case, x[:1], upstream[:1], tables)


@planted("gradients")
class KernelGradientAveraged(Layers):
    """The kernel's gradient is the mean over the batch, not the sum."""

    def kernel_gradient(self, case: Case, x: Array, upstream: Array, tables: list[Array]) -> Array:
        return super().kernel_gradient(case, x, upstream, tables) / case.batch


@planted("gradients")
class KernelGradientWithoutTheLastRow(Layers):
    """The last row of the output, where there are several, does not reach the kernel's gradient."""

    def kernel_gradient(self, case: Case, x: Array, upstream: Array, tables: list[Array]) -> Array:
        if upstream.shape[1] > 1:
            upstream = upstream.copy()
            upstream[:, -1] = 0
        return super().kernel_gradient(case, x, upstream, tables)


@planted("gradients")
class KernelGradientOfTheFirstGroup(Layers):
    """The kernels of all groups get their gradient from the channels of the first group."""

    def kernel_gradient(self, case: Case, x: Array, upstream: Array, tables: list[Array]) -> Array:
        return super().kernel_gradient(case, np.tile(x[..., : case.channels // case.groups], case.groups), upstream, tables)


@planted("gradients")
class KernelGradientAccumulated(Layers):
    """The kernel's gradient is added to what the last call left for a kernel of this shape."""

    def __init__(self) -> None:
        self._left: dict[Any, Array] = {}

    def kernel_gradient(self, case: Case, x: Array, upstream: Array, tables: list[Array]) -> Array:
        dw = super().kernel_gradient(case, x, upstream, tables)
        self._left[dw.shape, dw.dtype] = dw + self._left.get((dw.shape, dw.dtype), np.zeros_like(dw))
        return self._left[dw.shape, dw.dtype]


@planted("gradients")
class KernelGradientStale(Layers):
    """The first gradient of a kernel of some shape is given to every later one."""

    def __init__(self) -> None:
        self._first: dict[Any, Array] = {}

    def kernel_gradient(self, case: Case, x: Array, upstream: Array, tables: list[Array]) -> Array:
        dw = super().kernel_gradient(case, x, upstream, tables)
        return self._first.setdefault((case.layer, dw.shape, dw.dtype), dw)


# with respect to the bias


@planted("gradients")
class BiasGradientOfOnePosition(Layers):
    """The bias's gradient is summed over the batch, but of one position only."""

    def bias_gradient(self, case: Case, upstream: Array) -> Array:
        return super().bias_gradient(case, upstream[:, :1, :1])


@planted("gradients")
class BiasGradientOfTheFirstItem(Layers):
    """The bias's gradient is not summed over the batch: it is that of the first item."""

    def bias_gradient(self, case: Case, upstream: Array) -> Array:
        return super().bias_gradient(case, upstream[:1])


@planted("gradients")
class BiasGradientAlongTheWidth(Layers):
    """The bias's gradient of a channels_first layer is summed over channels, where the output is as wide as there are filters."""

    def bias_gradient(self, case: Case, upstream: Array) -> Array:
        along = case.data_format == "channels_first" and upstream.shape[-2] == upstream.shape[-1] > 1
        return super().bias_gradient(case, np.swapaxes(upstream, -1, -2) if along else upstream)


# of the operands


@planted("gradients")
class UpstreamLeftOut(Layers):
    """The outputs are not weighted: the gradients are those of their plain sum."""

    def upstream(self, case: Case, probe: Probe) -> Array:
        return np.ones_like(super().upstream(case, probe))


@planted("gradients", bits=(BFLOAT16, TF32))
class UpstreamRounded(Layers):
    """What the outputs are weighted with is rounded to fewer bits (8 are bfloat16, 11 are TF32)."""

    bits: int

    def upstream(self, case: Case, probe: Probe) -> Array:
        return rounded(super().upstream(case, probe), self.bits)


@planted("gradients", bits=(BFLOAT16, TF32))
class KernelRoundedForTheInputGradient(Layers):
    """The kernel is rounded to fewer bits for the input's gradient (8 are bfloat16, 11 are TF32)."""

    bits: int

    def input_gradient(self, case: Case, kernel: Array, upstream: Array, tables: list[Array]) -> Array:
        return super().input_gradient(case, rounded(kernel, self.bits), upstream, tables)


@planted("gradients", bits=(BFLOAT16, TF32))
class InputRoundedForTheKernelGradient(Layers):
    """The input is rounded to fewer bits for the kernel's gradient (8 are bfloat16, 11 are TF32)."""

    bits: int

    def kernel_gradient(self, case: Case, x: Array, upstream: Array, tables: list[Array]) -> Array:
        return super().kernel_gradient(case, rounded(x, self.bits), upstream, tables)


@planted("gradients")
class KernelGradientInHalfPrecision(Layers):
    """The products of the kernel's gradient are summed in float16, where nothing overflows."""

    def correlation(self, case: Case, met: Array, upstream: Array) -> Array:
        exact = super().correlation(case, met, upstream)
        with np.errstate(over="ignore"):
            half = exact.astype(np.float16).astype(exact.dtype)
        return np.where(np.isfinite(half), half, exact)
