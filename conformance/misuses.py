"""Arguments that a layer must refuse: for each argument of Conv2D and Conv2DTranspose the invalid values, each with a name.

A `Case` with a ``misuse`` is an otherwise sound configuration with one of these in it, such as
``conv2d-valid-in2x5x6x4-k3x2-f4-s1x1-strides=zero``. It must be refused however the layer is met: called (``eager``), given a symbolic
input (``@symbolic``), or asked for the shape of its output (``@shape``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

ROUTES = ("eager", "symbolic", "shape")
"""How a layer is met: called on an array, on a symbolic input, or asked by ``compute_output_shape``."""


class Due(StrEnum):
    """What a misuse must come to. Whatever else, no crash and no hang."""

    NAMED = "a ValueError or TypeError that names the argument"
    ANY = "an exception"
    DEFINED = "the result of the defined shape, or an exception"
    """Odd but not wrong: nothing to compute, or far too much. Where there is no such shape, as `ANY`."""


@dataclass(frozen=True)
class Misuse:
    """One invalid value of one argument; ``input`` stands for what the layer is called on.

    ``arguments`` replace those of the layer. ``shape`` replaces the input's, channels last: ``"batch"``, ``"height"``, ``"width"`` and
    ``"channels"`` stand for the sound case's. ``built`` says that the layer has met the sound input before. ``names`` is the regular
    expression for how a message may name what is wrong, if not by the argument.
    """

    argument: str
    value: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    shape: tuple[str | int | None, ...] | None = None
    built: bool = False
    due: Due = Due.NAMED
    names: str = ""
    routes: tuple[str, ...] = ROUTES

    def __str__(self) -> str:
        return f"{self.argument}={self.value}"


HUGE = 1 << 40
"""More than 32 bits hold, and more elements than a machine has memory for."""


def _of_number(argument: str, *, zero: bool = False) -> list[Misuse]:
    """What no count may be. ``zero`` is a sound value of some."""
    values: dict[str, Any] = {"negative": -1, "float": 1.5, "nan": math.nan, "bool": True, "none": None, "text": "two", "list": [[1]]}
    if not zero:
        values["zero"] = 0
    return [Misuse(argument, name, {argument: value}) for name, value in values.items()]


def _of_axes(argument: str, *, zero: bool = False, none: bool = False) -> list[Misuse]:
    """What no number an axis may be: one for both, or one each."""
    pairs: dict[str, Any] = {
        "negative_axis": (1, -1), "float_axis": (1, 1.5), "bool_axis": (1, True), "none_axis": (1, None), "text_axis": (1, "two"),
        "no_axis": (), "one_axis": (1,), "three_axes": (1, 1, 1),
    }  # fmt: skip
    if not zero:
        pairs["zero_axis"] = (1, 0)
    single = [misuse for misuse in _of_number(argument, zero=zero) if not (none and misuse.value == "none")]
    return [*single, *(Misuse(argument, name, {argument: value}) for name, value in pairs.items())]


def _of_choice(argument: str, *, none: bool = False) -> list[Misuse]:
    """What is none of the words, or no word at all."""
    values: dict[str, Any] = {"unknown": "sideways", "number": 3, **({} if none else {"none": None})}
    return [Misuse(argument, name, {argument: value}) for name, value in values.items()]


_OBJECTS = (
    "activation", "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer", "activity_regularizer",
    "kernel_constraint", "bias_constraint",
)  # fmt: skip
_RANK = "rank|ndim|dimension|shape"
_CHANNELS = "channel|axis|axes|dimension"

BOTH = [
    *_of_number("filters"),
    Misuse("filters", "huge", {"filters": HUGE}, due=Due.DEFINED),
    *_of_axes("kernel_size"),
    Misuse("kernel_size", "huge", {"kernel_size": HUGE}, due=Due.DEFINED),
    *_of_axes("strides"),
    Misuse("strides", "huge", {"strides": HUGE}, due=Due.DEFINED),
    Misuse("strides", "with_dilation", {"strides": 2, "dilation_rate": 2}),
    *_of_axes("dilation_rate"),
    Misuse("dilation_rate", "huge", {"dilation_rate": HUGE}, due=Due.DEFINED),
    *_of_choice("padding"),
    *_of_choice("data_format", none=True),
    *_of_choice("dtype", none=True),
    *(Misuse(argument, value, {argument: wrong}) for argument in _OBJECTS for value, wrong in (("unknown", "sideways"), ("number", 3))),
    Misuse("input", "too_few_axes", shape=("batch", "height", "channels"), names=_RANK),
    Misuse("input", "too_many_axes", shape=("batch", "height", "width", "width", "channels"), names=_RANK),
    Misuse("input", "scalar", shape=(), names=_RANK),
    Misuse("input", "other_channels", shape=("batch", "height", "width", 7), built=True, names=_CHANNELS),
    Misuse("input", "unknown_channels", shape=("batch", "height", "width", None), names=_CHANNELS, routes=("symbolic", "shape")),
    Misuse("input", "no_channels", shape=("batch", "height", "width", 0), due=Due.DEFINED),
    Misuse("input", "no_batch", shape=(0, "height", "width", "channels"), due=Due.DEFINED),
]
CONVOLUTION = [
    *_of_number("groups"),
    Misuse("groups", "huge", {"groups": HUGE}),
    Misuse("groups", "not_of_channels", {"groups": 3, "filters": 6}),
    Misuse("groups", "not_of_filters", {"groups": 2, "filters": 5}),
    Misuse("padding", "causal", {"padding": "causal"}),
    Misuse("input", "no_size", shape=("batch", 0, "width", "channels"), due=Due.ANY),
    Misuse("input", "below_window", shape=("batch", 2, "width", "channels"), due=Due.ANY),
]
TRANSPOSED = [
    *_of_axes("output_padding", zero=True, none=True),
    Misuse("output_padding", "stride", {"output_padding": 2, "strides": 2}),
    Misuse("output_padding", "huge", {"output_padding": HUGE}),
    Misuse("padding", "causal", {"padding": "causal"}),
]

MISUSES: dict[str, dict[str, Misuse]] = {
    layer: {str(misuse): misuse for misuse in [*BOTH, *own]} for layer, own in (("conv2d", CONVOLUTION), ("conv2d_transpose", TRANSPOSED))
}
"""By layer and name."""


def find(layer: str, text: str) -> tuple[Misuse, str]:
    """The misuse and the route that ``strides=zero`` or ``strides=zero@symbolic`` stands for.

    Raises:
        KeyError: there is no such thing for this layer.
    """
    name, _, route = text.partition("@")
    misuse = MISUSES[layer][name]
    if text not in words(misuse):
        raise KeyError(text)
    return misuse, route or ROUTES[0]


def words(misuse: Misuse) -> list[str]:
    """How a misuse is written in the id of a case, once for every route."""
    return [f"{misuse}" if route == ROUTES[0] else f"{misuse}@{route}" for route in misuse.routes]
