"""A results file has the lines that the interface promises, at any moment of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conformance.cases import parse
from conformance.outcomes import Outcome, Verdict
from conformance.records import Writer, case_record, installed

CASE = parse("conv2d-same-in1x2x2x1-k1x1-f1-s1x1")
SUBJECT = {"keras": "3.15.1", "backend": "jax", "device": "cpu", "versions": {"jax": "0.10.2"}, "flags": {"x": 1}}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_run_leaves_environment_cases_and_summary(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    writer = Writer(path, "smoke", ("eager",))
    writer.environment(SUBJECT)
    writer.environment(SUBJECT)  # a second worker says the same
    writer.case(case_record(CASE, "forward", "eager", Verdict(Outcome.CONFORMS), None, 0.25))
    writer.case(case_record(CASE, "forward", "eager", Verdict(Outcome.DECLINED, "no"), "known", 0.5))
    writer.close(complete=True)
    environment, first, second, summary = lines(path)
    assert {"kind", "schema", "python", "platform", "keras", "backend", "versions", "flags", "grid"} <= set(environment)
    assert (environment["kind"], environment["backend"], environment["grid"]) == ("environment", "jax", "smoke")
    assert first == {
        "kind": "case",
        "id": "conv2d-same-in1x2x2x1-k1x1-f1-s1x1",
        "claim": "forward",
        "layer": "conv2d",
        "mode": "eager",
        "outcome": "conforms",
        "deviation": None,
        "passes": True,
        "error_in_bounds": None,
        "seconds": 0.25,
        "message": "",
    }
    assert (second["outcome"], second["deviation"], second["message"]) == ("declined", "known", "no")
    assert summary["kind"] == "summary"
    assert summary["counts"] == {"conforms": 1, "declined": 1}
    assert summary["deviations"] == {"known": 1}
    assert summary["seconds"] >= 0


def test_an_interrupted_run_keeps_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    writer = Writer(path, "smoke", ("eager",))
    writer.environment(SUBJECT)
    writer.case(case_record(CASE, "forward", "eager", Verdict(Outcome.CONFORMS), None, 0.25))
    assert [line["kind"] for line in lines(path)] == ["environment", "case"]  # before anything is closed
    writer.close(complete=False)
    assert [line["kind"] for line in lines(path)] == ["environment", "case"]


def test_versions_are_read_without_importing() -> None:
    assert installed("pytest") is not None
    assert installed("no-such-package") is None
    assert installed("no-such-package", "numpy") == installed("numpy")
