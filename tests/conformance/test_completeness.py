"""A run that lost a test, or whose deviations are out of date, does not pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance import deviations
from conformance.cases import parse
from conformance.completeness import lost, stale
from conformance.deviations import Deviation

CASES = (parse("conv2d-same-in1x2x2x1-k1x1-f1-s1x1"), parse("conv2d-same-in2x2x2x1-k1x1-f1-s1x1"))
ENVIRONMENT = {"backend": "numpy", "versions": {}, "flags": {}}


def entry(tmp_path: Path, body: str) -> Deviation:
    path = tmp_path / "own.toml"
    path.write_text(f'[[deviation]]\nid = "own"\noutcome = "declined"\nreason = "because"\n{body}\n', encoding="utf-8")
    return deviations.load([path])[-1]


def test_a_planned_test_that_is_never_reported_is_said() -> None:
    assert lost({"a", "b"}, {"a", "b"}) == []
    assert lost({"a", "c", "b"}, {"a"}) == ["2 planned test(s) never reported, the first is b"]


@pytest.mark.parametrize(
    ("body", "seen", "says"),
    [
        ("where = { batch = 2 }", 1, None),
        ("where = { batch = 7 }", 0, "covers no case of this grid"),
        ('where = { batch = 7 }\nenvironment = { backend = "jax" }', 0, None),
        ("where = { batch = 2 }\nheuristic = true", 0, "all cases it covers conform"),
        ("where = { batch = 2 }\nheuristic = true", 1, None),
        ("where = { batch = 2 }", 0, "entries before it speak for every case it covers"),
        ('where = { batch = 7, mode = "graph" }', 0, None),
        ('where = { batch = 7, claim = "gradients" }', 0, None),
        ('where = { batch = 7, dtype = ["float16", "float64"] }', 0, None),
        ('where = { batch = 7, mode = "eager", claim = ["gradients", "forward"], dtype = "float32" }', 0, "covers no case of this grid"),
    ],
)
def test_an_entry_that_no_case_came_to_is_said_where_it_applies(tmp_path: Path, body: str, seen: int, says: str | None) -> None:
    complaints = stale([entry(tmp_path, body)], ENVIRONMENT, [(case, "eager", "forward") for case in CASES], {"own": seen})
    assert (says is None) == (complaints == [])
    if says is not None:
        assert len(complaints) == 1
        assert says in complaints[0]


@pytest.mark.parametrize(
    ("modes", "partial", "asked_for"),
    [
        (["eager", "predict"], ["predict"], False),  # it may occur in what predict was not run on
        (["predict"], ["predict"], True),  # or where should it occur?
        (["eager", "predict"], [], True),
        (["eager"], [], False),  # not run
    ],
)
def test_an_entry_is_asked_for_where_its_cases_were_run(modes: list[str], partial: list[str], asked_for: bool, tmp_path: Path) -> None:
    one = entry(tmp_path, f"where = {{ batch = 7, mode = {modes} }}")
    complaints = stale([one], ENVIRONMENT, [(CASES[0], "predict", "forward")], {}, partial)
    assert bool(complaints) == asked_for


def test_an_entry_that_may_occur_in_a_claim_that_was_not_asked_for_is_left_alone(tmp_path: Path) -> None:
    checks = [(CASES[0], "eager", "determinism")]
    for body in ("where = { batch = 2 }", "where = { batch = [1, 2] }\nheuristic = true"):
        one = entry(tmp_path, body)
        assert len(stale([one], ENVIRONMENT, checks, {})) == 1
        assert stale([one], ENVIRONMENT, checks, {}, (), lambda: [(CASES[1], "eager", "forward")]) == []
        assert len(stale([one], ENVIRONMENT, checks, {}, (), lambda: [(CASES[1], "eager", "shapes")])) == 1
