"""Faults of how a layer is asked for: right in the words of the grid, wrong in others; and of the functions beside the layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from conformance.cases import Case
from conformance.outcomes import Outcome
from conformance.probes import Probe
from conformance.subjects import Announced, Observed
from reference.arguments import Array
from tests.faults.layers import Layers
from tests.faults.planting import planted


@planted("forms", Outcome.DECLINED)
class ListsRefused(Layers):
    """Numbers must stand in a tuple."""

    def numbers(self, case: Case, value: Any) -> tuple[int, ...]:
        if isinstance(value, list):
            raise TypeError("expected a tuple")
        return super().numbers(case, value)


@planted("forms", Outcome.WRONG_VALUE, Outcome.WRONG_SHAPE, Outcome.ACCEPTED, Outcome.DECLINED)
class ListsReversed(Layers):
    """A list is read from its end."""

    def numbers(self, case: Case, value: Any) -> tuple[int, ...]:
        return tuple(value[::-1]) if isinstance(value, list) else super().numbers(case, value)

    def weights(self, case: Case, probe: Probe) -> tuple[Array, Array | None]:
        return probe.kernel.reshape(case.kernel_shape), probe.bias


@planted("forms", Outcome.WRONG_VALUE, Outcome.WRONG_SHAPE, Outcome.DECLINED)
class NumberForTheFirstAxisOnly(Layers):
    """A single number stands for the height, and the width has 1."""

    def made_and_called(self, case: Case, probe: Probe, mode: str, arguments: Mapping[str, Any], native: bool) -> Observed:
        given = {name: (value, 1) if isinstance(value, int) and name == "strides" else value for name, value in arguments.items()}
        return super().made_and_called(case, probe, mode, given, native)


@planted("forms")
class CapitalsAreValid(Layers):
    """A padding that is not in small letters is taken for "valid"."""

    def lower(self, padding: str) -> str:
        return padding if padding.islower() else "valid"


@planted("forms")
class ActivationForgotten(Layers):
    """A fused activation is not applied."""

    def activate(self, name: str | None, y: Array) -> Array:
        return y


@planted("forms")
class ReluOfTheMagnitude(Layers):
    """A fused relu turns the sign of what it should cut off."""

    def activate(self, name: str | None, y: Array) -> Array:
        return abs(y) if name == "relu" else super().activate(name, y)


@planted("forms")
class ReluWithoutItsSix(Layers):
    """A fused relu6 has no upper end."""

    def activate(self, name: str | None, y: Array) -> Array:
        return super().activate("relu" if name == "relu6" else name, y)


@planted("forms")
class ActivationBeforeTheBias(Layers):
    """A fused activation is applied before the bias is added."""

    def made_and_called(self, case: Case, probe: Probe, mode: str, arguments: Mapping[str, Any], native: bool) -> Observed:
        if arguments.get("activation") is None or probe.bias is None:
            return super().made_and_called(case, probe, mode, arguments, native)
        bare = super().made_and_called(case, replace(probe, bias=None), mode, arguments, native)
        along = 1 if case.data_format == "channels_first" else -1
        return Observed(
            bare.values + np.expand_dims(probe.bias, [a for a in range(bare.values.ndim) if a != along % bare.values.ndim]), bare.dtype
        )


@planted("forms")
class DivisionInHalfPrecision(Layers):
    """A fused softsign divides in float16."""

    def activate(self, name: str | None, y: Array) -> Array:
        z = super().activate(name, y)
        return z.astype("float16").astype(y.dtype) if name == "softsign" else z


@planted("forms", Outcome.DECLINED)
class InputWrittenTo(Layers):
    """The input is prepared where it lies, which is not possible if it is read-only."""

    def taken(self, case: Case, x: Array) -> Array:
        x *= 1
        return super().taken(case, x)


@planted("forms")
class MemoryReadInItsOwnOrder(Layers):
    """The input's memory is read as it lies, for an array of the usual order."""

    def taken(self, case: Case, x: Array) -> Array:
        return super().taken(case, x.ravel(order="K").reshape(x.shape))


@planted("forms")
class StridesOfTheInputIgnored(Layers):
    """The input's memory is read from its first element on, one after the other."""

    def taken(self, case: Case, x: Array) -> Array:
        if x.base is None or 0 in x.strides or x.strides[-1] == x.itemsize:
            return super().taken(case, x)
        whole = x.base if isinstance(x.base, np.ndarray) else x
        return super().taken(case, whole.ravel()[: x.size].reshape(x.shape))


@planted("forms", Outcome.WRONG_DTYPE)
class TypeOfTheInputKept(Layers):
    """A layer of float32 computes in float64 if its input has that type."""

    def taken(self, case: Case, x: Array) -> Array:
        return x

    def result(self, case: Case, y: Array) -> Observed:
        return Observed(y, "float64" if y.dtype == np.float64 else case.compute_dtype)


@planted("forms")
class IntegersWrapped(Layers):
    """An input of integers is computed in 16 bits."""

    def taken(self, case: Case, x: Array) -> Array:
        return super().taken(case, x.astype("int16").astype("int8") if x.dtype.kind == "i" else x)


@planted("forms", Outcome.WRONG_SHAPE)
class BroadcastItemsCountedOnce(Layers):
    """Items that share their memory are one."""

    def taken(self, case: Case, x: Array) -> Array:
        return super().taken(case, x[:1] if x.strides[0] == 0 else x)


@planted("forms", Outcome.DECLINED)
class GivenDefaultsRefused(Layers):
    """An argument that is given as None is refused."""

    def understood(self, case: Case, arguments: Mapping[str, Any]) -> Case:
        if None in arguments.values():
            raise TypeError("None is no value")
        return super().understood(case, arguments)


@planted("forms")
class FunctionAddsABias(Layers):
    """The function beside the layer adds a bias of one."""

    def op(self, case: Case, probe: Probe, mode: str) -> Observed:
        y = super().op(case, probe, mode)
        return Observed(y.values + 1, y.dtype)


@planted("forms", Outcome.WRONG_VALUE)
class FunctionTurnsTheKernel(Layers):
    """The function beside the layer convolves where the layer correlates."""

    def op(self, case: Case, probe: Probe, mode: str) -> Observed:
        return super().op(case, replace(probe, kernel=probe.kernel[::-1, ::-1]), mode)


@planted("forms", Outcome.WRONG_SHAPE, Outcome.ACCEPTED)
class FunctionTellsAnotherShape(Layers):
    """The function beside the layer tells the shape of its input on symbolic tensors."""

    def op_output_shape(self, case: Case) -> Announced:
        return Announced(case.in_layout(case.input_shape), case.compute_dtype)


@planted("forms", Outcome.ACCEPTED)
class FunctionRefusesNothing(Layers):
    """The function beside the layer gives zeros where the layer refuses."""

    def op(self, case: Case, probe: Probe, mode: str) -> Observed:
        try:
            return super().op(case, probe, mode)
        except ValueError:
            return Observed(np.zeros_like(probe.x), case.compute_dtype)
