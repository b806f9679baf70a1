"""The script for a failing case: at most 15 lines, numpy and Keras, and it makes the very case."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import pytest

from conformance import probes, repro
from conformance.cases import parse
from conformance.claims import CLAIMS
from conformance.contract import error_due
from conformance.grids import grid
from conformance.subjects import MODES

CASES = grid("smoke")


def imported(text: str) -> set[str]:
    return {name.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for name in node.names}


def test_a_script_is_at_most_15_lines_of_python_that_import_numpy_and_keras_alone() -> None:
    for case in [*CASES, *(replace(case, dtype="bfloat16") for case in CASES[::10])]:
        text = repro.forward(case, "jax")
        assert len(text.splitlines()) <= 15, case
        assert imported(text) == {"os", "numpy", "keras"}


@pytest.mark.parametrize("mode", MODES[1:])
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_script_for_a_mode_is_as_short_and_runs_the_layer_in_it(mode: str, backend: str) -> None:
    offered = (mode, backend) in repro.RUNS or (mode, None) in repro.RUNS
    for case in CASES[::7]:
        text = repro.forward(case, backend, mode=mode)
        ast.parse(text)
        assert len(text.splitlines()) <= 15, case
        assert ("run = " in text, "run(x)" in text) == (offered, offered)
    assert offered == (mode != "xla" or backend == "tensorflow")


def test_a_script_on_random_floats_is_as_short() -> None:
    for case in [*CASES[::9], *(replace(case, dtype="bfloat16") for case in CASES[::9])]:
        if error_due(case) is None:
            for text in (repro.bounded(case, "jax"), repro.bounded_gradients(case, "torch")):
                assert text is not None
                ast.parse(text)
                assert len(text.splitlines()) <= 15, case


def test_the_script_prints_the_element_that_differed() -> None:
    case = parse("conv2d-same-in1x2x3x1-k1x2-f1-s1x1")
    assert repro.forward(case, "torch", (0, 1, 2, 0)).splitlines()[-1].startswith('print(y[0, 1, 2, 0], "expected", ')


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("conv2d-valid-in1x1x3x1-k2x1-f1-s1x1", "a valid window of 2 elements is larger than its input of 1"),
        ("conv2d-same-in1x3x3x1-k2x1-f1-s2x1-d1x2", "strides (2, 1) together with dilation_rate (1, 2)"),
    ],
)
def test_for_a_case_to_be_refused_it_says_what_error_is_due(text: str, says: str) -> None:
    assert f"but an error is due: {says}" in repro.forward(parse(text), "tensorflow")


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_script_of_gradients_imports_the_backend_as_well(backend: str) -> None:
    for case in [case for case in CASES if error_due(case) is None][::5]:
        text = repro.gradients(case, backend)
        assert text is not None
        assert len(text.splitlines()) <= 15, case
        assert imported(text) == {"os", "numpy", "keras", backend}


def test_a_script_of_gradients_shows_the_one_that_failed() -> None:
    case = parse("conv2d-same-in1x2x3x1-k1x2-f1-s1x1")
    expected = probes.exact_gradients_result(case, probes.exact_gradients(case))
    at = {"input": (0, 1, 2, 0), "kernel": (0, 1, 0, 0), "bias": (0,)}
    for number, name in enumerate(expected):
        text = repro.gradients(case, "torch", at[name], f"gradient with respect to the {name}: 1 of 6 elements differ")
        assert text is not None
        assert f"found[{number}]" in text
        assert text.splitlines()[-1] == f'print(g{list(at[name])}, "expected", {expected[name][at[name]]})'


def test_a_backend_that_nobody_knows_gets_no_script_of_gradients() -> None:
    assert repro.gradients(CASES[0], 'import os; os.remove("x")') is None


def test_claims_without_a_script_of_their_own_show_none_of_another() -> None:
    shown = {name: claim.script for name, claim in CLAIMS.items() if claim.script is not None}
    own = ("forward", "gradients", "bounded", "bounded_gradients")
    assert shown == {**{name: getattr(repro, name) for name in own}, "errors": repro.misuse}


INSTALLED = [backend for backend in repro.DIFFERENTIATION if find_spec("keras") and find_spec(backend)]
"""This project's own tests need none of them: where there are some, a script is run on each."""


@pytest.mark.parametrize("backend", INSTALLED)
def test_a_script_of_gradients_runs_and_prints_what_is_defined(backend: str) -> None:
    text = repro.gradients(parse("conv2d-same-in2x4x5x3-k3x2-f2-s2x1"), backend, None, "gradient with respect to the kernel: ")
    assert text is not None
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.splitlines() == [
        "gradient with respect to the kernel (3, 2, 3, 2) expected (3, 2, 3, 2)",
        "251408.0 expected 251408.0",
    ]
