"""A failing case as a script: at most 15 lines, with numpy, keras and, for gradients and modes, the packages that these need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conformance import attempts, families, rounding
from conformance.cases import Case
from conformance.contract import error_due, output_shape
from conformance.probes import Probe, error_probe, exact, exact_gradients, exact_gradients_result, exact_result
from reference.arguments import Array

Script = Callable[[Case, str, tuple[int, ...] | None, str, str], str | None]
"""Makes the script for a case on a backend; ``at`` is the element to print, by default the one in the middle, the message of the verdict
says what failed, and last comes the mode. None where there is nothing to show."""

_MODEL = "model = keras.Sequential([keras.Input({inner}, dtype={dtype!r}), layer])"
_FUNCTION = "import tensorflow as tf; run = tf.function(lambda x: layer(x), input_signature=[tf.TensorSpec({open}, {dtype!r})]{jit})"
RUNS = {
    ("graph", "tensorflow"): _FUNCTION.replace("{jit}", ""),
    ("graph", "jax"): "import jax\ndef call(w, x):\n    with keras.StatelessScope(list(zip(layer.weights, w))): return layer(x)\n"
    "run = lambda x: jax.jit(call)([v.value for v in layer.weights], x)",
    ("graph", "torch"): "import torch; run = lambda x: torch.compile(layer, dynamic=True)(torch.from_numpy(x))",
    ("xla", "tensorflow"): _FUNCTION.replace("{jit}", ", jit_compile=True"),
    ("predict", None): _MODEL + "; run = lambda x: model.predict(x, batch_size=2)",
    ("saved", None): _MODEL.replace("{inner}", "{open_inner}") + '; model.save("m.keras"); run = keras.models.load_model("m.keras")',
    ("exported", "torch"): _MODEL + '; model(x); model.export("m.pt2", format="torch")'
    '; import torch; m = torch.export.load("m.pt2").module(); run = lambda x: m(torch.from_numpy(x))',
    ("exported", None): _MODEL + '; model.export("m"); import tensorflow as tf; m = tf.saved_model.load("m"); run = m.serve',
    ("litert", None): _MODEL + '; model.export("m.tflite", format="litert"); from ai_edge_litert.interpreter import Interpreter'
    '; m = Interpreter("m.tflite").get_signature_runner()'
    "; run = lambda x: list(m(**{{name: x for name in m.get_input_details()}}).values())[0]",
    ("onnx", None): _MODEL + '; model(x); model.export("m.onnx", format="onnx"); import onnxruntime'
    '; m = onnxruntime.InferenceSession("m.onnx"); run = lambda x: m.run(None, {{m.get_inputs()[0].name: x}})[0]',
}  # fmt: skip
"""The line that makes ``run`` of ``layer``, for each mode on a backend, or on those not named."""


def forward(case: Case, backend: str, at: tuple[int, ...] | None = None, message: str = "", mode: str = "eager") -> str:
    """Python that makes the operands of the case, runs the layer in the mode, and prints what it got beside what is defined."""
    run, call = _run(case, backend, mode)
    due = error_due(case)
    if due is not None:
        lines = _layer(case, error_probe(case), backend, "")
        lines.insert(2, f'x = np.ones({case.in_layout(case.input_shape)}, "{_numbers(case)}")')
        return "\n".join([*lines, _weights(case)[0], *run, f'print({call}.shape, "but an error is due: {due}")'])
    probe = exact(case)
    return _forward(case, probe, exact_result(case, probe.x, probe.kernel, probe.bias, probe.pointwise), backend, at, mode)


def bounded(case: Case, backend: str, at: tuple[int, ...] | None = None, message: str = "", mode: str = "eager") -> str:
    """As `forward`, on random floats; what is defined is the exact result, which no order of summation need give."""
    probe = families.floats(case)
    return _forward(case, probe, rounding.forward_sums(case, probe).value, backend, at, mode)


def _forward(case: Case, probe: Probe, expected: Array, backend: str, at: tuple[int, ...] | None, mode: str) -> str:
    run, call = _run(case, backend, mode)
    lines = [
        *_layer(case, probe, backend, ""),
        *_weights(case),
        *run,
        f"y = {_as_numpy(call, case)}",
        f'print(y.shape, "expected", {output_shape(case)})',
    ]
    return "\n".join([*lines, *_element("y", expected, at)])


def gradients(case: Case, backend: str, at: tuple[int, ...] | None = None, message: str = "", mode: str = "eager") -> str | None:
    """Python that differentiates ``sum(upstream * layer(x))`` as the backend does, and prints a gradient beside the defined one.

    The gradient is the one that the message names, by default that of the input. None for a backend that is not known, and
    for another mode than eager: what is shown must fail.
    """
    probe = exact_gradients(case)
    return _gradients(case, probe, exact_gradients_result(case, probe), backend, at, message, mode)


def bounded_gradients(case: Case, backend: str, at: tuple[int, ...] | None = None, message: str = "", mode: str = "eager") -> str | None:
    """As `gradients`, on random floats."""
    probe = families.float_gradients(case)
    expected = {name: sums.value for name, sums in rounding.gradient_sums(case, probe).items()}
    return _gradients(case, probe, expected, backend, at, message, mode)


def _gradients(
    case: Case, probe: Probe, expected: Mapping[str, Array], backend: str, at: tuple[int, ...] | None, message: str, mode: str
) -> str | None:
    if backend not in DIFFERENTIATION or mode != "eager":
        return None
    package, differentiate = DIFFERENTIATION[backend]
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


def misuse(case: Case, backend: str, at: tuple[int, ...] | None = None, message: str = "", mode: str = "eager") -> str:
    """The layer with what it must refuse, met on the route of the case."""
    attempt = attempts.of(case)
    arguments = ", ".join(
        f"{name}={'float(' + repr(str(value)) + ')' if value != value else repr(value)}" for name, value in attempt.arguments.items()
    )
    meet = {
        "eager": 'print(layer(np.ones({shape}, "float32")).shape)',
        "symbolic": "print(layer(keras.KerasTensor({shape})).shape)",
        "shape": "print(layer.compute_output_shape({shape}))",
    }[attempt.route]
    return "\n".join(
        [
            f'import os; os.environ["KERAS_BACKEND"] = "{backend}"',
            "import numpy as np, keras",
            f"layer = keras.layers.{case.keras_name}({arguments})",
            *([f"layer.build({attempt.shapes[0]})"] if attempt.route == "shape" else []),
            *(meet.format(shape=shape) for shape in (attempt.shapes[-1:] if attempt.route == "shape" else attempt.shapes)),
            f"# due: {attempt.misuse.due} ({attempt.misuse})",
        ]
    )


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
            "model = keras.Sequential([layer]); model(x); run = lambda x, *weights: model.stateless_call(weights, (), x)[0]",
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


def _run(case: Case, backend: str, mode: str) -> tuple[list[str], str]:
    """The line that makes ``run``, if there is one for the mode, and what calls the layer."""
    line = RUNS.get((mode, backend), RUNS.get((mode, None)))
    if line is None:
        return [], "layer(x)"
    known, unknown = case.in_layout(case.input_shape), case.in_layout((None, *(None,) * case.rank, case.channels))
    return [line.format(inner=known[1:], open=unknown, open_inner=unknown[1:], dtype=case.compute_dtype)], "run(x)"


def _weights(case: Case) -> list[str]:
    """Lines that build the layer and give it its weights; one, where a second kernel takes a line."""
    weights = ["kernel", *(["pointwise"] if case.separable else []), *(["bias"] if case.use_bias else [])]
    lines = [
        f"layer.build({case.in_layout((None, *(None,) * case.rank, case.channels))})",
        f"layer.set_weights([{', '.join(weights)}])",
    ]
    return ["; ".join(lines)] if case.separable else lines


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
