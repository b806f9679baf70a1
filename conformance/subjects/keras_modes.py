"""The ways of running a built Keras layer: a function for each mode, or one for each backend where these differ.

What such a function makes takes one input after the other. ``graph``, ``xla`` and ``saved`` are made once a layer, for sizes that are not
known before; ``predict`` and what is exported are models of the input's own size, as most users have them, with the batch left open.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from conformance.cases import Case
from conformance.subjects import NotOfferedError

Run = Callable[[Any], Any]
"""An input to the layer's output."""

Differentiate = Callable[[Any, Any], Sequence[Any]]
"""An input x and weights g of the output to the gradients of ``sum(g * layer(x))`` with respect to x and the layer's variables."""

BATCH_SIZE = 2
"""Samples in a batch of ``predict``: five of them are two batches and a ragged one."""


def forward(mode: str) -> Callable[[Any, Case], Run]:
    """What makes a layer of a case run in this mode.

    Raises:
        NotOfferedError: the backend has no such mode, or this machine lacks what it needs.
    """
    found: Callable[[Any, Case], Run] = _offered(FORWARD, mode)
    return found


def gradients(mode: str) -> Callable[[Any, Case, Sequence[Any]], Differentiate]:
    """What makes a layer of a case, and the variables that matter, differentiable in this mode.

    Raises:
        NotOfferedError: as `forward`.
    """
    found: Callable[[Any, Case, Sequence[Any]], Differentiate] = _offered(GRADIENTS, mode)
    return found


def _offered(table: Mapping[str, Mapping[str, Any]], mode: str) -> Any:
    backend = keras.backend.backend()
    ways = table.get(mode, {})
    if ANY not in ways and backend not in ways:
        raise NotOfferedError(_WHY_NOT.get((mode, backend), f"mode {mode} on {backend}"))
    lacking = _NEEDS[mode, backend]() if (mode, backend) in _NEEDS else None
    if lacking is not None:
        raise NotOfferedError(f"mode {mode} on {backend}: {lacking}")
    return ways[backend] if backend in ways else ways[ANY]


# eager


def _eager(layer: Any, case: Case) -> Run:
    """The layer called."""
    run: Run = layer
    return run


# graph and xla


def _function(layer: Any, case: Case) -> Run:
    """``tf.function``, traced once for all sizes."""
    return _traced(layer, case, jit_compile=None)


def _function_for_xla(layer: Any, case: Case) -> Run:
    """``tf.function(jit_compile=True)``: traced once, compiled by XLA for every size."""
    return _traced(layer, case, jit_compile=True)


def _traced(layer: Any, case: Case, jit_compile: bool | None) -> Run:
    import tensorflow as tf

    run: Run = tf.function(lambda x: layer(x), input_signature=[_tensor_spec(case, case.channels)], jit_compile=jit_compile)
    return run


def _tensor_spec(case: Case, channels: int) -> Any:
    import tensorflow as tf

    return tf.TensorSpec(_open_shape(case, channels), case.compute_dtype)


def _jit(layer: Any, case: Case) -> Run:
    """``jax.jit`` with the weights as arguments, so that they are no constants to fold; compiled by XLA for every size."""
    import jax

    variables = layer.trainable_variables
    compiled = jax.jit(lambda weights, x: _called_with(layer, variables, weights, x))
    return lambda x: compiled([variable.value for variable in variables], x)


def _called_with(layer: Any, variables: Sequence[Any], values: Sequence[Any], x: Any) -> Any:
    """The layer with these values for its variables, as a model calls it: ``layer.stateless_call`` goes around the layer's dtype policy."""
    with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
        return layer(x)


def _compile(layer: Any, case: Case) -> Run:
    """``torch.compile`` for inference."""
    import torch

    compiled = _compiled(layer, dynamic=True)

    def run(x: Any) -> Any:
        with torch.no_grad():
            return compiled(keras.ops.convert_to_tensor(x))

    return run


def _compiled(layer: Any, *, dynamic: bool) -> Any:
    """``torch.compile``, once for all sizes if ``dynamic``.

    Dynamo keeps what it compiled by code, and the code of all layers is one: each starts afresh.

    ``fullgraph``: an error instead of a silent return to eager where the layer cannot be compiled, or was too often.
    """
    import torch

    torch._dynamo.reset()
    torch._dynamo.config.recompile_limit = 1024
    return torch.compile(layer, dynamic=dynamic, fullgraph=True)


# models


def _model(layer: Any, case: Case, shape: Sequence[int | None]) -> Any:
    """The functional model of the layer alone; ``shape`` with its batch."""
    inputs = keras.Input(batch_shape=tuple(shape), dtype=case.compute_dtype)
    return keras.Model(inputs, layer(inputs))


