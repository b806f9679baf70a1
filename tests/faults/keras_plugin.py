"""A pytest plugin that plants one fault in the installed Keras: ``pytest conformance -p tests.faults.keras_plugin --plant NAME
--in-process``.

Real code paths then carry the fault: Keras's padding rules, its layers, what its backends are handed. This file imports Keras, as only
`conformance.subjects` may otherwise, because a fault inside Keras cannot be planted from outside it; nothing here says what is right.
The patches are of Keras 3.15 and reach into its private modules: with another version a plant may not exist, and says so by failing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from conformance.cases import Case
from conformance.facts import axis_facts

ALL = ("jax", "tensorflow", "torch")


class Plant(NamedTuple):
    """A fault in Keras: what it gets wrong, which backends it reaches, the only cases that it may change, and words that a run must say."""

    sentence: str
    backends: tuple[str, ...]
    region: Callable[[Case], bool]
    plant: Callable[[], None]
    named: str = ""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--plant", choices=(*PLANTS, *MODE_PLANTS), required=True, help="the fault to plant in Keras")


def pytest_configure(config: pytest.Config) -> None:
    importlib.import_module("conformance.subjects.keras_layers")  # chooses the backend before Keras is imported
    {**PLANTS, **MODE_PLANTS}[config.getoption("--plant")].plant()


def _module(name: str) -> Any:
    return importlib.import_module(f"keras.src.{name}")


def _replace(owner: Any, name: str, change: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put ``change(original)`` in the place of an attribute that must be there."""
    setattr(owner, name, change(getattr(owner, name)))


# Keras's padding rule for transposed convolutions, which JAX and PyTorch follow

JAX_RULE = "_convert_conv_transpose_padding_args_from_keras_to_jax"
TENSORFLOW_RULE = "_get_output_shape_given_tf_padding"


def _change_same_padding(change: Callable[[int, int, dict[str, Any]], tuple[int, int]]) -> None:
    def changed(original: Callable[..., Any]) -> Callable[..., Any]:
        def rule(**arguments: Any) -> Any:
            left, right = original(**arguments)
            return change(left, right, arguments) if arguments["padding"] == "same" else (left, right)

        return rule

    _replace(_module("backend.common.backend_utils"), JAX_RULE, changed)


def _span(arguments: dict[str, Any]) -> int:
    return int((arguments["kernel_size"] - 1) * arguments["dilation_rate"] + 1)


def _same_shifted() -> None:
    _change_same_padding(lambda left, right, _: (left - 1, right + 1))


