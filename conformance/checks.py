"""The tests of the gate: one for every check, which is one case held to one claim in one mode.

A grid has tens of thousands of them, and pytest keeps every test to the end of the run. A parametrized function would take 2.8 KB and
look up its fixtures anew; a check takes 1.8 KB, and asks the gate that the whole run has.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol  # not public, but what plugins that run tests their own way build on

from conformance.cases import Case
from conformance.claims import CLAIMS, Claim
from conformance.entry import PACKAGE
from conformance.gate import Gate
from conformance.isolated import Asked
from conformance.plan import PLAN
from conformance.subjects import MODES, NotOfferedError

RECORD = "convformance"
ENVIRONMENT = "convformance-environment"
NOT_OFFERED = "convformance-not-offered"
UNANNOUNCED = "convformance-unannounced"
RENEWED = "convformance-renewed"
"""Names under which a test's report carries a record (as JSON: one text crosses from process to process faster than its parts), the first
of every process its environment, what a subject does not offer, that nothing was said of its test before, and why another process of the
subject went on."""

TAKEN = (RECORD, ENVIRONMENT, NOT_OFFERED, UNANNOUNCED, RENEWED)
"""What is of this project's own in a report."""

CHECKS = pytest.StashKey[int]()
"""How many checks there are before any is deselected: who puts the results of shards together can tell whether one is missing."""

_GATE = pytest.StashKey[Gate]()
_PLACE = pytest.StashKey[int]()
_SECONDS = pytest.StashKey[float | None]()
_SAID = pytest.StashKey[bool]()


class Check(pytest.Item):
    """A test of one case in one mode; the function that is the test calls it with a claim.

    That is ``def test_forward(check: Check, case: Case, mode: str) -> None: check(case, mode, FORWARD)``, in a file of this package.
    """

    def __init__(self, *, test: Callable[[Check, Case, str], None], case: Case, mode: str, **node: Any) -> None:
        super().__init__(**node)
        self._test, self._case, self._mode = test, case, mode

    @property
    def asked(self) -> Asked:
        """What its judgement will be asked for."""
        return self._case, self._mode, _claim(self._test.__name__)

    def runtest(self) -> None:
        if self.config.getoption("trace"):
            pytest.set_trace()
        self._test(self, self._case, self._mode)

    def __call__(self, case: Case, mode: str, claim: Claim) -> None:
        """Does this case conform to this claim? Fails, passes, or is a known deviation (xfailed)."""
        gate, stash = gate_of(self.session), self.config.stash
        try:
            judgement = gate.judge(case, mode, claim, following(self))
        except NotOfferedError as error:
            self.user_properties.append((NOT_OFFERED, {"claim": claim.name, "mode": mode, "reason": str(error)}))
            raise pytest.skip.Exception(f"not offered: {error}", _use_item_location=True) from None
        renewed = gate.host.renewed()
        if renewed is not None:
            self.user_properties.append((RENEWED, renewed))
        stash[_SECONDS] = judgement.record["seconds"]
        if _SAID not in stash:
            self.user_properties.append((ENVIRONMENT, {**gate.environment, "checks": stash[CHECKS]}))
            stash[_SAID] = True
        self.user_properties.append((RECORD, json.dumps(judgement.record)))
        if not judgement.passes:
            pytest.fail(judgement.text, pytrace=False)
        if judgement.known:
            raise pytest.xfail.Exception(judgement.text, pytrace=False)  # pytest.xfail() would format a traceback, at 10 ms a case

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """An error of the project's own is shown from the test on, without pytest's way to it unless all is asked for."""
        if not self.config.getoption("fulltrace", False):  # an option of the terminal, which a run may be without
            excinfo.traceback = excinfo.traceback.cut(path=self.path)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self._test.__code__.co_firstlineno - 1, self.name


def checks(collector: pytest.Collector, name: str, found: object) -> list[Check] | None:
    """The checks that a function of this package stands for; None if it is no test of a claim."""
    if collector.path.parent != PACKAGE or not inspect.isfunction(found) or list(inspect.signature(found).parameters) != list(_PARAMETERS):
        return None
    made = []
    for case, mode in collector.config.stash[PLAN].checks(_claim(name)):
        called = f"{name}[{case}]" if mode == MODES[0] else f"{name}[{case}-{mode}]"
        # the id as a text, which pytest takes apart as it does those that its cache kept: --lf compares the parts
        made.append(Check.from_parent(collector, name=called, nodeid=f"{collector.nodeid}::{called}", test=found, case=case, mode=mode))
    return made


def _claim(name: str) -> Claim:
    """The claim that a function of this name tests."""
    return CLAIMS[name.removeprefix("test_")]


_PARAMETERS = ("check", "case", "mode")
_NO_KEYWORDS: set[str] = set()


def following(check: Check) -> Iterator[Asked]:
    """What will be asked after this check, so far as checks follow it."""
    items, stash = check.session.items, check.session.stash
    try:
        place = items.index(check, stash.get(_PLACE, 0))
    except ValueError:  # it came before: a worker has been given more
        place = items.index(check)
    stash[_PLACE] = place
    for each in islice(items, place + 1, None):
        if not isinstance(each, Check):
            return
        yield each.asked


def run(check: Check, nextitem: pytest.Item | None) -> None:
    """Run a check and report it once, not three times: thousands have nothing to say of set-up and tear-down, unless these fail.

    What a worker of xdist says costs more than the rest of a test, and it says four things a test. So it does not announce a check that
    comes to one report: `conformance.collected` does that where the report arrives.
    """
    hook, said = check.ihook, {"nodeid": check.nodeid, "location": check.location}
    in_worker = hasattr(check.config, "workerinput")
    if not in_worker:
        hook.pytest_runtest_logstart(**said)
    ran = runtestprotocol(check, nextitem=nextitem, log=False)
    reports = [report for report in ran if report.when == "call" or not report.passed]
    seconds = check.config.stash.get(_SECONDS, None)
    if seconds is not None:
        check.config.stash[_SECONDS] = None
        reports[0].duration = seconds  # what is judged together would all be on the first that asks
    alone = in_worker and len(reports) == 1
    if alone:
        reports[0].user_properties.append((UNANNOUNCED, True))
        reports[0].keywords = {}  # by far the longest part of a report, and nothing reads it there
    elif in_worker:
        hook.pytest_runtest_logstart(**said)
    for report in reports:
        hook.pytest_runtest_logreport(report=report)
    if not alone:
        hook.pytest_runtest_logfinish(**said)
    # pytest keeps every test to the end: what has been said by now goes, and what is empty is one for all
    check.user_properties.clear()
    check.extra_keyword_matches = _NO_KEYWORDS


def gate_of(session: pytest.Session) -> Gate:
    """The gate of this process, with the subject under test and its known deviations. Asked by a test, the first time.

    The last test of the process fails if the subject's process does not come to a good end.
    """
    stash = session.config.stash
    if _GATE not in stash:
        plan = stash[PLAN]
        stash[_GATE] = Gate(plan.subject, plan.entries, plan.host, plan.baseline)
        session.addfinalizer(partial(_end, stash[_GATE]))
    return stash[_GATE]


def _end(gate: Gate) -> None:
    at_end = gate.host.close()
    if at_end is not None:
        pytest.fail(at_end, pytrace=False)
