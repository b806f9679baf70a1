"""The gate as a user runs it: pytest in a process of its own, on small subjects that are right or wrong in a known way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
SUBJECTS = "tests.conformance.subjects"


def gate(
    *arguments: str, subject: str = "Right", claim: str = "forward", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    said = ["-p", "no:cacheprovider", "--subject", f"{SUBJECTS}:{subject}", "--claim", claim]
    command = [sys.executable, "-m", "pytest", "conformance", *said, *arguments]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False, env=environment)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def without_times(path: Path) -> list[str]:
    lines = [{key: value for key, value in line.items() if key != "seconds"} for line in records(path)]
    return sorted(json.dumps(line, sort_keys=True) for line in lines)


def test_a_right_subject_passes_at_any_number_of_workers_with_the_same_results(tmp_path: Path) -> None:
    outcomes = []
    for workers in ("0", "1", "3"):
        path = tmp_path / f"{workers}.jsonl"
        done = gate("--grid", "smoke", "-n", workers, "--results", str(path))
        assert done.returncode == 0, done.stdout
        assert "convformance: tests.conformance.subjects:Right" in done.stdout
        outcomes.append(without_times(path))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    kinds = [line["kind"] for line in records(tmp_path / "3.jsonl")]
    assert kinds[0] == "environment"
    assert kinds[-1] == "summary"
    assert kinds.count("case") == len(kinds) - 2 > 600


@pytest.mark.parametrize("workers", ["0", "2"])
def test_every_case_is_announced_and_ended_once_for_other_plugins(tmp_path: Path, workers: str) -> None:
    """Where tests are reported pytest has its three hooks a test, in their order, though workers say less."""
    plugin = """
said = []
def pytest_runtest_logstart(nodeid, location): said.append(("start", nodeid))
def pytest_runtest_logreport(report): said.append((report.when, report.nodeid, [name for name, _ in report.user_properties]))
def pytest_runtest_logfinish(nodeid, location): said.append(("finish", nodeid))
def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        for each in said: print("SAID", *each)
"""
    (tmp_path / "listening.py").write_text(plugin, encoding="utf-8")
    cases = [f"conv2d-valid-in1x{size}x5x1-k2x3-f1-s1x1" for size in (3, 4, 5)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = gate("-p", "listening", "-n", workers, *(f"--case={case}" for case in cases), environment=environment)
    assert done.returncode == 0, done.stdout
    for case in cases:
        nodeid = f"conformance/test_forward.py::test_forward[{case}]"
        said = [line for line in done.stdout.splitlines() if line.startswith("SAID") and nodeid in line]
        assert said == [f"SAID start {nodeid}", f"SAID call {nodeid} []", f"SAID finish {nodeid}"]


def test_collecting_imports_no_framework(tmp_path: Path) -> None:
    """What collects is in every worker: a framework in it would be there twice, and cost its memory and its start."""
    plugin = """
