"""A long run says how far it is, on a terminal and in a log."""

from __future__ import annotations

import errno
import os
import pty
import re
import sys

import pytest

from conformance.progress import AT_LEAST, Progress, cases, clock, line
from tests.conformance.test_gate import CHECKOUT, SUBJECTS


def test_the_line() -> None:
    assert line(1204, 3036, 3, 8.0) == "1,204 of 3,036 cases (39%), 150/s, 0:12 left, 3 failed"
    assert line(0, 3036, 0, 0.0) == "0 of 3,036 cases (0%), 0/s, no rate yet, 0 failed"
    assert line(3036, 3036, 0, 10.0).endswith("0:00 left, 0 failed")


@pytest.mark.parametrize(("seconds", "says"), [(0.4, "0:00"), (59.6, "1:00"), (125, "2:05"), (3725, "1:02:05")])
def test_the_clock(seconds: float, says: str) -> None:
    assert clock(seconds) == says


def test_only_cases_of_the_gate_count() -> None:
    assert (
        cases(
            [
                "conformance/test_forward.py::test_forward[conv2d-same-in1x1x1x1-k1x1-f1-s1x1]",
                "tests/test_x.py::test_y[conv]",
                "tests/test_z.py",
            ]
        )
        == 1
    )


def on_a_terminal(*arguments: str) -> str:
    """What a run writes where its output is a terminal."""
    said = ["-p", "no:cacheprovider", "--subject", f"{SUBJECTS}:LostRow", "--claim", "forward"]
    command = [sys.executable, "-m", "pytest", "conformance", *said, *arguments]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(CHECKOUT)
        os.environ.pop("CI", None)
        os.environ["TERM"] = "xterm"
        os.execv(sys.executable, command)  # noqa: S606 - our own command, on the terminal that was just made
    seen = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # a terminal whose process has ended
                raise
            break
        if not part:
            break
        seen += part
    os.close(terminal)
    os.waitpid(pid, 0)
    return seen.decode(errors="replace")


LIVE = re.compile(r"\r([\d,]+) of ([\d,]+) cases \((\d+)%\), [\d,]+/s, [\d:]+ left, ([\d,]+) failed")


@pytest.mark.parametrize("workers", ["0", "2"])
def test_on_a_terminal_one_line_lives_in_place_of_the_dots(workers: str) -> None:
    seen = on_a_terminal("--grid", "smoke", "-n", workers, "--tb=no")
    found = LIVE.findall(seen)
    assert found
    done, total, percent, failed = (int(each.replace(",", "")) for each in found[-1])
    assert (done, percent) == (total, 100)
    assert int(re.search(r"(\d+) failed.*in ", seen)[1]) == failed > 0  # type: ignore[index]  # no match is a failure as well
    assert not re.search(r"\.{20}", seen)


def test_quiet_and_short_runs_have_pytests_own_dots() -> None:
    assert not LIVE.search(on_a_terminal("--grid", "smoke", "-q", "--tb=no"))
    assert not LIVE.search(on_a_terminal("--case", "conv2d-same-in1x2x2x1-k1x1-f1-s1x1"))


class Log:
    """The parts of pytest's reporter that progress uses, writing to a log; the config and the terminal writer that it asks for as well."""

    isatty = False
    hasmarkup = False
    width_of_current_line = 0
    fullwidth = 80

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.config = self

    def get_verbosity(self) -> int:
        return 0

    def get_terminal_writer(self) -> Log:
        return self

    def ensure_newline(self) -> None:
        self.width_of_current_line = 0

    def write_line(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.parametrize(("number", "expected"), [(AT_LEAST, [59, 119, 179]), (AT_LEAST - 1, [])])
def test_a_log_has_a_line_of_its_own_now_and_then(number: int, expected: list[int]) -> None:
    """Cases of half a second: every half minute 60 of them."""
    log, seconds = Log(), [0.0]
    progress = Progress(log, now=lambda: seconds[0])  # type: ignore[arg-type]  # the parts that are used
    ids = [f"conformance/test_forward.py::test_forward[conv2d-same-in1x{n}x2x1-k1x1-f1-s1x1]" for n in range(1, number + 1)]
    progress.pytest_xdist_node_collection_finished(ids)
    progress.pytest_xdist_node_collection_finished(ids)  # the second worker
    for nodeid in ids:
        seconds[0] += 0.5
        for when, outcome in (("setup", "passed"), ("call", "failed" if "in1x7x" in nodeid else "passed"), ("teardown", "passed")):
            progress.pytest_runtest_logreport(pytest.TestReport(nodeid, ("", 0, ""), {}, outcome, None, when))  # type: ignore[arg-type]  # closed lists of words
    assert [int(text.split()[0]) for text in log.lines] == [each + 1 for each in expected]
    for text in log.lines:
        assert f"of {AT_LEAST} cases" in text
        assert ", 2/s, " in text
        assert text.endswith("1 failed")
