"""What the subjects below Keras have in common: primitives, called as their documentation has it, with nothing of their own added.

A primitive is asked for what it has arguments for; where a case cannot be said in them, it does not offer the case. No geometry of the
reference is used: what a caller must work out is worked out in the module of the primitive, from its documentation.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from conformance.cases import Case
from conformance.probes import Probe
from conformance.subjects import NotOfferedError, Observed
from conformance.subjects.frameworks import avx512
from reference.arguments import Array


class Primitive:
    """A subject made of functions; each module has one. ``run`` gives the result without a bias, in the case's data format."""

    modes = ("eager",)
    name: ClassVar[str]

    def framework(self) -> dict[str, Any]:
        """``device``, ``versions`` and ``flags``, see `conformance.subjects.frameworks`."""
        raise NotImplementedError

    def run(self, case: Case, x: Array, kernel: Array) -> Array:
        """The primitive on these operands, which have the type and the layout of the case."""
        raise NotImplementedError

    def environment(self) -> dict[str, Any]:
        known = self.framework()
        return {
            "keras": None,
            "backend": self.name,
            "device": known["device"],
            "versions": {"numpy": np.__version__, **known["versions"]},
            "flags": {"avx512": avx512(), "primitive": True, **known["flags"]},
        }

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        if case.depthwise or case.separable or case.padding == "causal":
            raise NotOfferedError(f"layer {case.layer}, padding {case.padding}")
        if case.dtype not in ("float32", "float64"):
            raise NotOfferedError(f"type {case.dtype}")
        y = self.run(case, probe.x.astype(case.dtype), probe.kernel.astype(case.dtype))
        if probe.bias is not None:  # on exact data a sum that nothing rounds
            along = -1 if case.data_format == "channels_last" else 1
            y = y + np.expand_dims(probe.bias.astype(y.dtype), [axis for axis in range(y.ndim) if axis != along % y.ndim])
        return Observed(y, str(y.dtype))


def channels_first(case: Case, x: Array) -> Array:
    """The input with its channels in front, whatever the data format."""
    return x if case.data_format == "channels_first" else np.moveaxis(x, -1, 1)


def as_asked(case: Case, y: Array) -> Array:
    """A result with its channels in front in the data format of the case."""
    return y if case.data_format == "channels_first" else np.moveaxis(y, 1, -1)


def filters_first(kernel: Array) -> Array:
    """Keras's kernel (*kernel_size, a, b) as (b, a, *kernel_size)."""
    return np.moveaxis(kernel, (-1, -2), (0, 1))