import sys
found = {"keras", "tensorflow", "jax", "torch"}
def pytest_collection_finish(session): print("FRAMEWORKS", len(session.items), *(found & sys.modules.keys()))
"""
    (tmp_path / "looking.py").write_text(plugin, encoding="utf-8")
    # every file of the gate; with Keras as the subject, which is not looked for before the first test asks
    command = [sys.executable, "-m", "pytest", "conformance", "-q", "--collect-only", "-p", "looking", "-p", "no:cacheprovider", "-s"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    if find_spec("keras") is None or find_spec("tensorflow") is None:
        command.append(f"--subject={SUBJECTS}:Right")  # the gate declines to run without Keras
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert done.returncode == 0, done.stdout
    (said,) = (line.split() for line in done.stdout.splitlines() if line.startswith("FRAMEWORKS"))
    assert int(said[1]) > 5000
    assert said[2:] == []


def test_what_a_subject_does_not_offer_is_said_with_its_count_and_never_passed(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    done = gate("--grid", "smoke", "--results", str(path), "-n", "2", claim="forward,gradients")
    assert done.returncode == 0, done.stdout
    found = records(path)
    (left_out,) = (line for line in found if line["kind"] == "not_offered")
    assert (left_out["claim"], left_out["mode"], left_out["reason"]) == ("gradients", "eager", "no method 'gradients'")
    assert left_out["cases"] > 600
    assert {line["claim"] for line in found if line["kind"] == "case"} == {"forward"}
    assert f"{left_out['cases']:,} not offered gradients in mode eager: no method 'gradients'" in done.stdout
    assert f"{left_out['cases']} skipped" in done.stdout


def test_a_run_that_checked_nothing_does_not_pass() -> None:
    for asked in (("--mode", "graph"), ("--claim", "gradients")):
        done = gate("--case", "conv2d-valid-in1x3x4x1-k1x2-f1-s1x1", *asked)
        assert done.returncode == 1, done.stdout
        assert "nothing was checked: the subject offers nothing of what was asked for" in done.stdout


@pytest.mark.parametrize(
    ("subject", "case", "outcome", "picture"),
    [
        ("Shifted", "conv2d-valid-in1x3x4x1-k1x2-f1-s1x1", "wrong_value", "XXX\nXXX\nXXX"),
        ("LostRow", "conv2d_transpose-same-in1x2x3x1-k3x3-f2-s2x1", "wrong_value", "...\n...\n...\nXXX"),
        ("Accepting", "conv2d-valid-in1x1x3x1-k2x1-f1-s1x1", "accepted", ""),
    ],
)
def test_a_wrong_subject_fails_and_the_message_says_where(subject: str, case: str, outcome: str, picture: str) -> None:
    done = gate("--case", case, subject=subject)
    assert done.returncode == 1
    assert f"{case} [eager]: {outcome}" in done.stdout
    assert picture in done.stdout


@pytest.mark.parametrize("subject", ["Shifted", "LostRow", "Accepting"])
def test_the_smallest_grid_rejects_every_wrong_subject(subject: str) -> None:
    done = gate("--grid", "smoke", "-q", "--tb=no", subject=subject)
    assert done.returncode == 1, done.stdout[-2000:]


def test_the_case_of_the_readme_runs() -> None:
    assert gate("--case", "conv2d_transpose-same-in1x1000x1x1-k2x3-f1-s2x3").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--case", "conv2d-same-in1x2x2x1-k1x1-f1-s1x1-z9"), "cannot read 'z9' in case id"),
        (("--mode", "eager,dreaming"), "unknown mode 'dreaming'"),
        (("--deviations", "missing.toml"), "cannot read deviations file missing.toml"),
        (("--results", "missing/run.jsonl"), "cannot write results file missing/run.jsonl: No such file or directory"),
        (("--grid", "tiny"), "invalid choice: 'tiny'"),
    ],
)
def test_a_bad_option_is_a_usage_error_in_one_line(arguments: tuple[str, ...], says: str) -> None:
    done = gate(*arguments)
    assert done.returncode == 4
    assert any(says in line for line in done.stderr.splitlines())
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("tests.conformance.subjects", "expected module:attribute"),
        ("no_such_module:Subject", "cannot import 'no_such_module'"),
        (f"{SUBJECTS}:Absent", "has no 'Absent'"),
        ("collections:Counter", "lacks modes, environment, forward"),
    ],
)
def test_a_subject_that_cannot_be_had_is_a_usage_error_in_one_line(name: str, says: str) -> None:
    done = gate("--subject", name, "--case", "conv2d-same-in1x2x2x1-k1x1-f1-s1x1")
    assert done.returncode == 4
    assert any(says in line for line in done.stderr.splitlines())
    assert "Traceback" not in done.stdout + done.stderr


def test_a_worker_that_dies_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    ids = [f"conv2d_transpose-valid-in1x{n}x2x1-k2x3-f1-s1x1" for n in (1, 2, 3, 4, 5)]
    done = gate("-n", "2", "--results", str(path), *(part for text in ids for part in ("--case", text)), subject="Dying")
    assert done.returncode == 1
    found = {line["id"]: line["outcome"] for line in records(path) if line["kind"] == "case"}
    assert found == {text: "crashed" if "in1x3" in text else "conforms" for text in ids}


DEVIATION = """
[[deviation]]
id = "own"
outcome = "{outcome}"
reason = "a fault that is planted for this test"
where = {{ layer = "conv2d_transpose" }}
first_axis = {{ size = 3 }}
"""


def test_a_case_known_to_crash_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(DEVIATION.format(outcome="crashed"), encoding="utf-8")
    chosen = [f"--case=conv2d_transpose-valid-in1x{n}x2x1-k2x3-f1-s1x1" for n in (2, 3, 1)]
    done = gate("--deviations", str(tmp_path / "own.toml"), *chosen, subject="Dying")
    assert done.returncode == 0, done.stdout
    assert "2 passed, 1 xfailed" in done.stdout


def test_a_covered_case_that_conforms_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(DEVIATION.format(outcome="declined"), encoding="utf-8")
    done = gate("--deviations", str(tmp_path / "own.toml"), "--case", "conv2d_transpose-valid-in1x3x2x1-k2x3-f1-s1x1")
    assert done.returncode == 1
    assert "fixed upstream: narrow or delete the entry" in done.stdout


def test_another_outcome_than_the_recorded_one_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(DEVIATION.format(outcome="declined"), encoding="utf-8")
    done = gate("--deviations", str(tmp_path / "own.toml"), "--case", "conv2d_transpose-valid-in1x3x2x1-k2x3-f1-s1x1", subject="Shifted")
    assert done.returncode == 1
    assert "deviation 'own' says declined" in done.stdout


def test_what_a_heuristic_entry_does_not_show_the_next_may_say(tmp_path: Path) -> None:
    crash = DEVIATION.format(outcome="crashed").replace("own", "crash") + "heuristic = true\n"
    entries, results = tmp_path / "own.toml", tmp_path / "run.jsonl"
    for outcome, code in (("wrong_value", 0), ("declined", 1)):
        entries.write_text(crash + DEVIATION.format(outcome=outcome), encoding="utf-8")
        case = ("--case", "conv2d_transpose-valid-in1x3x2x1-k2x3-f1-s1x1")
        done = gate("--deviations", str(entries), "--results", str(results), *case, subject="Shifted")
        assert done.returncode == code, done.stdout
        assert [line["deviation"] for line in records(results) if line["kind"] == "case"] == ["crash" if code else "own"]


def test_an_entry_that_covers_nothing_fails_a_full_grid(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(DEVIATION.format(outcome="declined").replace("size = 3", "size = 77"), encoding="utf-8")
    done = gate("--deviations", str(tmp_path / "own.toml"), "-n", "2", "-q")
    assert done.returncode == 1
    assert "deviation 'own' covers no case of this grid" in done.stdout


def test_a_heuristic_entry_that_no_case_comes_to_fails_a_full_grid(tmp_path: Path) -> None:
    # of this claim alone: of claims that were not asked for nothing is known
    entry = DEVIATION.format(outcome="declined").replace("where = {", 'where = { claim = "forward",')
    (tmp_path / "own.toml").write_text(entry + "heuristic = true\n", encoding="utf-8")
    done = gate("--deviations", str(tmp_path / "own.toml"), "-n", "2", "-q")
    assert done.returncode == 1
    assert "deviation 'own': all cases it covers conform" in done.stdout
