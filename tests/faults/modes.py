"""Faults of modes: a layer that is right when it is called, and wrong when it is compiled, predicts in batches, or was saved or exported.

Some depend on what came before, and all are judged in the order of the grid.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from conformance.cases import Case
from conformance.outcomes import Outcome
from conformance.probes import Probe
from conformance.subjects import MODES, Observed
from reference.arguments import Array
from tests.faults.arithmetic import BFLOAT16, TF32, rounded
from tests.faults.layers import Layers, Side
from tests.faults.planting import planted

BATCH = 2
"""Samples that are predicted at a time."""


class InModes(Layers):
    """Right in every mode: ``predict`` computes in batches and puts these together. A fault is wrong in ``wrong_in``."""

    modes: tuple[str, ...] = MODES
    wrong_in = ""

    def __init__(self) -> None:
        self._mode = ""

    @property
    def wrong(self) -> bool:
        """Whether a layer is now run in the mode that is at fault."""
        return self._mode == self.wrong_in

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        self._mode = mode
        if mode != "predict":
            return super().forward(case, probe, mode)
        self.refuse(case)
        batches = [probe.x[i : i + BATCH] for i in range(0, case.batch, BATCH)]
        results = [
            super(InModes, self).forward(replace(case, input_shape=(len(x), *case.input_shape[1:])), replace(probe, x=x), mode)
            for x in self.batches(batches)
        ]
        return Observed(self.together(case, [result.values for result in results]), case.dtype)

    def batches(self, batches: list[Array]) -> list[Array]:
        """The inputs as they are computed, one batch after the other."""
        return batches

    def together(self, case: Case, results: list[Array]) -> Array:
        """The result from those of the batches."""
        return np.concatenate(results)


class InGraph(InModes):
    """Wrong when compiled."""

    modes = ("eager", "graph")
    wrong_in = "graph"


class InXLA(InModes):
    """Wrong when compiled by XLA."""

    modes = ("eager", "xla")
    wrong_in = "xla"


class InPredict(InModes):
    """Wrong when it predicts."""

    modes = ("eager", "predict")
    wrong_in = "predict"


class WhenSaved(InModes):
    """Wrong when saved and loaded."""

    modes = ("eager", "saved")
    wrong_in = "saved"


class WhenExported(InModes):
    """Wrong when exported."""

    modes = ("eager", "exported")
    wrong_in = "exported"


@planted("modes")
class FirstShapeCompiledIn(InGraph):
    """The sizes of the first input that a layer is compiled for are constants for every later one."""

    def __init__(self) -> None:
        super().__init__()
        self._tables: dict[Any, Array] = {}

    def table(self, side: Side) -> Array:
        if not self.wrong:
            return super().table(side)
        table = self._tables.setdefault((side.case.configuration, side.axis), super().table(side))
        return np.where(table >= side.n, -1, table)


@planted("modes")
class WeightsCompiledIn(InGraph):
    """What is compiled is kept by the shape of the kernel, with the weights of the first layer that has it."""

    def __init__(self) -> None:
        super().__init__()
        self._weights: dict[Any, tuple[Array, Array | None]] = {}

    def weights(self, case: Case, probe: Probe) -> tuple[Array, Array | None]:
        given = super().weights(case, probe)
        return self._weights.setdefault((case.layer, case.use_bias, probe.kernel.shape), given) if self.wrong else given


@planted("modes")
class BiasFoldedAway(InGraph):
    """The compiler folds the addition of the bias into a convolution that then does not add it."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        return y if self.wrong else super().add_bias(case, y, bias)


@planted("modes", Outcome.ACCEPTED, check=("output_padding", "window", "strides"))
class ChecksTracedOut(InGraph):
    """A check of the arguments is no part of what is compiled: the case is computed, or comes to an empty result."""

    check: str
    """The word by which its message is known."""

    def refuse(self, case: Case) -> None:
        try:
            super().refuse(case)
        except ValueError as error:
            if not self.wrong or self.check not in str(error):
                raise


@planted("modes", bits=(BFLOAT16, TF32))
class FasterMath(InXLA):
    """XLA is allowed to round the operands to fewer bits (8 are bfloat16, 11 are TF32)."""

    bits: int

    def multiply(self, rows: Array, columns: Array) -> Array:
        if self.wrong:
            rows, columns = rounded(rows, self.bits), rounded(columns, self.bits)
        return super().multiply(rows, columns)


@planted("modes")
class OddElementInFront(InXLA):
    """Lowered to XLA, the odd element of the "same" padding lies in front."""

    def share(self, total: int) -> int:
        return total - super().share(total) if self.wrong else super().share(total)


@planted("modes")
class RaggedBatchLost(InPredict):
    """A last batch that is not full is not predicted."""

    def batches(self, batches: list[Array]) -> list[Array]:
        return [x for x in batches if len(x) == len(batches[0])] if self.wrong else batches


@planted("modes")
class RaggedBatchNotCut(InPredict):
    """A last batch that is not full is filled up with its last sample, and what that comes to is not cut off."""

    def batches(self, batches: list[Array]) -> list[Array]:
        *full, last = batches
        return [*full, np.concatenate([last, last[-1:]])] if full and len(last) < BATCH else batches


@planted("modes")
class RaggedBatchFromTheLast(InPredict):
    """A last batch that is not full is written over the one before it in the same buffer, and the buffer's end is what is returned."""

    def together(self, case: Case, results: list[Array]) -> Array:
        if len(results) > 1 and len(results[-1]) < BATCH:
            results = [*results[:-1], results[-2][-len(results[-1]) :]]
        return super().together(case, results)


@planted("modes")
class BatchesOutOfOrder(InPredict):
    """Batches are returned in the order in which they are finished: the last, being smaller, first."""

    def together(self, case: Case, results: list[Array]) -> Array:
        return super().together(case, sorted(results, key=len))


@planted(
    "modes",
    *(Outcome.WRONG_VALUE, Outcome.WRONG_SHAPE, Outcome.DECLINED),
    argument=("strides", "padding", "dilation_rate", "output_padding"),
)
class ArgumentNotSaved(WhenSaved):
    """An argument is not in the file, and the layer that is loaded has its default."""

    argument: str

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        self.refuse(case)
        default: dict[str, Any] = {
            "strides": (1,) * case.rank,
            "padding": "valid",
            "dilation_rate": (1,) * case.rank,
            "output_padding": None,
        }
        loaded = replace(case, **{self.argument: default[self.argument]}) if mode == self.wrong_in else case
        return super().forward(loaded, probe, mode)


@planted("modes")
class InitialBiasLoaded(WhenSaved):
    """The bias is not in the file, and the layer that is loaded has its initial zeros."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        return y if self.wrong else super().add_bias(case, y, bias)


@planted("modes")
class BatchFixedAtExport(WhenExported):
    """The program is exported for one sample, and computes the first of those that it is given."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        return super().layer(case, x[:1] if self.wrong else x, kernel)


@planted("modes")
class ChannelsFirstLostInExport(WhenExported):
    """The exported program takes its input for channels last, where its sizes allow."""

    def channels_last(self, case: Case, x: Array) -> Array:
        last = super().channels_last(case, x)
        return x.reshape(last.shape) if self.wrong else last


@planted("modes", size=(1, 2))
class SmallAxesSpecialised(InGraph):
    """An axis of so few elements is compiled as if it were broadcast: its last element is met wherever a tap misses it."""

    size: int

    def table(self, side: Side) -> Array:
        table = super().table(side)
        return np.where(table < 0, side.n - 1, table) if self.wrong and side.n == self.size else table
