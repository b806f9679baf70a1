"""With a baseline a run fails for what no longer comes out as it did, and for nothing that did so before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.baseline import BASELINE, Baseline
from conformance.cases import parse
from conformance.outcomes import Outcome, Verdict
from conformance.records import Writer, case_record
from tests.conformance.test_gate import DEVIATION, gate, records

IDS = [f"conv2d_transpose-valid-in1x{n}x2x1-k2x3-f1-s1x1" for n in (2, 3, 4)]
CASES = [part for text in IDS for part in ("--case", text)]


def old(path: Path, *outcomes: Outcome) -> Path:
    """Results of an earlier run, an outcome for each case; fewer outcomes, fewer cases."""
    writer = Writer(path, "cases", ("eager",))
    writer.environment({"keras": None, "backend": "numpy", "subject": "earlier", "versions": {}, "flags": {}})
    for text, outcome in zip(IDS, outcomes, strict=False):
        writer.case(case_record(parse(text), "forward", "eager", Verdict(outcome), None, 0.1))
    writer.close(complete=True)
    return path


WRONG, GOOD = Outcome.WRONG_VALUE, Outcome.CONFORMS


def test_what_deviated_in_the_same_way_passes_and_is_said_to_be_of_the_baseline(tmp_path: Path) -> None:
    baseline, results = old(tmp_path / "old.jsonl", WRONG, WRONG, WRONG), tmp_path / "new.jsonl"
    options = (*CASES, "--claim", "forward", "--baseline", str(baseline), "--results", str(results))
    done = gate(*options, subject="Shifted")
    assert done.returncode == 0, done.stdout
    assert "3 xfailed" in done.stdout
    assert "(earlier): 3 checks come out as there, 0 do not" in done.stdout
    found = [line for line in records(results) if line["kind"] == "case"]
    assert [(line["outcome"], line["deviation"], line["passes"]) for line in found] == [("wrong_value", BASELINE, True)] * 3


def test_what_conformed_fails_and_what_it_was_is_said(tmp_path: Path) -> None:
    baseline = old(tmp_path / "old.jsonl", WRONG, GOOD, Outcome.WRONG_SHAPE)
    done = gate(*CASES, "--claim", "forward", "--baseline", str(baseline), "-n", "2", "-vv", subject="Shifted")
    assert done.returncode == 1
    assert "2 failed, 1 xfailed" in done.stdout
    assert f"{IDS[1]} [eager]: wrong_value\nconforms in the baseline" in done.stdout
    assert f"{IDS[2]} [eager]: wrong_value\nwrong_shape in the baseline" in done.stdout
    assert "1 checks come out as there, 2 do not" in done.stdout


def test_what_conforms_now_passes_and_calls_for_a_new_baseline(tmp_path: Path) -> None:
    done = gate(*CASES, "--claim", "forward", "--baseline", str(old(tmp_path / "old.jsonl", WRONG, GOOD, GOOD)))
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
    assert "1 that deviate there conform now: record a new baseline" in done.stdout


def test_what_the_baseline_lacks_is_judged_as_without_one(tmp_path: Path) -> None:
    done = gate(*CASES, "--claim", "forward", "--baseline", str(old(tmp_path / "old.jsonl", WRONG)), subject="Shifted")
    assert done.returncode == 1
    assert "2 failed, 1 xfailed" in done.stdout
    assert "2 are not in it and were judged as without a baseline" in done.stdout


def test_a_known_deviation_excuses_nothing_that_conformed(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(DEVIATION.format(outcome="wrong_value"), encoding="utf-8")
    options = (*CASES, "--claim", "forward", "--deviations", str(tmp_path / "own.toml"))
    baseline = ("--baseline", str(old(tmp_path / "old.jsonl", WRONG, GOOD, WRONG)))
    done = gate(*options, *baseline, subject="Shifted")
    assert done.returncode == 1
    assert "1 failed, 2 xfailed" in done.stdout
    assert "conforms in the baseline; deviation 'own' knows of it" in done.stdout


def test_a_known_deviation_that_is_gone_fails_nothing(tmp_path: Path) -> None:
    """The entry may be built in, and the news is good."""
    (tmp_path / "own.toml").write_text(DEVIATION.format(outcome="wrong_value"), encoding="utf-8")
    options = (*CASES, "--claim", "forward", "--deviations", str(tmp_path / "own.toml"))
    assert gate(*options).returncode == 1
    assert gate(*options, "--baseline", str(old(tmp_path / "old.jsonl", GOOD, WRONG, GOOD))).returncode == 0


def test_what_crashed_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    baseline = str(old(tmp_path / "old.jsonl", GOOD, Outcome.CRASHED, GOOD))
    done = gate(*CASES, "--claim", "forward", "--baseline", baseline, subject="Dying")
    assert done.returncode == 0, done.stdout
    assert "2 passed, 1 xfailed" in done.stdout


def test_a_run_of_its_own_results_passes(tmp_path: Path) -> None:
    """What a run leaves is a baseline: of the same subject nothing fails."""
    results = tmp_path / "old.jsonl"
    assert gate("--grid", "smoke", "--claim", "forward", "-q", "--results", str(results), subject="LostRow").returncode == 1
    done = gate("--grid", "smoke", "--claim", "forward", "--baseline", str(results), "-n", "2", subject="LostRow")
    assert done.returncode == 0, done.stdout
    worse = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    assert any(line.get("outcome") == "wrong_value" for line in worse)


@pytest.mark.parametrize(
    ("make", "results", "said"),
    [
        (lambda path: None, "new.jsonl", "cannot read results file"),
        (lambda path: path.write_text("no\n", encoding="utf-8"), "new.jsonl", "is not a results file"),
        (lambda path: old(path, GOOD), "old.jsonl", "would overwrite the baseline"),
    ],
    ids=["missing", "other", "same"],
)
def test_a_baseline_that_cannot_be_used_is_one_line(tmp_path: Path, make: object, results: str, said: str) -> None:
    assert callable(make)
    make(tmp_path / "old.jsonl")
    done = gate("--baseline", str(tmp_path / "old.jsonl"), "--results", str(tmp_path / results))
    assert done.returncode == 4
    assert any(said in line for line in done.stderr.splitlines())
    assert "Traceback" not in done.stdout + done.stderr
    if results == "old.jsonl":
        assert Baseline(tmp_path / "old.jsonl").outcome(parse(IDS[0]), "eager", "forward") == GOOD
