"""Where a run reports: what its tests found goes from their reports to the tally and the results file, and the run is held to its plan."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest

from conformance import completeness
from conformance.cases import CaseError, parse
from conformance.checks import ENVIRONMENT, NOT_OFFERED, RECORD, RENEWED, TAKEN, UNANNOUNCED
from conformance.claims import CLAIMS
from conformance.outcomes import Outcome, Verdict
from conformance.plan import PLAN
from conformance.records import Record, Writer, case_record
from conformance.summary import Tally

WRITER = pytest.StashKey[Writer]()
TALLY = pytest.StashKey[Tally]()
COMPLAINTS = pytest.StashKey[list[str]]()

ENDED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
"""How a run ends that was not cut short."""


class Collected:
    """On the process that reports: takes records out of the reports of tests, from whichever process they come."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str) -> None:
        """A worker died with this test: xdist fails the test, and here it gets its line in the results."""
        name, _, arguments = crashitem.partition("[")
        for mode in self._plan.modes:
            for text in (arguments.removesuffix("]"), arguments.removesuffix(f"-{mode}]")):
                try:
                    case = parse(text)
                except CaseError:
                    continue
                verdict = Verdict(Outcome.CRASHED, "the process died with this case")
                record = case_record(case, name.rpartition("::test_")[2], mode, verdict, None, 0.0)
                self._keep(record, True, f"{case} [{mode}]: {verdict.outcome}\n{verdict.message}", crashitem)
                return

    def __init__(self, config: pytest.Config) -> None:
        self._plan = config.stash[PLAN]
        self._tally = config.stash[TALLY]
        self._config = config
        self._environment: Record | None = None
        self._planned: set[str] = set()
        self._reported: set[str] = set()
        self._writer = config.stash.get(WRITER, None)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._planned.update(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Under xdist only the workers collect."""
        self._planned.update(ids)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Hold the run as a whole to its plan, unless it was cut short; then close the results file."""
        complete = exitstatus in ENDED and not (session.shouldstop or session.shouldfail)
        if complete and not self._config.getoption("collectonly"):
            complaints = completeness.lost(self._planned, self._reported)
            wanted = sum(len(self._plan.checks(claim)) for claim in CLAIMS.values())
            checked = self._tally.keys
            whole = len(checked) + self._tally.not_offered.total() == wanted
            strict = self._plan.grid in completeness.FULL_GRIDS and self._plan.baseline is None
            if strict and self._environment is not None and whole:
                complaints += completeness.stale(
                    self._plan.entries, self._environment, checked, self._tally.deviations, self._plan.scopes, lambda: self._plan.left_out
                )
            if self._tally.not_offered and not checked:
                complaints.append("nothing was checked: the subject offers nothing of what was asked for")
            if self._plan.model is not None and not self._plan.model.cases:
                complaints.append(f"nothing was checked: no layer of model {self._plan.model.source} can be tested, see above")
            if complaints:
                self._config.stash[COMPLAINTS].extend(complaints)
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self._writer:
            self._writer.close(complete=complete, not_offered=self._tally.not_offered)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Take from a report what is not for others to see, and announce the case that it is of, unless its worker has."""
        said, hook = {"nodeid": report.nodeid, "location": report.location}, self._config.hook
        announced = (UNANNOUNCED, True) not in report.user_properties
        self._take(report)
        if not announced:
            hook.pytest_runtest_logstart(**said)
        yield
        if not announced:
            hook.pytest_runtest_logfinish(**said)
        # pytest keeps every report to the end: the longest part goes, and what is empty is one for all
        report.keywords = _NO_KEYWORDS
        report.sections = report.sections or _NOTHING
        report.user_properties = report.user_properties or _NOTHING

    def _take(self, report: pytest.TestReport) -> None:
        self._reported.add(report.nodeid)
        if report.when != "call":
            return
        for name, value in report.user_properties:
            if name == ENVIRONMENT:
                self._environment = _record(value)
                if self._writer:
                    self._writer.environment(self._environment)
            elif name == RECORD:
                record = json.loads(str(value))
                self._keep(record, report.failed and not record["passes"], str(report.longrepr or ""), report.nodeid)
            elif name == RENEWED:
                self._tally.renewed[str(value)] += 1
            elif name == NOT_OFFERED:
                said = _record(value)
                self._tally.not_offered[said["claim"], said["mode"], said["reason"]] += 1
        # no place for them in other reports: junitxml would write every record as a property
        report.user_properties = [(n, value) for n, value in report.user_properties if n not in TAKEN]

    def _keep(self, record: Record, failed: bool, text: str, nodeid: str) -> None:
        self._tally.add(record, failed, text, nodeid)
        if self._writer:
            self._writer.case(record)


_NO_KEYWORDS: dict[str, Any] = {}
_NOTHING: list[Any] = []


def _record(value: object) -> Record:
    assert isinstance(value, dict)  # noqa: S101 - made above, in this file
    return value