def _odd_pad_moved() -> None:
    def moved(left: int, right: int, arguments: dict[str, Any]) -> tuple[int, int]:
        total = left + right
        return min(total // 2, _span(arguments) - 1), total - min(total // 2, _span(arguments) - 1)

    _change_same_padding(moved)


def _parity_dropped() -> None:
    def dropped(left: int, right: int, arguments: dict[str, Any]) -> tuple[int, int]:
        return left, right - (_span(arguments) % 2 if arguments["output_padding"] is not None else 0)

    def changed(original: Callable[..., Any]) -> Callable[..., Any]:
        def size(input_size: Any, kernel_size: int, strides: int, padding: str, output_padding: int | None, dilation_rate: int) -> Any:
            right = original(input_size, kernel_size, strides, padding, output_padding, dilation_rate)
            if padding != "same" or output_padding is None:
                return right
            return right - ((kernel_size - 1) * dilation_rate + 1) % 2

        return size

    _change_same_padding(dropped)
    _replace(_module("backend.common.backend_utils"), TENSORFLOW_RULE, changed)


def _same_transposed(case: Case) -> bool:
    return case.transposed and case.padding == "same"


def _odd_crop(case: Case) -> bool:
    return _same_transposed(case) and any((axis["total_padding"] or 0) % 2 for axis in axis_facts(case))


# Keras's layers

_BASES = (("base_conv", "BaseConv"), ("base_conv_transpose", "BaseConvTranspose"))


def _change_call(name: str, changes: Callable[[Any], dict[str, Any]]) -> None:
    """Make a method of both base layers see other attributes than the layer has."""

    def changed(original: Callable[..., Any]) -> Callable[..., Any]:
        def method(self: Any, *arguments: Any) -> Any:
            different = changes(self)
            kept = {attribute: getattr(self, attribute) for attribute in different}
            try:
                for attribute, value in different.items():
                    setattr(self, attribute, value)
                return original(self, *arguments)
            finally:
                for attribute, value in kept.items():
                    setattr(self, attribute, value)

        return method

    for module, layer in _BASES:
        _replace(getattr(_module(f"layers.convolutional.{module}"), layer), name, changed)


def _strides_swapped() -> None:
    _change_call("call", lambda layer: {"strides": layer.strides[::-1]})


def _dilation_ignored() -> None:
    _change_call("call", lambda layer: {"dilation_rate": (1,) * layer.rank})


def _bias_lost() -> None:
    _change_call("call", lambda layer: {"use_bias": layer.use_bias and layer.data_format == "channels_last"})


# what happens in some modes only


def _wrong_when_traced() -> None:
    keras = importlib.import_module("keras")

    def traced(x: Any) -> bool:
        try:
            keras.ops.convert_to_numpy(x)
        except Exception:  # each backend has its own for numbers that are not there yet
            return True
        return False

    def changed(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, inputs: Any) -> Any:
            outputs = original(self, inputs)
            return outputs + 1 if traced(inputs) else outputs

        return call

    for module, layer in _BASES:
        _replace(getattr(_module(f"layers.convolutional.{module}"), layer), "call", changed)


def _strides_not_saved() -> None:
    def changed(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self: {**original(self), "strides": (1,) * self.rank}

    for module, layer in _BASES:
        _replace(getattr(_module(f"layers.convolutional.{module}"), layer), "get_config", changed)


# what the layers hand to the backend


def _change_operands(name: str, change: Callable[[Any, Any], tuple[Any, Any]]) -> None:
    def changed(original: Callable[..., Any]) -> Callable[..., Any]:
        def convolution(inputs: Any, kernel: Any, *arguments: Any, **named: Any) -> Any:
            return original(*change(inputs, kernel), *arguments, **named)

        return convolution

    _replace(_module("backend").nn, name, changed)


def _convolution_flipped() -> None:
    keras = importlib.import_module("keras")
    _change_operands("conv", lambda x, kernel: (x, keras.ops.flip(keras.ops.convert_to_tensor(kernel), 0)))


def _transposed_flipped() -> None:
    keras = importlib.import_module("keras")

    def flipped(x: Any, kernel: Any) -> tuple[Any, Any]:
        kernel = keras.ops.convert_to_tensor(kernel)
        return x, keras.ops.flip(kernel, 1) if len(kernel.shape) > 3 else kernel

    _change_operands("conv_transpose", flipped)


def _bfloat16_operands() -> None:
    keras = importlib.import_module("keras")

    def rounded(x: Any, kernel: Any) -> tuple[Any, Any]:
        x, kernel = (keras.ops.cast(keras.ops.cast(operand, "bfloat16"), "float32") for operand in (x, kernel))
        return x, kernel

    _change_operands("conv", rounded)


MODE_PLANTS = {
    **{
        f"wrong-when-traced-{mode}": Plant(
            "The layers add 1 where the numbers of the input are not known yet.", backends, lambda case: True, _wrong_when_traced, mode
        )
        for mode, backends in (
            ("graph", ("jax", "tensorflow")),
            ("xla", ("tensorflow",)),
            ("predict", ("jax", "tensorflow")),
            ("exported", ("jax", "tensorflow")),
        )
    },
    "strides-not-saved": Plant(
        "The strides of a layer are not saved.", ALL, lambda case: max(case.strides) > 1, _strides_not_saved, "saved"
    ),
}
"""Faults that an eager run cannot see; ``named`` is the mode that does."""

PLANTS = {
    "same-shifted": Plant(
        'Keras\'s rule for "same" transposed convolutions is one pixel off.',
        ("jax", "torch"),
        _same_transposed,
        _same_shifted,
        "Conv2DTranspose with padding same",
    ),
    "odd-pad-moved": Plant(
        'The odd pad of Keras\'s rule for "same" transposed convolutions is on the other side.',
        ("jax", "torch"),
        _odd_crop,
        _odd_pad_moved,
        "an odd total padding",
    ),
    "parity-dropped": Plant(
        "``kernel % 2`` is dropped from the size for an explicit output padding.",
        ALL,
        lambda case: _same_transposed(case) and case.output_padding is not None,
        _parity_dropped,
        "with padding same",
    ),
    "strides-swapped": Plant(
        "The layers take the stride of the height for the width.", ALL, lambda case: len(set(case.strides)) > 1, _strides_swapped
    ),
    "dilation-ignored": Plant(
        "The layers do not hand on their dilation.", ALL, lambda case: max(case.dilation_rate) > 1, _dilation_ignored
    ),
    "bias-lost": Plant(
        "The layers forget the bias for channels_first.",
        ALL,
        lambda case: case.use_bias and case.data_format == "channels_first",
        _bias_lost,
    ),
    "convolution-flipped": Plant(
        "The backend is handed a kernel that is flipped along the height.",
        ALL,
        lambda case: not case.transposed and case.kernel_size[0] > 1,
        _convolution_flipped,
    ),
    "transposed-flipped": Plant(
        "The backend is handed a transposed kernel that is flipped along the width.",
        ALL,
        lambda case: case.transposed and case.rank > 1 and case.kernel_size[1] > 1,
        _transposed_flipped,
    ),
    "bfloat16-operands": Plant(
        "The backend is handed operands that were rounded to bfloat16.", ALL, lambda case: not case.transposed, _bfloat16_operands
    ),
}
