"""A failing case as a script: at most 15 lines, with numpy, keras and, for gradients, the backend's own package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.cases import Case
from conformance.contract import error_due, output_shape
from conformance.probes import Probe, error_probe, exact, exact_gradients, exact_gradients_result, exact_result
from reference.arguments import Array

Script = Callable[[Case, str, tuple[int, ...] | None, str], str | None]
"""Makes the script for a case on a backend; ``at`` is the element to print, by default the one in the middle, and the message of the
verdict says what failed. None where there is nothing to show."""


def forward(case: Case, backend: str, at: tuple[int, ...] | None = None, message: str = "") -> str:
    """Python that makes the operands of the case, runs the layer, and prints what it got beside what is defined."""
    due = error_due(case)
    if due is not None:
        lines = _layer(case, error_probe(case), backend, "")
        lines.insert(2, f'x = np.ones({case.in_layout(case.input_shape)}, "{_numbers(case)}")')
        return "\n".join([*lines, f'print(layer(x).shape, "but an error is due: {due}")'])
    probe = exact(case)
    lines = [
        *_layer(case, probe, backend, ""),
        *_weights(case),
        f"y = {_as_numpy('layer(x)', case)}",
        f'print(y.shape, "expected", {output_shape(case)})',
    ]
    return "\n".join([*lines, *_element("y", exact_result(case, probe.x, probe.kernel, probe.bias, probe.pointwise), at)])


def gradients(case: Case, backend: str, at: tuple[int, ...] | None = None, message: str = "") -> str | None:
    """Python that differentiates ``sum(upstream * layer(x))`` as the backend does, and prints a gradient beside the defined one.

    The gradient is the one that the message names, by default that of the input. None for a backend that is not known.
    """
    if backend not in DIFFERENTIATION:
        return None
    package, differentiate = DIFFERENTIATION[backend]
    probe = exact_gradients(case)
    expected = exact_gradients_result(case, probe)
    name = next((name for name in expected if f"gradient with respect to the {name}" in message), "input")
    convert = f'x, upstream = (keras.ops.convert_to_tensor(operand, "{case.compute_dtype}") for operand in (x, upstream))'
    lines = [
        *_layer(case, probe, backend, package),
        *_weights(case),
        convert,
        *differentiate,
        f"g = {_as_numpy(f'found[{list(expected).index(name)}]', case)}",
        f'print("gradient with respect to the {name}", g.shape, "expected", {expected[name].shape})',
    ]
    return "\n".join([*lines, *_element("g", expected[name], at)])


DIFFERENTIATION: dict[str, tuple[str, tuple[str, ...]]] = {
    "tensorflow": (
        ", tensorflow as tf",
        (
            "with tf.GradientTape() as tape: tape.watch(x); y = layer(x)",
            "found = tape.gradient(y, [x, *(v.value for v in layer.trainable_variables)], upstream)",
        ),
    ),
    "jax": (
        ", jax",
        (
            "run = lambda x, *weights: layer.stateless_call(weights, (), x)[0]",
            "found = jax.jit(lambda *at: jax.vjp(run, *at)[1](upstream))(x, *(v.value for v in layer.trainable_variables))",
        ),
    ),
    "torch": (
        ", torch",
        ("found = torch.autograd.grad(layer(x.requires_grad_()), [x, *(v.value for v in layer.trainable_variables)], upstream)",),
    ),
}
"""What a script imports to differentiate on each backend, and how it does: ``found`` belongs to the input and the weights in order."""


def _layer(case: Case, probe: Probe, backend: str, package: str) -> list[str]:
    """Lines that import, draw the operands, and make the layer."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in case.layer_arguments().items())
    lines = [f'import os; os.environ["KERAS_BACKEND"] = "{backend}"', f"import numpy as np, keras{package}"]
    for name, draw in probe.draws.items():
        lines += draw.code(name)
    return [*lines, f"layer = keras.layers.{case.keras_name}({arguments})"]


def _weights(case: Case) -> list[str]:
    """Lines that build the layer and give it its weights."""
    weights = ["kernel", *(["pointwise"] if case.separable else []), *(["bias"] if case.use_bias else [])]
    return [
        f"layer.build({case.in_layout((None, *(None,) * case.rank, case.channels))})",
        f"layer.set_weights([{', '.join(weights)}])",
    ]


def _numbers(case: Case) -> str:
    """A type that NumPy has, and that holds the numbers of the case."""
    return "float64" if case.compute_dtype == "float64" else "float32"


def _as_numpy(what: str, case: Case) -> str:
    return f'keras.ops.convert_to_numpy(keras.ops.cast({what}, "{_numbers(case)}"))'


def _element(name: str, expected: Array, at: Any) -> list[str]:
    """A line that prints one element; none if there are no elements."""
    if not expected.size:
        return []
    at = at or tuple(n // 2 for n in expected.shape)
    return [f'print({name}{list(at)}, "expected", {expected[at]})']
