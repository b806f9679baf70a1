"""The pytest side of the gate: options, which cases become tests, and what the tests found on its way to the results file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from conformance import deviations, grids
from conformance.cases import Case, CaseError, parse
from conformance.gate import KERAS, Claim, Gate
from conformance.outcomes import Outcome, Verdict
from conformance.progress import Progress
from conformance.results import Record, Writer, case_record, installed
from conformance.subjects import MODES
from conformance.summary import Screen, Tally

RECORD = "convformance"
ENVIRONMENT = "convformance-environment"
"""Names under which a test's report carries a record, and the first of every process its environment."""

FRAMEWORKS = {"tensorflow": ("tensorflow", "tensorflow-cpu"), "jax": ("jax",), "torch": ("torch",)}
"""Packages that a backend may be installed as."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("convformance", "conformance of convolution layers")
    group.addoption("--grid", choices=tuple(grids.BOUNDS), default="standard", help="which cases to run (default: %(default)s)")
    group.addoption("--case", action="append", default=[], metavar="ID", help="run this case instead of a grid; may be repeated")
    group.addoption("--mode", default=MODES[0], metavar="M,…", help=f"ways of running a layer: {', '.join(MODES)} (default: %(default)s)")
    group.addoption("--subject", default=KERAS, metavar="MODULE:ATTRIBUTE", help="test this implementation instead of keras.layers")
    group.addoption("--results", metavar="FILE.jsonl", help="write what was found, one JSON object a line")
    group.addoption("--deviations", action="append", default=[], metavar="FILE.toml", help="known deviations beside the built-in ones")


class Plan:
    """What this run is to check, read from the options."""

    def __init__(self, config: pytest.Config) -> None:
        """Raises: pytest.UsageError, one line, for an option that cannot be understood."""
        try:
            self.chosen = tuple(dict.fromkeys(parse(text) for text in config.getoption("--case")))
            self.entries = deviations.load(Path(name) for name in config.getoption("--deviations"))
        except (CaseError, deviations.DeviationsError) as error:
            raise pytest.UsageError(str(error)) from None
        self.modes = tuple(dict.fromkeys(config.getoption("--mode").split(",")))
        for mode in self.modes:
            if mode not in MODES:
                raise pytest.UsageError(f"unknown mode {mode!r}: expected some of {', '.join(MODES)}, joined by commas")
        self.grid: str = "cases" if self.chosen else config.getoption("--grid")
        self.subject: str = config.getoption("--subject")

    @property
    def cases(self) -> tuple[Case, ...]:
        return self.chosen or grids.grid(self.grid)


PLAN = pytest.StashKey[Plan]()
WRITER = pytest.StashKey[Writer]()
TALLY = pytest.StashKey[Tally]()


def pytest_configure(config: pytest.Config) -> None:
    plan = config.stash[PLAN] = Plan(config)
    config.stash[TALLY] = Tally()
    results = config.getoption("--results")
    if results and not hasattr(config, "workerinput"):
        try:
            config.stash[WRITER] = Writer(Path(results), plan.grid, plan.modes)
        except OSError as error:
            raise pytest.UsageError(f"cannot write results file {results}: {error.strerror}") from None
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Collected(config), "convformance-collected")
        config.pluginmanager.register(Screen(config.stash[TALLY]), "convformance-screen")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Unless another way was asked for, give every worker one stretch of the cases: those that share a layer stand side by side."""
    if config.getoption("dist") != "load":
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    writer = session.config.stash.get(WRITER, None)
    if writer is not None:
        writer.close(complete=exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED))


def pytest_sessionstart(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(Progress(reporter), "convformance-progress")


def pytest_report_header(config: pytest.Config) -> list[str]:
    plan = config.stash[PLAN]
    if plan.subject == KERAS:
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        subject = f"Keras {installed('keras')} on {backend} {installed(*FRAMEWORKS.get(backend, (backend,)))}"
    else:
        subject = plan.subject
    scope = f"{len(plan.chosen)} chosen case(s)" if plan.chosen else f"grid {plan.grid}"
    return [f"convformance: {subject}, numpy {installed('numpy')}; {scope}; mode {', '.join(plan.modes)}"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    plan = metafunc.config.stash[PLAN]
    if "case" in metafunc.fixturenames and "mode" in metafunc.fixturenames:
        metafunc.parametrize(
            ("case", "mode"),
            [
                pytest.param(case, mode, id=str(case) if mode == MODES[0] else f"{case}-{mode}")
                for mode in plan.modes
                for case in plan.cases
            ],
        )


class Check:
    """What a test of the gate asks: does this case conform to this claim? Fails, passes, or is a known deviation (xfailed)."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._said = False

    def __call__(self, request: pytest.FixtureRequest, case: Case, mode: str, claim: Claim) -> None:
        judgement = self._gate.judge(case, mode, claim)
        if not self._said:
            request.node.user_properties.append((ENVIRONMENT, self._gate.environment))
            self._said = True
        request.node.user_properties.append((RECORD, judgement.record))
        if not judgement.passes:
            pytest.fail(judgement.text, pytrace=False)
        if judgement.deviation is not None:
            pytest.xfail(judgement.text)


@pytest.fixture(scope="session")
def gate(request: pytest.FixtureRequest) -> Gate:
    """The subject under test and its known deviations."""
    plan = request.config.stash[PLAN]
    return Gate(plan.subject, plan.entries)


@pytest.fixture(scope="session")
def check(gate: Gate) -> Check:
    """Judges a case by a claim and reports what came out."""
    return Check(gate)


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
        self._writer = config.stash.get(WRITER, None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call":
            return
        for name, value in report.user_properties:
            if name == ENVIRONMENT and self._writer:
                self._writer.environment(_record(value))
            elif name == RECORD:
                self._keep(_record(value), report.failed, str(report.longrepr or ""), report.nodeid)
        # no place for them in other reports: junitxml would write every record as a property
        report.user_properties = [(name, value) for name, value in report.user_properties if name not in (RECORD, ENVIRONMENT)]

    def _keep(self, record: Record, failed: bool, text: str, nodeid: str) -> None:
        self._tally.add(record, failed, text, nodeid)
        if self._writer:
            self._writer.case(record)


def _record(value: object) -> Record:
    assert isinstance(value, dict)  # noqa: S101 - made above, in this file
    return value
