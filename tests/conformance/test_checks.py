"""Checks are tests of their own kind: what people do with pytest's own works with them, too."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
CASES = [f"conv2d-valid-in1x{size}x4x1-k1x2-f1-s1x1" for size in (3, 4)]


def gate(*arguments: str, said: str = "", path: Path | None = None) -> subprocess.CompletedProcess[str]:
    chosen = [f"--case={case}" for case in CASES]
    options = ["-p", "no:cacheprovider", "--subject", "tests.conformance.subjects:Right", *chosen]
    environment = {**os.environ, "PYTHONPATH": str(path)} if path else None
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments],
        cwd=CHECKOUT,
        input=said,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
    )


def test_a_check_is_chosen_by_its_id_its_name_or_a_word_of_it() -> None:
    for chosen in (
        ["conformance", "-k", f"test_forward and {CASES[1]}"],
        [f"conformance/test_forward.py::test_forward[{CASES[1]}]"],
        ["conformance/test_forward.py", f"--deselect=conformance/test_forward.py::test_forward[{CASES[0]}]"],
    ):
        done = gate(*chosen, "-v")
        assert done.returncode == 0, done.stdout
        assert f"test_forward[{CASES[1]}] PASSED" in done.stdout
        assert "1 passed" in done.stdout


def test_an_error_of_the_project_is_shown_from_the_test_on(tmp_path: Path) -> None:
    broken = """
from conformance.gate import Gate
def judge(*_): raise RuntimeError("ours")
Gate.judge = judge
"""
    (tmp_path / "broken.py").write_text(broken, encoding="utf-8")
    done = gate("conformance/test_forward.py", "-p", "broken", path=tmp_path)
    assert done.returncode == 1
    assert "RuntimeError: ours" in done.stdout
    assert "check(case, mode, FORWARD)" in done.stdout
    assert "runner.py" not in done.stdout
    assert "runner.py" in gate("conformance/test_forward.py", "-p", "broken", "--full-trace", path=tmp_path).stdout


def test_a_run_renews_a_process_that_holds_much_and_says_so(tmp_path: Path) -> None:
    """With the limits that a run has of itself, not those of a test: the kernel's for mappings, half of the machine's for memory."""
    for held, most in (("mappings", "most_mappings"), ("memory", "half_of_memory")):
        often = f"""
from conformance import isolated, process
isolated.WEIGHED, isolated.TOGETHER = 2, 1
process.Process.{held} = process.{most}() * 3 // 4
"""
        (tmp_path / f"often_{held}.py").write_text(often, encoding="utf-8")
        for workers in ("0", "1"):
            done = gate("conformance/test_forward.py", "-p", f"often_{held}", "-n", workers, path=tmp_path)
            assert done.returncode == 0, done.stdout
            assert f"1 started anew the subject, whose process had come to hold half of the {held} that a process may have" in done.stdout


@pytest.mark.parametrize("workers", ["0", "1"])
def test_each_check_has_its_own_duration_though_they_are_judged_together(workers: str, tmp_path: Path) -> None:
    together = "from conformance import isolated\nisolated.TOGETHER_SECONDS = 60.0\n"
    (tmp_path / "together.py").write_text(together, encoding="utf-8")
    slow = ("--subject", "tests.conformance.perils:Slow", "-p", "together", "--durations=0", "-vv", "-n", workers)
    done = gate("conformance/test_forward.py", *slow, path=tmp_path)
    assert done.returncode == 0, done.stdout
    durations = re.findall(r"^(1\.\d+)s call .*test_forward\[(.*)\]", done.stdout, re.MULTILINE)
    assert sorted(case for _, case in durations) == CASES


@pytest.mark.parametrize("workers", ["0", "1"])
def test_what_follows_a_check_is_judged_with_it_in_whatever_order_they_run(workers: str, tmp_path: Path) -> None:
    plugin = f"""
from pathlib import Path
from conformance.process import Process
ask = Process.ask_together
def noted(process, seconds, function, calls, most):
    with Path({str(tmp_path / "judged")!r}).open("a") as file:
        if function == "conformance.served:judge":
            print(*(case for _, case, *_ in calls), file=file)
    return ask(process, seconds, function, calls, 60.0 if most else 0.0)
Process.ask_together = noted
def pytest_collection_modifyitems(items):
    items.reverse()
"""
    (tmp_path / "backwards.py").write_text(plugin, encoding="utf-8")
    options = ("-p", "backwards", "-p", "no:randomly", "-n", workers)  # nobody else is to order them
    done = gate("conformance/test_forward.py", "conformance/test_shapes.py", *options, path=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "2 passed, 2 skipped" in done.stdout  # of what is not offered, too
    assert (tmp_path / "judged").read_text(encoding="utf-8").split() == [*reversed(CASES), *reversed(CASES)]
    assert len((tmp_path / "judged").read_text(encoding="utf-8").splitlines()) == 1


def test_tracing_stops_before_each_check() -> None:
    done = gate("conformance/test_forward.py", "--trace", said="c\nc\n")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("-> self._test(self, self._case, self._mode)") == 2


def test_a_run_without_any_check_does_not_pass() -> None:
    done = gate("conformance", "--claim", "errors")  # of misuses, and these cases are none
    assert done.returncode == 5
    assert "no tests ran" in done.stdout
