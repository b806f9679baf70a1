"""``python -m conformance.subjects.keras_model SOURCE FOLDER``: the convolution layers of a user's model, as cases.

A process of its own lists them, since the one that reports must not import Keras. It leaves ``model.json`` in the folder: the layers that
can be tested with their case ids, and the others with the reason why not; of a file also ``weights.npz``, the kernels and biases.

Input shapes are those that the layers are called with when the model is run once on zeros: so they are right for nested models, for
layers that are shared, and for models that are written as code. A file is loaded in Keras's safe mode: it brings no code along.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from conformance.cases import DTYPES, LAYERS, Case, CaseError
from conformance.models import LISTED, WEIGHTS, ModelError

LAYER_NAMES = {layer.keras_name: name for name, layer in LAYERS.items()}
OPEN_SIZE = 224
"""What stands for a size that a model's input leaves open."""


def load(source: str) -> Any:
    """The model that ``FILE.keras`` holds, or that ``module:callable`` makes.

    Raises:
        ModelError: there is no such file or callable, or it gives no model.
    """
    model = _from_file(Path(source)) if source.endswith(".keras") else _from_callable(source)
    if not isinstance(model, keras.Model):
        raise ModelError(f"{source} gives a {type(model).__name__}, expected a keras.Model")
    return model


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise ModelError(f"cannot read model file {str(path)!r}: {'not a file' if path.exists() else 'no such file'}")
    if not zipfile.is_zipfile(path):
        raise ModelError(f"cannot read model file {str(path)!r}: not a .keras archive")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises errors of many kinds for what it cannot make of a file
        unknown = re.search(r"Could not locate (?:class|function) '([^']+)'", str(error))
        if unknown is not None:
            said = f"it needs the custom object {unknown[1]!r}, which no file brings along: give a module:callable that makes the model"
        else:
            said = _in_one_line(error)
        raise ModelError(f"cannot load model file {str(path)!r}: {said}") from None


def _from_callable(source: str) -> Any:
    module, separator, attribute = source.partition(":")
    if not separator or not module or not attribute:
        raise ModelError(f"cannot read model {source!r}: expected FILE.keras or module:callable")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ModelError(f"cannot import model {source!r}: {_in_one_line(error)}") from None
    if isinstance(found, keras.Model):
        return found
    if not callable(found):
        raise ModelError(f"model {source!r} cannot be called: it is a {type(found).__name__}")
    try:
        return found(**({"weights": None} if _takes_weights(found) else {}))
    except (Exception, SystemExit) as error:  # the user's own code
        raise ModelError(f"calling {source!r} failed: {_in_one_line(error)}") from None


def _takes_weights(make: Callable[..., Any]) -> bool:
    try:
        return "weights" in inspect.signature(make).parameters
    except (TypeError, ValueError):
        return False


def _in_one_line(error: BaseException) -> str:
    sentence = " ".join(str(error).split()).partition(". ")[0]
    return f"{type(error).__name__}: {sentence[:240]}{'…' if len(sentence) > 240 else ''}"