def _predict(layer: Any, case: Case) -> Run:
    """``predict`` of a compiled model, in batches of `BATCH_SIZE`."""

    def run(x: Any) -> Any:
        model = _model(layer, case, (None, *x.shape[1:]))
        model.compile()
        return model.predict(x, batch_size=BATCH_SIZE, verbose=0)

    return run


def _saved(layer: Any, case: Case) -> Run:
    """The model saved as ``.keras`` and loaded, called."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        _model(layer, case, _open_shape(case, case.channels)).save(path)
        loaded: Run = keras.models.load_model(path, compile=False)
    return loaded


# exported


def _saved_model(layer: Any, case: Case) -> Run:
    """``model.export`` as a SavedModel, loaded and served by TensorFlow."""
    import tensorflow as tf

    def run(x: Any) -> Any:
        with TemporaryDirectory() as folder:
            _export(layer, case, (None, *x.shape[1:]), folder, "tf_saved_model")
            served = tf.saved_model.load(folder)
        return served.serve(x)

    return run


def _torch_program(layer: Any, case: Case) -> Run:
    """``model.export`` as a program of PyTorch, loaded. Its exporter fixes the batch."""
    import torch

    def run(x: Any) -> Any:
        with TemporaryDirectory() as folder:
            path = Path(folder, "model.pt2")
            _export(layer, case, x.shape, path, "torch")
            program = torch.export.load(path).module()
        return program(keras.ops.convert_to_tensor(x))

    return run


def _litert(layer: Any, case: Case) -> Run:
    """``model.export`` for LiteRT, run by its interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    def run(x: Any) -> Any:
        with TemporaryDirectory() as folder:
            path = Path(folder, "model.tflite")
            _export(layer, case, (None, *x.shape[1:]), path, "litert")
            interpreter = Interpreter(str(path))
        inputs, outputs = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
        interpreter.resize_tensor_input(inputs, tuple(x.shape))
        interpreter.allocate_tensors()
        interpreter.set_tensor(inputs, np.asarray(x))
        interpreter.invoke()
        return interpreter.get_tensor(outputs)

    return run


def _onnx(layer: Any, case: Case) -> Run:
    """``model.export`` for ONNX, run by ONNX Runtime. PyTorch's exporter fixes the batch."""
    import onnxruntime

    def run(x: Any) -> Any:
        with TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            batch = x.shape[0] if keras.backend.backend() == "torch" else None
            _export(layer, case, (batch, *x.shape[1:]), path, "onnx")
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return session.run(None, {session.get_inputs()[0].name: np.asarray(x)})[0]

    return run


def _export(layer: Any, case: Case, shape: Sequence[int | None], path: Path | str, kind: str) -> None:
    """``model.export``. The one to ONNX wants a model that was called, here on zeros; those that fix the batch want to be told of it."""
    model = _model(layer, case, shape)
    if kind == "onnx":
        model(np.zeros([1 if extent is None else extent for extent in shape], "float32"))
    fixed = {} if None in shape else {"input_signature": [keras.InputSpec(shape=tuple(shape), dtype=case.compute_dtype)]}
    model.export(str(path), format=kind, verbose=False, **fixed)


# gradients


def _gradients_tensorflow(layer: Any, case: Case, variables: Sequence[Any]) -> Differentiate:
    import tensorflow as tf

    weights = [variable.value for variable in variables]

    def differentiate(x: Any, upstream: Any) -> Sequence[Any]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        found: Sequence[Any] = tape.gradient(y, [x, *weights], output_gradients=upstream)
        return found

    return differentiate


def _gradients_in_function(layer: Any, case: Case, variables: Sequence[Any], jit_compile: bool | None = None) -> Differentiate:
    import tensorflow as tf

    differentiate = _gradients_tensorflow(layer, case, variables)
    signature = [_tensor_spec(case, case.channels), _tensor_spec(case, case.filters)]
    run: Differentiate = tf.function(differentiate, input_signature=signature, jit_compile=jit_compile)
    return run


def _gradients_in_xla(layer: Any, case: Case, variables: Sequence[Any]) -> Differentiate:
    return _gradients_in_function(layer, case, variables, jit_compile=True)


