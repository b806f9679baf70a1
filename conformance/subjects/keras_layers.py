"""The convolution layers of the installed Keras, on the backend that ``KERAS_BACKEND`` chooses."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # Keras's own default, whatever its configuration file says
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up notes would drown the report

import keras
import ml_dtypes  # NumPy's bfloat16, which Keras itself needs
import numpy as np

from conformance.cases import Case
from conformance.contract import Shape
from conformance.probes import Probe
from conformance.subjects import MODES, Announced, Observed, keras_modes
from conformance.subjects.frameworks import FRAMEWORKS, avx512
from reference.arguments import Array

LAYERS_KEPT = 64
"""Built layers kept for other input sizes. The cases of a grid that share a layer stand side by side, so few are enough."""


class KerasLayers:
    """Real layers of ``keras.layers``, built once for all input sizes, their weights assigned, called as a user calls them."""

    modes = MODES
    shape_functions = ("compute_output_shape", "keras.Input")

    def __init__(self) -> None:
        self._layers: OrderedDict[tuple[Case, str], _Kept] = OrderedDict()
        self._layers_without_values: OrderedDict[Case, Any] = OrderedDict()

    def environment(self) -> dict[str, Any]:
        backend = keras.backend.backend()
        framework = FRAMEWORKS[backend]()
        return {
            "keras": keras.__version__,
            "backend": backend,
            "device": framework["device"],
            "versions": {"keras": keras.__version__, "numpy": np.__version__, **framework["versions"]},
            "flags": {
                "floatx": keras.config.floatx(),
                "image_data_format": keras.config.image_data_format(),
                "avx512": avx512(),
                **framework["flags"],
            },
        }

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        make = keras_modes.forward(mode)  # asked first: a mode that there is not refuses nothing
        kept = self._kept(case, probe)
        run = kept.way("forward", mode, lambda: make(kept.layer, case))
        x = probe.x if probe.x.dtype == case.compute_dtype else _tensor(probe.x, case.compute_dtype)
        return _observed(run(x))

    def gradients(self, case: Case, probe: Probe, mode: str) -> dict[str, Observed]:
        make = keras_modes.gradients(mode)
        kept = self._kept(case, probe)
        names = [*case.kernel_names, *(["bias"] if probe.bias is not None else [])]
        run = kept.way("gradients", mode, lambda: make(kept.layer, case, [getattr(kept.layer, name) for name in names]))
        x, upstream = (_tensor(operand, case.compute_dtype) for operand in (probe.x, probe.upstream))
        found = zip(["input", *names], run(x, upstream), strict=True)
        return {name: _observed(gradient) for name, gradient in found if gradient is not None}

    def output_shape(self, case: Case, input_shape: tuple[int | None, ...], function: str) -> Announced:
        kept = self._layers_without_values
        layer = kept.get(case.configuration)
        if layer is None:  # not built: the first symbolic input does that, as in a functional model
            layer = kept[case.configuration] = _made(case, case.layer_arguments())
            if len(kept) > LAYERS_KEPT:
                kept.popitem(last=False)
        if function == "compute_output_shape":
            return Announced(tuple(layer.compute_output_shape(input_shape)))
        y = layer(keras.Input(input_shape[1:], batch_size=input_shape[0], dtype=case.compute_dtype))
        return Announced(tuple(y.shape), str(keras.backend.standardize_dtype(y.dtype)))

    def made_and_called(self, case: Case, probe: Probe, mode: str, arguments: Mapping[str, Any], native: bool) -> Observed:
        layer = _made(case, arguments)
        layer.build(case.in_layout((None, *(None,) * case.rank, case.channels)))
        _assign(layer, case, probe)
        y = layer(keras.ops.convert_to_tensor(probe.x, str(probe.x.dtype)) if native else probe.x)
        return _observed(y)

    def op(self, case: Case, probe: Probe, mode: str) -> Observed:
        x, *kernels = (_tensor(operand, case.compute_dtype) for operand in (probe.x, *probe.kernels))
        y = _operate(case, x, kernels)
        return _observed(y)

    def op_output_shape(self, case: Case) -> Announced:
        shapes = (case.kernel_shape, *([case.pointwise_shape] if case.separable else []))
        x, *kernels = (keras.KerasTensor(shape, case.compute_dtype) for shape in (case.in_layout(case.input_shape), *shapes))
        y = _operate(case, x, kernels)
        return Announced(tuple(y.shape), str(keras.backend.standardize_dtype(y.dtype)))

    def attempt(self, layer: str, arguments: Mapping[str, Any], shapes: Sequence[Shape], route: str) -> Shape:
        made = getattr(keras.layers, layer)(**arguments)
        if route == "shape":
            made.build(shapes[0])
            return tuple(made.compute_output_shape(shapes[-1]))
        y: Any = None
        for shape in shapes:
            y = made(np.ones(shape, "float32") if route == "eager" else keras.KerasTensor(shape, "float32"))  # type: ignore[type-var]
        return tuple(y.shape)

    def _kept(self, case: Case, probe: Probe) -> _Kept:
        """The layer of the case with the probe's weights, from those kept or made now."""
        key = (case.configuration, probe.weights)
        if key in self._layers:
            self._layers.move_to_end(key)
            return self._layers[key]
        layer = _made(case, case.layer_arguments())
        layer.build(case.in_layout((None, *(None,) * case.rank, case.channels)))
        _assign(layer, case, probe)
        kept = self._layers[key] = _Kept(layer, {})
        if len(self._layers) > LAYERS_KEPT:
            self._layers.popitem(last=False)
        return kept


