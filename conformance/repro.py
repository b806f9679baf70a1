"""A failing case as a script: at most 15 lines, with numpy and keras alone."""

from __future__ import annotations

from conformance.cases import Case
from conformance.contract import error_due, output_shape
from conformance.probes import error_probe, exact, exact_result


def script(case: Case, backend: str, at: tuple[int, ...] | None = None) -> str:
    """Python that makes the operands of the case, runs the layer, and prints what it got beside what is defined.

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
    if due is not None:
        return "\n".join([*lines, f'print(layer(x).shape, "but an error is due: {due}")'])
    weights = ["kernel", *(["pointwise"] if case.separable else []), *(["bias"] if case.use_bias else [])]
    lines += [
        f"layer.build({case.in_layout((None, *(None,) * case.rank, case.channels))})",
        f"layer.set_weights([{', '.join(weights)}])",
        f'y = keras.ops.convert_to_numpy(keras.ops.cast(layer(x), "{"float64" if case.dtype == "float64" else "float32"}"))',
        f'print(y.shape, "expected", {output_shape(case)})',
    ]
    expected = exact_result(case, probe.x, probe.kernel, probe.bias, probe.pointwise)
    if expected.size:
        at = at or tuple(n // 2 for n in expected.shape)
        lines.append(f'print(y{list(at)}, "expected", {expected[at]})')
    return "\n".join(lines)