def _gradients_jax(layer: Any, case: Case, variables: Sequence[Any]) -> Differentiate:
    """``jax.vjp`` of the layer, compiled as a whole by ``jax.jit``, as Keras compiles a training step: in mode eager, too.

    One operation after the other, each is compiled apart: seven programs a case instead of one, which takes several times as long.
    """
    import jax

    def pulled_back(weights: Sequence[Any], x: Any, upstream: Any) -> Sequence[Any]:
        _, pull_back = jax.vjp(lambda x, *weights: _called_with(layer, variables, weights, x), x, *weights)
        found: Sequence[Any] = pull_back(upstream)
        return found

    compiled = jax.jit(pulled_back)
    return lambda x, upstream: compiled([variable.value for variable in variables], x, upstream)


def _gradients_torch(layer: Any, case: Case, variables: Sequence[Any]) -> Differentiate:
    import torch

    weights = [variable.value for variable in variables]

    def differentiate(x: Any, upstream: Any) -> Sequence[Any]:
        x = x.detach().requires_grad_()
        found: Sequence[Any] = torch.autograd.grad(layer(x), [x, *weights], grad_outputs=upstream)
        return found

    return differentiate


def _gradients_in_compiled(layer: Any, case: Case, variables: Sequence[Any]) -> Differentiate:
    """Compiled for every size: with sizes unknown, inductor fails on the way back, since it cannot sort symbolic strides.

    That is https://github.com/pytorch/pytorch/issues/185510, open as of PyTorch 2.13.
    """
    return _gradients_torch(_compiled(layer, dynamic=False), case, variables)


def _open_shape(case: Case, channels: int) -> tuple[int | None, ...]:
    """Channels known, batch and sizes not, in the case's data format."""
    shape: tuple[int | None, ...] = case.in_layout((None, *(None,) * case.rank, channels))
    return shape


ANY = "any"

FORWARD: Mapping[str, Mapping[str, Callable[[Any, Case], Run]]] = {
    "eager": {ANY: _eager},
    "graph": {"tensorflow": _function, "jax": _jit, "torch": _compile},
    "xla": {"tensorflow": _function_for_xla},
    "predict": {ANY: _predict},
    "saved": {ANY: _saved},
    "exported": {"tensorflow": _saved_model, "jax": _saved_model, "torch": _torch_program},
    "litert": {"tensorflow": _litert},
    "onnx": {"tensorflow": _onnx, "torch": _onnx},
}
"""The modes by backend."""

GRADIENTS: Mapping[str, Mapping[str, Callable[[Any, Case, Sequence[Any]], Differentiate]]] = {
    "eager": {"tensorflow": _gradients_tensorflow, "jax": _gradients_jax, "torch": _gradients_torch},
    "graph": {"tensorflow": _gradients_in_function, "jax": _gradients_jax, "torch": _gradients_in_compiled},
    "xla": {"tensorflow": _gradients_in_xla},
}
"""The modes that differentiate; the others are for inference."""

_WHY_NOT = {
    ("xla", "jax"): "mode xla on jax: everything is compiled by XLA there, in mode graph as a whole",
    ("xla", "torch"): "mode xla on torch: its compiler is not XLA, see mode graph",
    ("litert", "jax"): "mode litert on jax: Keras exports to LiteRT from TensorFlow and PyTorch alone",
    (
        "litert",
        "torch",
    ): "mode litert on torch: Keras exports it by litert-torch, which this project does not know how to install beside PyTorch",
    ("onnx", "jax"): "mode onnx on jax: Keras exports it by jax2onnx, which this project does not know how to install beside JAX",
}


@lru_cache
def _lacks_module(module: str, extra: str) -> str | None:
    return None if importlib.util.find_spec(module) else f"{module} is not installed: pip install 'convformance[{extra}]'"


@lru_cache
def _lacks_compiler() -> str | None:
    """PyTorch compiles with the machine's C++ compiler; whether that works is seen by trying."""
    import torch

    try:
        torch.compile(lambda x: x + 1)(torch.ones(2))
    except Exception as error:  # whatever it says: nothing can be compiled here
        return f"torch.compile fails on x + 1: {' '.join(str(error).split())[:200]}"
    return None


_NEEDS: Mapping[tuple[str, str], Callable[[], str | None]] = {
    ("graph", "torch"): _lacks_compiler,
    ("exported", "jax"): lambda: _lacks_module("tensorflow", "tensorflow"),
    ("litert", "tensorflow"): lambda: _lacks_module("ai_edge_litert", "litert"),
    ("onnx", "tensorflow"): lambda: _lacks_module("tf2onnx", "onnx") or _lacks_module("onnxruntime", "onnx"),
    ("onnx", "torch"): lambda: _lacks_module("onnxscript", "onnx") or _lacks_module("onnxruntime", "onnx"),
}
"""What a mode needs of the machine, beyond the backend: says what is lacking, or None."""