@dataclass(frozen=True, slots=True)
class _Kept:
    """A built layer, and what the modes made of it."""

    layer: Any
    ways: dict[tuple[str, str], Callable[..., Any]]

    def way(self, method: str, mode: str, make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
        """What a mode made for a method of the subject, or makes now."""
        if (method, mode) not in self.ways:
            self.ways[method, mode] = make()
        return self.ways[method, mode]


def _observed(y: Any) -> Observed:
    return Observed(_numpy(y), str(keras.backend.standardize_dtype(y.dtype)))


def _made(case: Case, arguments: Mapping[str, Any]) -> Any:
    """The layer of the case, not built, from these arguments and initial weights of zero: they are replaced, and a random draw costs."""
    stages = ("depthwise", "pointwise") if case.separable else ("depthwise" if case.depthwise else "kernel",)
    zeros = {f"{stage}_initializer": "zeros" for stage in stages}
    return getattr(keras.layers, case.keras_name)(**arguments, **zeros)


def _assign(layer: Any, case: Case, probe: Probe) -> None:
    """Give a built layer the weights of the probe."""
    for name, kernel in zip(case.kernel_names, probe.kernels, strict=True):
        getattr(layer, name).assign(_in_type(kernel, getattr(layer, name).dtype))
    if probe.bias is not None:
        layer.bias.assign(_in_type(probe.bias, layer.bias.dtype))


def _operate(case: Case, x: Any, kernels: list[Any]) -> Any:
    """The function of ``keras.ops`` that the case's layer calls; a number that is alike on all axes is given as one."""
    name = "conv_transpose" if case.transposed else "depthwise_conv" if case.depthwise else "separable_conv" if case.separable else "conv"
    options = {"strides": case.strides, "dilation_rate": case.dilation_rate}
    if case.output_padding is not None:
        options["output_padding"] = case.output_padding
    numbers = {option: value[0] if len(set(value)) == 1 else value for option, value in options.items()}
    return getattr(keras.ops, name)(x, *kernels, padding=case.padding, data_format=case.data_format, **numbers)


def _tensor(operand: Array | None, dtype: str) -> Any:
    """The operand as a tensor of the backend."""
    return keras.ops.convert_to_tensor(_in_type(operand, dtype), dtype)


def _in_type(operand: Any, dtype: str) -> Any:
    """The operand converted by NumPy, at once: JAX would compile a conversion for every shape, a third of what its narrow types cost."""
    return operand.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype, copy=False)


def _numpy(y: Any) -> Array:
    found = np.asarray(keras.ops.convert_to_numpy(y))
    return found.astype(np.float32) if found.dtype == ml_dtypes.bfloat16 else found  # which holds it exactly, and is NumPy's own
