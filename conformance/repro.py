"""A failing case as a script: at most 15 lines, with numpy and keras alone."""

from __future__ import annotations

from conformance.cases import Case
from conformance.contract import error_due, output_shape
from conformance.probes import error_probe, exact, exact_result

_MODEL = "model = keras.Sequential([keras.Input({inner}, dtype={dtype!r}), layer])"
_FUNCTION = "import tensorflow as tf; run = tf.function(lambda x: layer(x), input_signature=[tf.TensorSpec({open}, {dtype!r})]{jit})"
RUNS = {
    ("graph", "tensorflow"): _FUNCTION.replace("{jit}", ""),
    ("graph", "jax"): "import jax; run = lambda x: jax.jit(lambda w, x: layer.stateless_call(w, [], x)[0])("
    "[v.value for v in layer.weights], x)",
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


def script(case: Case, backend: str, at: tuple[int, ...] | None = None, mode: str = "eager") -> str:
    """Python that makes the operands of the case, runs the layer in the mode, and prints what it got beside what is defined.

    ``at`` is the element to print, by default the one in the middle.
    """
    due = error_due(case)
    probe = exact(case) if due is None else error_probe(case)
    arguments = ", ".join(f"{name}={value!r}" for name, value in case.layer_arguments().items())
    lines = [f'import os; os.environ["KERAS_BACKEND"] = "{backend}"', "import numpy as np, keras"]
    for name, draw in probe.draws.items():
        lines += draw.code(name)
    if due is not None:
        lines.append(f'x = np.ones({probe.x.shape}, "float32")')
    lines.append(f"layer = keras.layers.{case.keras_name}({arguments})")
    open_shape = case.in_layout((None, *(None,) * case.rank, case.channels))
    lines.append(f"layer.build({open_shape})")
    run = RUNS.get((mode, backend), RUNS.get((mode, None), ""))
    if run:
        inner = case.in_layout(case.input_shape)[1:]
        lines.append(run.format(inner=inner, open=open_shape, open_inner=open_shape[1:], dtype=case.dtype))
    call = "run(x)" if run else "layer(x)"
    if due is not None:
        return "\n".join([*lines, f'print({call}.shape, "but an error is due: {due}")'])
    weights = ["kernel", *(["pointwise"] if case.separable else []), *(["bias"] if case.use_bias else [])]
    lines.insert(len(lines) - bool(run), f"layer.set_weights([{', '.join(weights)}])")
    lines += [
        f'y = keras.ops.convert_to_numpy(keras.ops.cast({call}, "{"float64" if case.dtype == "float64" else "float32"}"))',
        f'print(y.shape, "expected", {output_shape(case)})',
    ]
    expected = exact_result(case, probe.x, probe.kernel, probe.bias, probe.pointwise)
    if expected.size:
        at = at or tuple(n // 2 for n in expected.shape)
        lines.append(f'print(y{list(at)}, "expected", {expected[at]})')
    return "\n".join(lines)
