"""A run survives what it tests, and what is interrupted leaves what it had. ``python -m tests.survival`` shows it at more workers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conformance.results import Run, read
from tests.conformance.perils import PERILS
from tests.survival import HOUSE, plan, survey

PERILOUS = "tests.conformance.perils"
IDS = [f"conv2d-same-in1x{n}x2x1-k1x2-f1-s1x1" for n in range(1, 9)]


def command(subject: str, *arguments: str) -> list[str]:
    chosen = [part for case in IDS for part in ("--case", case)]
    return [sys.executable, "-m", "pytest", "conformance/test_forward.py", "--subject", f"{PERILOUS}:{subject}", *chosen, *arguments]


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["no-workers", "two-workers"])
def test_every_case_is_reported_whatever_the_others_do(workers: tuple[str, ...], tmp_path: Path) -> None:
    counts, _, faults = survey(workers, tmp_path)
    assert faults == []
    assert counts.total() == len(plan()) > 3 * len(PERILS)


def test_a_subject_that_dies_when_loaded_is_a_usage_error() -> None:
    done = subprocess.run(command("DyingWhenLoaded"), cwd=HOUSE, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 4
    assert "cannot be loaded: the process was killed by SIGABRT" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_crash_at_the_end_of_the_process_fails_the_run(workers: str) -> None:
    done = subprocess.run(command("DyingAtItsEnd", "-n", workers), cwd=HOUSE, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert "the process was killed by SIGABRT when it was told to end" in done.stdout


def test_what_a_subject_printed_stands_beside_its_failure() -> None:
    done = subprocess.run(command("Talkative"), cwd=HOUSE, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert "Captured stderr call" in done.stdout
    assert "said to stdout" in done.stdout


@pytest.mark.parametrize("arguments", [("--hung-after", "0"), ("--memory", "-1"), ("--memory", "nan")])
def test_what_is_no_limit_is_a_usage_error_in_one_line(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(command("Perilous", *arguments), cwd=HOUSE, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 4
    assert f"{arguments[0]} must be more than 0" in done.stderr


def interrupted(started_command: list[str], path: Path) -> Run:
    """What there is of a run that got Ctrl-C after its first cases."""
    started = subprocess.Popen(
        started_command, cwd=HOUSE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    for _ in range(600):
        if path.exists() and path.read_text(encoding="utf-8").count('"kind": "case"') >= 2:
            break
        time.sleep(0.1)
    os.killpg(started.pid, signal.SIGINT)
    said, _ = started.communicate(timeout=60)
    assert started.returncode == pytest.ExitCode.INTERRUPTED, said
    return read(path)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_an_interrupted_run_leaves_what_it_had(workers: str, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    run = interrupted(command("Slow", "-n", workers, "--results", str(path), "-p", "no:cacheprovider"), path)
    assert not run.complete
    assert 2 <= len(run.entries) < len(IDS)
    assert all(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("workers", ["0", "2"])
def test_what_failed_in_an_interrupted_run_can_be_run_again_alone(workers: str, tmp_path: Path) -> None:
    path, cache = tmp_path / "run.jsonl", ("-o", f"cache_dir={tmp_path / 'cache'}")
    run = interrupted(command("SlowAndWrong", "-n", workers, "--results", str(path), *cache), path)
    again = subprocess.run(
        command("SlowAndWrong", "--lf", "--collect-only", "-q", *cache), cwd=HOUSE, capture_output=True, text=True, check=False, timeout=300
    )
    assert again.returncode == 0, again.stdout
    collected = set(re.findall(r"::test_forward\[(.+)\]$", again.stdout, re.MULTILINE))
    assert collected == {str(case) for case, *_ in run.entries}
    assert 2 <= len(collected) < len(IDS)
