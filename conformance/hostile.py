"""Arguments of TensorFlow's raw convolutions as published advisories have them: ``pytest conformance --grid hostile``.

Each was a division by zero, a read or write outside a buffer, or a failed check that ended the process, in some version. None may take the
process down: a Python exception or a result are both well. They run one by one in processes of their own, since what fails here may spoil
memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

HOSTILE = "hostile"
"""The name of this grid."""

_Arguments = dict[str, Any]


@dataclass(frozen=True)
class Attack:
    """One call: the operation, what is wrong, where that was published, and the arguments that differ from a sound call."""

    operation: str
    wrong: str
    advisory: str
    arguments: _Arguments

    def __str__(self) -> str:
        return f"{self.operation}-{self.wrong}"

    @property
    def all_arguments(self) -> _Arguments:
        return {**SOUND[self.operation], **self.arguments}


def _ones(*shape: int) -> Any:
    return np.ones(shape, "float32")


def _sizes(*numbers: int) -> Any:
    return np.array(numbers, "int32")


_FLAT: _Arguments = {"strides": [1, 1, 1, 1], "padding": "VALID"}
_DEEP: _Arguments = {"strides": [1, 1, 1, 1, 1], "padding": "VALID"}
SOUND: dict[str, _Arguments] = {
    "Conv2D": {"input": _ones(1, 4, 4, 2), "filter": _ones(2, 2, 2, 3), **_FLAT},
    "Conv2DBackpropInput": {"input_sizes": _sizes(1, 4, 4, 2), "filter": _ones(2, 2, 2, 3), "out_backprop": _ones(1, 3, 3, 3), **_FLAT},
    "Conv2DBackpropFilter": {"input": _ones(1, 4, 4, 2), "filter_sizes": _sizes(2, 2, 2, 3), "out_backprop": _ones(1, 3, 3, 3), **_FLAT},
    "DepthwiseConv2dNative": {"input": _ones(1, 4, 4, 2), "filter": _ones(2, 2, 2, 3), **_FLAT},
    "DepthwiseConv2dNativeBackpropInput": {
        "input_sizes": _sizes(1, 4, 4, 2), "filter": _ones(2, 2, 2, 3), "out_backprop": _ones(1, 3, 3, 6), **_FLAT,
    },
    "DepthwiseConv2dNativeBackpropFilter": {
        "input": _ones(1, 4, 4, 2), "filter_sizes": _sizes(2, 2, 2, 3), "out_backprop": _ones(1, 3, 3, 6), **_FLAT,
    },
    "Conv3D": {"input": _ones(1, 4, 4, 4, 2), "filter": _ones(2, 2, 2, 2, 3), **_DEEP},
    "Conv3DBackpropInputV2": {
        "input_sizes": _sizes(1, 4, 4, 4, 2), "filter": _ones(2, 2, 2, 2, 3), "out_backprop": _ones(1, 3, 3, 3, 3), **_DEEP,
    },
    "Conv3DBackpropFilterV2": {
        "input": _ones(1, 4, 4, 4, 2), "filter_sizes": _sizes(2, 2, 2, 2, 3), "out_backprop": _ones(1, 3, 3, 3, 3), **_DEEP,
    },
}  # fmt: skip
"""A sound call of each operation; the attacks change one or two of its arguments."""


def _attacks() -> list[Attack]:
    found = [
        Attack("Conv2D", "filter_without_channels", "CVE-2021-29526", {"filter": _ones(2, 2, 0, 3)}),
        Attack("Conv2D", "input_empty", "CVE-2022-35996", {"input": _ones(0, 4, 4, 2)}),
        Attack("Conv2D", "strides_too_few", "tensorflow#62950", {"strides": [1, 1, 1]}),
        Attack("Conv2DBackpropInput", "filter_without_channels", "CVE-2021-29525", {"filter": _ones(2, 2, 0, 3)}),
        Attack("Conv2DBackpropInput", "sizes_empty", "CVE-2022-35969", {"input_sizes": _sizes()}),
        Attack("Conv2DBackpropInput", "sizes_of_one_number", "CVE-2022-35969", {"input_sizes": _sizes(1)}),
        Attack("Conv2DBackpropInput", "sizes_negative", "CVE-2022-35969", {"input_sizes": _sizes(1, -4, 4, 2)}),
        Attack("Conv2DBackpropInput", "strides_too_few", "tensorflow#62950", {"strides": [1, 1, 1]}),
        Attack("Conv2DBackpropFilter", "sizes_without_channels", "CVE-2021-29524", {"filter_sizes": _sizes(2, 2, 0, 3)}),
        Attack("Conv2DBackpropFilter", "sizes_too_large", "CVE-2021-29540", {"filter_sizes": _sizes(2, 2, 2, 300)}),
        Attack("Conv2DBackpropFilter", "input_empty", "CVE-2022-35996", {"input": _ones(0, 4, 4, 2)}),
        Attack("DepthwiseConv2dNative", "filter_without_channels", "CVE-2021-29526", {"filter": _ones(2, 2, 0, 3)}),
        Attack("Conv3D", "filter_without_channels", "CVE-2021-29522", {"filter": _ones(2, 2, 2, 0, 3)}),
        Attack("Conv3DBackpropInputV2", "filter_without_channels", "CVE-2021-29522", {"filter": _ones(2, 2, 2, 0, 3)}),
        Attack("Conv3DBackpropInputV2", "gradient_too_small", "CVE-2021-29520", {"out_backprop": _ones(1, 1, 1, 1, 3)}),
        Attack("Conv3DBackpropFilterV2", "sizes_without_channels", "CVE-2021-29522", {"filter_sizes": _sizes(2, 2, 2, 0, 3)}),
        Attack("Conv3DBackpropFilterV2", "gradient_too_small", "CVE-2021-29520", {"out_backprop": _ones(1, 1, 1, 1, 3)}),
    ]
    for operation, sound in SOUND.items():
        rank = len(sound["strides"])
        found += [
            Attack(operation, "strides_zero", "CVE-2021-29526", {"strides": [1, *[0] * (rank - 2), 1]}),
            Attack(operation, "strides_beyond_32_bits", "tensorflow#74914", {"strides": [1, *[1 << 40] * (rank - 2), 1]}),
            Attack(operation, "strides_negative", "tensorflow#124952", {"strides": [1, *[-1] * (rank - 2), 1]}),
        ]
        for name in sound.keys() & {"filter", "input", "out_backprop"}:
            found.append(Attack(operation, f"{name}_of_rank_1", "tensorflow#85250", {name: _ones(3)}))
    return sorted(found, key=str)


ATTACKS = {str(attack): attack for attack in _attacks()}
"""By name."""

_BY_RANK = "https://github.com/tensorflow/tensorflow/issues/85250"
_BY_STRIDE = "https://github.com/tensorflow/tensorflow/issues/124952"
_BY_SIZES = "https://github.com/tensorflow/tensorflow/issues/62950"
KNOWN: dict[str, str] = {
    **dict.fromkeys(
        (
            "Conv2D-input_of_rank_1", "Conv2DBackpropFilter-input_of_rank_1", "Conv2DBackpropFilter-out_backprop_of_rank_1",
            "Conv3D-input_of_rank_1", "Conv3DBackpropFilterV2-input_of_rank_1", "Conv3DBackpropFilterV2-out_backprop_of_rank_1",
            "DepthwiseConv2dNative-input_of_rank_1", "DepthwiseConv2dNativeBackpropFilter-input_of_rank_1",
            "DepthwiseConv2dNativeBackpropFilter-out_backprop_of_rank_1",
        ),
        _BY_RANK,
    ),
    **dict.fromkeys(
        (
            "Conv2D-strides_beyond_32_bits", "Conv2DBackpropFilter-strides_beyond_32_bits", "Conv2DBackpropInput-strides_beyond_32_bits",
            "Conv3D-strides_beyond_32_bits", "Conv3DBackpropFilterV2-strides_beyond_32_bits",
            "Conv3DBackpropInputV2-strides_beyond_32_bits", "DepthwiseConv2dNative-strides_beyond_32_bits",
        ),
        _BY_STRIDE,
    ),
    **dict.fromkeys(
        (
            "Conv2DBackpropInput-sizes_empty", "Conv2DBackpropInput-sizes_negative", "Conv2DBackpropInput-sizes_of_one_number",
            "Conv2DBackpropInput-strides_too_few",
        ),
        _BY_SIZES,
    ),
}  # fmt: skip
"""Those that end the process in TensorFlow 2.21 with oneDNN, by failed checks, and where the kind is reported. Strict both ways."""
