"""Faults of memory: a layer that remembers what it should compute anew, or changes what is not its own.

They depend on the order of a run, and are judged in that of the grid.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.cases import Case
from conformance.probes import Probe
from conformance.subjects import Observed
from reference.arguments import Array
from tests.faults.layers import Layers, Side
from tests.faults.planting import planted


@planted("states")
class KernelKeptByShape(Layers):
    """The kernel of the first layer with its shape serves every later one."""

    def __init__(self) -> None:
        self._kernels: dict[Any, Array] = {}

    def weights(self, case: Case, probe: Probe) -> tuple[Array, Array | None]:
        kernel, bias = super().weights(case, probe)
        return self._kernels.setdefault((case.layer, kernel.shape), kernel), bias


@planted("states")
class ResultKeptByShape(Layers):
    """A result is kept and given again for the next input of its shape, to whichever layer has a kernel of the same shape."""

    def __init__(self) -> None:
        self._results: dict[Any, Observed] = {}

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        key = (case.layer, case.input_shape, case.kernel_shape)
        self.refuse(case)
        if key not in self._results:
            self._results[key] = super().forward(case, probe, mode)
        return self._results[key]


@planted("states")
class TableKeptForALayer(Layers):
    """The geometry of a layer's first input serves every later one."""

    def __init__(self) -> None:
        self._tables: dict[Any, Array] = {}

    def table(self, side: Side) -> Array:
        table = self._tables.setdefault((side.case.configuration, side.axis), super().table(side))
        return np.where(table >= side.n, -1, table)


@planted("states")
class BufferNotCleared(Layers):
    """A result is added to what the last one of its shape left in the buffer."""

    def __init__(self) -> None:
        self._buffers: dict[Any, Array] = {}

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        y = super().layer(case, x, kernel)
        y = y + self._buffers.get(y.shape, np.zeros_like(y))
        self._buffers[y.shape] = y
        return y


@planted("states")
class InputOverwritten(Layers):
    """The input is negated where it lies, and the result is that of the negated input."""

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        self.refuse(case)
        np.negative(probe.x, out=probe.x)
        return super().forward(case, probe, mode)


@planted("states")
class ResultKeptForALayer(Layers):
    """A layer gives its first result again for every input of the same shape."""

    def __init__(self) -> None:
        self._results: dict[Any, Observed] = {}

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        key = (case.configuration, case.input_shape)
        if key not in self._results:
            self._results[key] = super().forward(case, probe, mode)
        return self._results[key]


@planted("states")
class ResultKeptForAnInput(Layers):
    """A layer knows its input by where it lies, and does not look at it again."""

    def __init__(self) -> None:
        self._last: tuple[Any, Observed] | None = None

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        key = (case, probe.x.__array_interface__["data"])
        if self._last is None or self._last[0] != key:
            self._last = (key, super().forward(case, probe, mode))
        return self._last[1]


@planted("states")
class ResultsShareABuffer(Layers):
    """A layer writes every result into the one that it gave for the same shape before."""

    def __init__(self) -> None:
        self._buffers: dict[Any, Array] = {}

    def result(self, case: Case, y: Array) -> Observed:
        buffer = self._buffers.setdefault((case.configuration, y.shape), np.empty_like(y))
        buffer[...] = y
        return Observed(buffer, case.compute_dtype)
