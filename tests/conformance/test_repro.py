"""The script for a failing case: at most 15 lines, numpy and keras alone, and it makes the very case."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from conformance.cases import parse
from conformance.grids import grid
from conformance.repro import RUNS, script
from conformance.subjects import MODES

CASES = grid("smoke")


def test_a_script_is_at_most_15_lines_of_python_that_import_numpy_and_keras_alone() -> None:
    for case in [*CASES, *(replace(case, dtype="bfloat16") for case in CASES[::10])]:
        text = script(case, "jax")
        assert len(text.splitlines()) <= 15, case
        imported = {name.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for name in node.names}
        assert imported == {"os", "numpy", "keras"}


@pytest.mark.parametrize("mode", MODES[1:])
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_script_for_a_mode_is_as_short_and_runs_the_layer_in_it(mode: str, backend: str) -> None:
    offered = (mode, backend) in RUNS or (mode, None) in RUNS
    for case in CASES[::7]:
        text = script(case, backend, mode=mode)
        ast.parse(text)
        assert len(text.splitlines()) <= 15, case
        assert ("run = " in text, "run(x)" in text) == (offered, offered)
    assert offered == (mode != "xla" or backend == "tensorflow")


def test_the_script_prints_the_element_that_differed() -> None:
    case = parse("conv2d-same-in1x2x3x1-k1x2-f1-s1x1")
    assert script(case, "torch", (0, 1, 2, 0)).splitlines()[-1].startswith('print(y[0, 1, 2, 0], "expected", ')


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("conv2d-valid-in1x1x3x1-k2x1-f1-s1x1", "a valid window of 2 elements is larger than its input of 1"),
        ("conv2d-same-in1x3x3x1-k2x1-f1-s2x1-d1x2", "strides (2, 1) together with dilation_rate (1, 2)"),
    ],
)
def test_for_a_case_to_be_refused_it_says_what_error_is_due(text: str, says: str) -> None:
    assert f"but an error is due: {says}" in script(parse(text), "tensorflow")
