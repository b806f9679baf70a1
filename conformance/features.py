"""What a layer is asked for, as columns of a table: every feature is a question to a case, and a case may have several."""

from __future__ import annotations

from collections.abc import Callable

from conformance.cases import Case
from conformance.contract import error_due

FEATURES: dict[str, Callable[[Case], bool]] = {
    "valid": lambda case: case.padding == "valid",
    "same": lambda case: case.padding == "same",
    "causal": lambda case: case.padding == "causal",
    "strided": lambda case: max(case.strides) > 1,
    "dilated": lambda case: max(case.dilation_rate) > 1,
    "outpad": lambda case: case.output_padding is not None,
    "groups": lambda case: case.groups > 1,
    "depth_m": lambda case: case.depth_multiplier > 1,
    "ch_first": lambda case: case.data_format == "channels_first",
    "nobias": lambda case: not case.use_bias,
    "dtypes": lambda case: case.dtype != "float32",
    "errors": lambda case: bool(case.misuse) or error_due(case) is not None,
}
"""In the order of the columns; the names are the headings, short enough to stand side by side on a screen."""

MEANINGS = {
    "valid": 'padding="valid"',
    "same": 'padding="same"',
    "causal": 'padding="causal"',
    "strided": "strides > 1 on some axis",
    "dilated": "dilation_rate > 1 on some axis",
    "outpad": "output_padding given",
    "groups": "groups > 1",
    "depth_m": "depth_multiplier > 1",
    "ch_first": 'data_format="channels_first"',
    "nobias": "use_bias=False",
    "dtypes": "a dtype other than float32",
    "errors": "configurations that must be refused",
}
"""The features in full."""


def features(case: Case) -> int:
    """The features of a case, one bit each, in the order of `FEATURES`."""
    return sum(1 << bit for bit, has in enumerate(FEATURES.values()) if has(case))
