"""Small subjects for testing the gate itself: a right one in NumPy, and wrong ones whose fault must be seen and said where."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from conformance.cases import Case
from conformance.contract import compute, error_due
from conformance.probes import Probe
from conformance.subjects import Observed
from reference.arguments import Array


class Right:
    """The reference itself, rounded to the type of the case, refusing what must be refused."""

    modes: tuple[str, ...] = ("eager",)

    def environment(self) -> dict[str, Any]:
        return {"keras": None, "backend": "numpy", "device": "cpu", "versions": {"numpy": np.__version__}, "flags": {}}

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        due = error_due(case)
        if due is not None:
            raise ValueError(due)
        return Observed(self.change(case, compute(case, probe.x, probe.kernel, probe.bias, probe.pointwise)), case.compute_dtype)

    def change(self, case: Case, y: Array) -> Array:
        return y


class Shifted(Right):
    """The output moved by one pixel along the width, around the border."""

    def change(self, case: Case, y: Array) -> Array:
        return np.roll(y, 1, axis=2 if case.data_format == "channels_last" else 3)


class LostRow(Right):
    """The last row of a strided transposed convolution is zero: a crop that takes one row too many behind."""

    def change(self, case: Case, y: Array) -> Array:
        if case.transposed and case.strides[0] > 1 and y.size:
            y = y.copy()
            np.moveaxis(y, 1 if case.data_format == "channels_last" else 2, 0)[-1] = 0
        return y


class Accepting(Right):
    """Gives ones where it should refuse."""

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        if error_due(case) is not None:
            return Observed(np.ones((1, 1)), case.compute_dtype)
        return super().forward(case, probe, mode)


class Dying(Right):
    """Kills its process at inputs of height 3, unless it runs alone there."""

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        if case.size[0] == 3 and case.kernel_size == (2, 3):
            os.abort()
        return super().forward(case, probe, mode)


class Sleeping(Right):
    """Gives no result in any time that somebody would wait."""

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        time.sleep(600)
        return super().forward(case, probe, mode)