def describe(source: str, model: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What ``model.json`` says, and of a file the arrays of ``weights.npz``, by the number of the layer and the name of the weight."""
    layers = list(_layers(model, ()))
    notes: list[str] = []
    shapes = _called_with(model, [layer for _, layer in layers], notes)
    tested: list[dict[str, str]] = []
    untested: list[dict[str, str]] = []
    arrays: dict[str, Any] = {}
    for path, layer in layers:
        reason = why_not(layer)
        if reason is None and not shapes.get(id(layer)):
            reason = "not called when the model is run on zeros" if not notes else "not reached when the model was run on zeros"
        if reason is not None:
            untested.append({"name": path, "class": type(layer).__name__, "reason": reason})
            continue
        for shape in shapes[id(layer)]:
            try:
                case = case_of(layer, shape)
            except CaseError as error:
                untested.append({"name": path, "class": type(layer).__name__, "reason": str(error)})
                continue
            own = {name: _array(getattr(layer, name)) for name in (*case.kernel_names, *(["bias"] if case.use_bias else []))}
            if not all(np.isfinite(values).all() for values in own.values()):
                untested.append({"name": path, "class": type(layer).__name__, "reason": "its weights are not all finite"})
                continue
            if source.endswith(".keras"):
                arrays.update({f"{len(tested)} {name}": values for name, values in own.items()})
            tested.append({"name": path, "id": str(case)})
    return {"source": source, "layers": tested, "untested": untested, "notes": notes}, arrays


def _array(variable: Any) -> Any:
    values = keras.ops.convert_to_numpy(keras.ops.cast(variable, "float32" if variable.dtype == "bfloat16" else variable.dtype))
    return np.asarray(values)


def _layers(layer: Any, path: tuple[str, ...], seen: set[int] | None = None) -> Iterator[tuple[str, Any]]:
    """Every layer that is a convolution, or may be one, with the names on the way to it; each once."""
    seen = set() if seen is None else seen
    for inner in layer._flatten_layers(recursive=False, include_self=False):  # the one place where Keras tells what is inside a layer
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        here = (*path, inner.name)
        if concerns(inner):
            yield "/".join(here), inner
            if _from_keras(inner):  # nothing inside is called by itself
                continue
        yield from _layers(inner, here, seen)


def concerns(layer: Any) -> bool:
    """Whether a layer is a convolution, or may be one: a kind of Keras's convolution layers, or of unknown make and with weights."""
    if any(base.__name__ in LAYER_NAMES or base.__name__.startswith("ConvLSTM") for base in type(layer).__mro__):
        return True
    return not _from_keras(layer) and not isinstance(layer, keras.Model) and bool(layer._trainable_variables)


def _from_keras(layer: Any) -> bool:
    return str(type(layer).__module__).partition(".")[0] == "keras"


def why_not(layer: Any) -> str | None:
    """Why a layer cannot be tested, None if it can."""
    kind = type(layer)
    if getattr(keras.layers, kind.__name__, None) is not kind or kind.__name__ not in LAYER_NAMES:
        bases = [base.__name__ for base in kind.__mro__[1:] if base.__name__ in LAYER_NAMES]
        if bases:
            return f"a class derived from {bases[0]}: what it computes is not known here"
        if _from_keras(layer):
            return "not one of the layers that are tested"
        return "a layer of unknown make: what it computes is not known here"
    if getattr(layer, "lora_enabled", False):
        return "its kernel is adapted by LoRA"
    if getattr(layer, "quantization_mode", None) is not None:
        return f"quantised to {layer.quantization_mode}"
    if dtype_of(layer) not in DTYPES:
        return f"its dtype policy {layer.dtype_policy.name} is not one of {', '.join(DTYPES)}"
    return None


def dtype_of(layer: Any) -> str:
    """The type of the layer as a case has it: the policy if cases have it, or else the type that it computes in."""
    name = str(layer.dtype_policy.name)
    return name if name in DTYPES else str(layer.compute_dtype)


def case_of(layer: Any, shape: tuple[int, ...]) -> Case:
    """The case that this layer is when it is called on an input of this shape, in its own data format.

    Raises:
        CaseError: cases have no such layer.
    """
    name = LAYER_NAMES[type(layer).__name__]
    kind = LAYERS[name]
    shape = shape if layer.data_format == "channels_last" else (shape[0], *shape[2:], shape[1])
    multiplier = layer.depth_multiplier if kind.multiplied else 1
    given = getattr(layer, "output_padding", None)
    return Case(
        layer=name,
        padding=layer.padding,
        input_shape=shape,
        kernel_size=tuple(layer.kernel_size),
        filters=shape[-1] * multiplier if kind.depthwise else layer.filters,
        strides=tuple(layer.strides),
        dilation_rate=tuple(layer.dilation_rate),
        output_padding=None if given is None else (given,) * kind.rank if isinstance(given, int) else tuple(given),
        groups=layer.groups if kind.plain else 1,
        dtype=dtype_of(layer),
        data_format=layer.data_format,
        use_bias=layer.use_bias,
        data="wide_input",
        depth_multiplier=multiplier,
    )


def _called_with(model: Any, layers: list[Any], notes: list[str]) -> dict[int, list[tuple[int, ...]]]:
    """The input shapes that each of the layers is called with, by its id, when the model is run once on zeros; no shape twice."""
    shapes: dict[int, dict[tuple[int, ...], None]] = {}

    def watched(layer: Any) -> None:
        call = layer.call

        def call_and_note(inputs: Any, *others: Any, **named: Any) -> Any:
            if hasattr(inputs, "shape"):
                shapes.setdefault(id(layer), {})[tuple(int(n) for n in inputs.shape)] = None
            return call(inputs, *others, **named)

        # on this object alone, and past Keras's tracking of attributes
        object.__setattr__(layer, "call", call_and_note)

    for layer in layers:
        watched(layer)
    try:
        given, named = _arguments(model, notes)
        if not given and not named:
            notes.append("the model is not built, so the shape of its input is not known: give one that was built, or called")
            return {}
        model(*given, **named, training=False)
    except Exception as error:  # the model's own code, or a framework that has not the layers
        notes.append(f"the model could not be run on zeros: {_in_one_line(error)}")
    return {layer: list(found) for layer, found in shapes.items()}


def _arguments(model: Any, notes: list[str]) -> tuple[list[Any], dict[str, Any]]:
    """Zeros to call a model on: of its inputs or, if it is written as code, of the shapes that it was built for; none if there are none."""
    inputs = getattr(model, "inputs", None)
    if inputs:
        zeros = [_zeros(tensor.name, tensor.shape, tensor.dtype, notes) for tensor in inputs]
        return [keras.tree.pack_sequence_as(model.input, zeros) if len(zeros) > 1 else zeros[0]], {}
    built = model.get_build_config() or {}
    alone = [_zeros("x", shape, keras.config.floatx(), notes) for shape in [built.get("input_shape")] if shape]
    named = {name.removesuffix("_shape"): shape for name, shape in built.get("shapes_dict", {}).items()}
    return alone, {name: _zeros(name, shape, keras.config.floatx(), notes) for name, shape in named.items()}


def _zeros(name: str, shape: tuple[int | None, ...], dtype: str, notes: list[str]) -> Any:
    """Zeros of an input's shape: a batch of one, and `OPEN_SIZE` for other sizes that are open."""
    first, *rest = shape
    if None in rest:
        notes.append(f"input {name} of shape {tuple(shape)} leaves sizes open: {OPEN_SIZE} is taken")
    return keras.ops.zeros((first or 1, *(OPEN_SIZE if n is None else n for n in rest)), dtype=dtype)


def main(arguments: list[str]) -> int:
    """List a model's layers; 2 if it cannot be had, with one line about it."""
    source, folder = arguments
    warnings.simplefilter("ignore")  # what a framework warns of is no matter here
    sys.path.insert(0, "")  # a user's module lies where the run is started
    try:
        listed, arrays = describe(source, load(source))
    except ModelError as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is how it answers
        return 2
    if arrays:
        np.savez(Path(folder, WEIGHTS), **arrays)
    Path(folder, LISTED).write_text(json.dumps(listed), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
