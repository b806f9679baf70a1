"""How far a long run has come: cases done, rate, time left, failures so far.

On a terminal one line that is written again and again, in place of pytest's dots; elsewhere (CI logs, files) a line of its own now and
then between the dots. Quiet runs, verbose ones and short ones are left as pytest has them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable
from typing import Any

import pytest

from conformance.cases import LAYERS

AT_LEAST = 200
"""Cases that make a run long."""

LIVE, LOGGED = 0.2, 30.0
"""Seconds between two lines on a terminal, and in a log."""


def line(done: int, total: int, failed: int, seconds: float) -> str:
    """The state of a run in one line."""
    rate = done / seconds if seconds > 0 else 0.0
    left = f"{clock((total - done) / rate)} left" if rate else "no rate yet"
    percent = 100 * done // total if total else 0
    return f"{done:,} of {total:,} cases ({percent}%), {rate:,.0f}/s, {left}, {failed:,} failed"


def clock(seconds: float) -> str:
    """``m:ss``, or ``h:mm:ss``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def cases(nodeids: Iterable[str]) -> int:
    """How many of these are cases of the gate."""
    return sum(nodeid.partition("[")[2].partition("-")[0] in LAYERS for nodeid in nodeids)


class Progress:
    """On the process that reports: counts what is done, from whichever process it comes."""

    def __init__(self, reporter: pytest.TerminalReporter, now: Callable[[], float] = time.monotonic, at_least: int = AT_LEAST) -> None:
        """``at_least`` so many cases make a run long."""
        self._reporter = reporter
        self._at_least = at_least
        self._now = now
        self._total = self._done = self._failed = 0
        self._started = self._said = now()
        self._drawn = False
        terminal = bool(reporter.isatty) and not os.environ.get("CI")
        self._live = terminal and reporter.config.get_terminal_writer().hasmarkup

    @property
    def _speaks(self) -> bool:
        return self._total >= self._at_least and self._reporter.config.get_verbosity() == 0

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._begin(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Every worker collects all; the first that is done says how many."""
        if not self._total:
            self._begin(ids)

    def _begin(self, nodeids: Iterable[str]) -> None:
        self._total = cases(nodeids)
        self._started = self._said = self._now()

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self, report: Any) -> Generator[None, Any, Any]:
        """No dot for a case where a line says it all. The category stays: pytest counts by it."""
        status = yield
        if self._live and self._speaks and report.when == "call" and cases([report.nodeid]):
            return status[0], "", ""
        return status

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not (report.when == "call" or (report.when == "setup" and report.failed)) or not cases([report.nodeid]):
            return
        self._done += 1
        self._failed += report.failed
        now = self._now()
        if self._speaks and now - self._said >= (LIVE if self._live else LOGGED):
            self._said = now
            self._say(now)

    def _say(self, now: float) -> None:
        text = line(self._done, self._total, self._failed, now - self._started)
        if self._live:
            self._reporter.rewrite(text[: self._reporter.config.get_terminal_writer().fullwidth - 1], erase=True)
            self._drawn = True
            return
        self._reporter.ensure_newline()
        if self._reporter.config.get_terminal_writer().width_of_current_line:
            self._reporter.line("")
        self._reporter.write_line(text)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        try:
            return (yield)
        finally:
            if self._drawn:
                self._say(self._now())
                self._reporter.line("")
