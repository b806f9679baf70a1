"""The pytest side of the gate: options, which cases become tests, and what the tests found on its way to the results file."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol  # not public, but what plugins that run tests their own way build on

from conformance import completeness, deviations, exploring, grids, models, scopes
from conformance.baseline import Baseline, Held
from conformance.cases import DTYPES, Case, CaseError, parse
from conformance.claims import CLAIMS, Claim
from conformance.entry import PACKAGE, names_the_gate
from conformance.explore import SECONDS, Explorer
from conformance.exploring import EXPLORED, Exploration, Stretch
from conformance.gate import KERAS, Gate
from conformance.hostile import HOSTILE
from conformance.isolated import Host, InProcess, Isolated, Limits, half_of_memory
from conformance.outcomes import Outcome, Verdict
from conformance.progress import AT_LEAST, Progress
from conformance.results import Record, ResultsError, Writer, case_record, installed
from conformance.subjects import MODES, NotOfferedError, SubjectError
from conformance.summary import Screen, Tally

RECORD = "convformance"
ENVIRONMENT = "convformance-environment"
NOT_OFFERED = "convformance-not-offered"
UNANNOUNCED = "convformance-unannounced"
"""Names under which a test's report carries a record (as JSON: one text crosses from process to process faster than its parts), the first
of every process its environment, what a subject does not offer, and that nothing was said of its test before."""

TAKEN = (RECORD, ENVIRONMENT, NOT_OFFERED, UNANNOUNCED)
"""What is of this project's own in a report."""

FRAMEWORKS = {"tensorflow": ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu"), "jax": ("jax",), "torch": ("torch",)}
"""Packages that a backend may be installed as."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("convformance", "conformance of convolution layers")
    group.addoption("--grid", choices=(*grids.NAMES, HOSTILE), default="standard", help="which cases to run (default: %(default)s)")
    group.addoption("--case", action="append", default=[], metavar="ID", help="run this case instead of a grid; may be repeated")
    group.addoption("--model", metavar="FILE.keras|MODULE:CALLABLE", help="run the convolution layers of this model, at their real shapes")
    group.addoption("--mode", default=MODES[0], metavar="M,…", help=f"ways of running a layer: {', '.join(MODES)} (default: %(default)s)")
    group.addoption(
        "--claim",
        metavar="C,…",
        help=f"what to check of every case: {', '.join(CLAIMS)} (default: of a grid, all; of a model, results alone)",
    )
    group.addoption("--dtype", metavar="T,…", help=f"run the grid in these types: {', '.join(DTYPES)} (default: as the grid has it)")
    group.addoption(
        "--explore",
        nargs="?",
        type=float,
        const=SECONDS,
        metavar="SECONDS",
        help="instead of a grid draw cases far beyond it, for so long (default: %(const)s), and find the smallest that fails",
    )
    group.addoption("--subject", default=KERAS, metavar="MODULE:ATTRIBUTE", help="test this implementation instead of keras.layers")
    group.addoption("--results", metavar="FILE.jsonl", help="write what was found, one JSON object a line")
    group.addoption("--baseline", metavar="OLD.jsonl", help="fail only for what no longer comes out as in this earlier run, or conforms")
    group.addoption("--hung-after", type=float, default=Limits().seconds, metavar="SECONDS", help="a case without a result by then hangs")
    group.addoption("--memory", type=float, metavar="GIB", help="what the subject's process may have (default: half of what there is)")
    group.addoption("--in-process", action="store_true", help="no process of the subject's own, for debuggers and profilers; so with --pdb")
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
        self.modes = _some_of(MODES, "mode", config.getoption("--mode"))
        self.model_source: str | None = config.getoption("--model")
        if self.model_source is not None and self.chosen:
            raise pytest.UsageError("--model and --case exclude each other: a model has its own cases")
        of_layers = self.model_source is not None or config.getoption("--grid") == "models"
        usual = [name for name, claim in CLAIMS.items() if (claim.of_models if of_layers else claim.of_grids)]
        self.claims = _some_of(tuple(CLAIMS), "claim", config.getoption("--claim") or ",".join(usual))
        self.dtypes = _some_of(DTYPES, "dtype", config.getoption("--dtype")) if config.getoption("--dtype") else None
        self.backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        self.explore: float | None = config.getoption("--explore")
        if self.explore is not None and not (0 < self.explore < 1e6):
            raise pytest.UsageError(f"--explore takes seconds, got {self.explore:g}")
        if self.explore is not None and find_spec("hypothesis") is None:
            raise pytest.UsageError("--explore draws cases with Hypothesis: pip install 'convformance[explore]'")
        self.grid: str = (
            "explore"
            if self.explore is not None
            else "cases"
            if self.chosen
            else "model"
            if self.model_source
            else config.getoption("--grid")
        )
        self.subject: str = config.getoption("--subject")
        old = config.getoption("--baseline")
        self.baseline = Baseline(Path(old)) if old else None
        self.limits = _limits(config)
        self.in_process: bool = config.getoption("--in-process") or config.getoption("usepdb") or config.getoption("trace")

    @cached_property
    def host(self) -> Host:
        """Where this process has the subject, loaded when it is first asked for. Processes are watched over as POSIX has it."""
        return (InProcess if self.in_process or os.name != "posix" else Isolated)(self.subject, self.limits)

    def check_baseline(self, results: str | None) -> None:
        """Say in one line that the baseline cannot be used, before thousands of cases do, and keep the run from writing over it."""
        if self.baseline is None:
            return
        if results and Path(results).resolve() == self.baseline.path.resolve():
            raise pytest.UsageError(f"--results would overwrite the baseline {results}: give it another name")
        try:
            self.baseline.run  # noqa: B018 - read now, so that every process after this one can
        except ResultsError as error:
            raise pytest.UsageError(f"--baseline: {error}") from None

    def check_subject(self) -> None:
        """Say in one line that the subject cannot be had, before thousands of cases do.

        Keras itself is not imported for that: it takes long, and the workers will.
        """
        if self.subject != KERAS:
            try:
                self.host.environment  # noqa: B018 - to see whether there is one
            except SubjectError as error:
                raise pytest.UsageError(str(error)) from None
        elif self.grid == HOSTILE and installed(*FRAMEWORKS["tensorflow"]) is None:
            raise pytest.UsageError("the raw operations of --grid hostile are TensorFlow's: pip install 'convformance[tensorflow]'")
        elif self.backend not in FRAMEWORKS:
            raise pytest.UsageError(f"unknown KERAS_BACKEND {self.backend!r}: expected one of {', '.join(FRAMEWORKS)}")
        elif installed("keras", "keras-nightly") is None or installed(*FRAMEWORKS[self.backend]) is None:
            raise pytest.UsageError(f"Keras with {self.backend} is not installed: pip install 'convformance[{self.backend}]'")

    def list_model(self) -> None:
        """Find the layers of the model; other processes of this run are told where they are."""
        if self.model_source is None:
            return
        if self.subject == KERAS:
            self.check_subject()
        folder = Path(tempfile.mkdtemp(prefix="convformance-"))
        os.environ[models.FOLDER] = str(folder)
        try:
            models.list_layers(self.model_source, folder)
        except models.ModelError as error:
            self.forget_model()
            raise pytest.UsageError(str(error)) from None

    @cached_property
    def model(self) -> models.Model | None:
        """The model of this run, if there is one."""
        return models.current() if self.model_source is not None else None

    def forget_model(self) -> None:
        """Leave nothing of the model behind."""
        folder = os.environ.pop(models.FOLDER, None) if self.model_source is not None else None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    @cached_property
    def scopes(self) -> dict[str, scopes.Scope]:
        """The modes that are run on a part of the grid only, and which."""
        if self.chosen or self.model is not None or self.explore is not None or self.subject != KERAS:
            return {}
        return {mode: part for mode in self.modes if (part := scopes.scope(mode, self.backend)) is not None}

    def cases(self, mode: str) -> tuple[Case, ...]:
        """The chosen cases or those of the model as they are, or what of the grid the mode is run on, in each type that was asked for.

        An exploration has no list of them.
        """
        if self.chosen or self.explore is not None:
            return self.chosen
        if self.model is not None:
            cases = self.model.cases
        else:
            cases = scopes.cases(self.grid, mode, self.backend if self.subject == KERAS else None)
        # a case's types side by side: what a framework compiled for float16 serves mixed_float16, too
        return cases if self.dtypes is None else tuple(replace(case, dtype=dtype) for case in cases for dtype in self.dtypes)

    def checks(self, claim: Claim) -> list[tuple[Case, str]]:
        """The cases and modes that a claim is to be checked in."""
        return self._checks(claim) if claim.name in self.claims else []

    @cached_property
    def left_out(self) -> list[tuple[Case, str, str]]:
        """The case, mode and claim of every check that is not to be made, since its claim was not asked for."""
        return [(case, mode, name) for name, claim in CLAIMS.items() if name not in self.claims for case, mode in self._checks(claim)]

    def _checks(self, claim: Claim) -> list[tuple[Case, str]]:
        if self.grid == HOSTILE:
            return []
        if claim.misuses and not self.chosen:
            return [(case, mode) for mode in self.modes for case in grids.misused() if claim.speaks_of(case, mode)]
        return [(case, mode) for mode in self.modes for case in self.cases(mode) if claim.speaks_of(case, mode)]


def _limits(config: pytest.Config) -> Limits:
    """Raises: pytest.UsageError, one line, for what is no limit."""
    seconds, memory = config.getoption("--hung-after"), config.getoption("--memory")
    for name, value in (("--hung-after", seconds), ("--memory", memory)):
        if value is not None and not 0 < value < math.inf:
            raise pytest.UsageError(f"{name} must be more than 0, got {value:g}")
    return Limits(seconds=seconds, memory=half_of_memory() if memory is None else int(memory * 2**30))


def _some_of(allowed: tuple[str, ...], name: str, text: str) -> tuple[str, ...]:
    """Raises: pytest.UsageError, one line, for a word that is not allowed."""
    words = tuple(dict.fromkeys(text.split(",")))
    for word in words:
        if word not in allowed:
            raise pytest.UsageError(f"unknown {name} {word!r}: expected some of {', '.join(allowed)}, joined by commas")
    return words


PLAN = pytest.StashKey[Plan]()
WRITER = pytest.StashKey[Writer]()
TALLY = pytest.StashKey[Tally]()
COMPLAINTS = pytest.StashKey[list[str]]()
EXPLORATION = pytest.StashKey[Exploration]()
CHECKS = pytest.StashKey[int]()
RUNNING = pytest.StashKey[pytest.Item]()


def pytest_configure(config: pytest.Config) -> None:
    plan = config.stash[PLAN] = Plan(config)
    config.stash[TALLY] = Tally()
    config.stash[COMPLAINTS] = []
    results = config.getoption("--results")
    if not hasattr(config, "workerinput"):
        plan.check_baseline(results)
        plan.list_model()
    if results and not hasattr(config, "workerinput"):
        try:
            config.stash[WRITER] = Writer(Path(results), plan.grid, plan.modes, {mode: str(part) for mode, part in plan.scopes.items()})
        except OSError as error:
            raise pytest.UsageError(f"cannot write results file {results}: {error.strerror}") from None
    if plan.explore is not None:
        config.stash[EXPLORATION] = Exploration(config, plan.explore, plan.chosen)
        config.pluginmanager.register(config.stash[EXPLORATION], "convformance-exploration")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Collected(config), "convformance-collected")
        if plan.baseline is not None:
            config.pluginmanager.register(Held(plan.baseline, config.stash[TALLY]), "convformance-baseline")
        config.pluginmanager.register(Screen(config.stash[TALLY], config.stash[COMPLAINTS]), "convformance-screen")


def pytest_unconfigure(config: pytest.Config) -> None:
    if PLAN in config.stash and not hasattr(config, "workerinput"):
        config.stash[PLAN].forget_model()


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput") and _asks_for_the_gate(session.config):
        plan = session.config.stash[PLAN]
        plan.check_subject()
        if session.config.pluginmanager.has_plugin("dsession"):  # the workers have their own
            plan.host.close()


def _asks_for_the_gate(config: pytest.Config) -> bool:
    """Whether the arguments name this package, something in it, or a folder around it; the project's own tests need no subject."""
    directory = config.invocation_params.dir
    return any(names_the_gate(argument, directory) or (directory / argument).resolve() in PACKAGE.parents for argument in config.args)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Only what was asked for. Up-sampling belongs to the full grids, and has nothing to do with implementations that are not Keras's."""
    plan = config.stash[PLAN]
    if collection_path.parent == PACKAGE:
        if collection_path.suffix == ".py" and (collection_path.name == exploring.MODULE) != (plan.explore is not None):
            return True
        claim = collection_path.stem.removeprefix("test_")
        if collection_path.suffix == ".py" and (claim == HOSTILE) != (plan.grid == HOSTILE):
            return True
        if claim in CLAIMS and (claim not in plan.claims or not (CLAIMS[claim].of_grids or (plan.model and plan.model.has_weights))):
            return True
    if collection_path.name == "test_upsampling.py" and collection_path.parent == PACKAGE:
        return None if plan.grid in completeness.FULL_GRIDS and plan.subject == KERAS else True
    return None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Unless another way was asked for, give every worker one stretch of the cases: those that share a layer stand side by side."""
    if config.getoption("dist") != "load":
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


def pytest_sessionstart(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(session.config, "workerinput"):
        # the layers of a model are few, but each may take long
        at_least = AT_LEAST if session.config.stash[PLAN].grid not in ("model", "models") else 1
        session.config.pluginmanager.register(Progress(reporter, at_least=at_least), "convformance-progress")


def pytest_report_header(config: pytest.Config) -> list[str]:
    if not _asks_for_the_gate(config):
        return []
    plan = config.stash[PLAN]
    if plan.subject == KERAS:
        keras = installed("keras", "keras-nightly")
        subject = f"Keras {keras} on {plan.backend} {installed(*FRAMEWORKS.get(plan.backend, ()))}"
    else:
        subject = plan.subject
    exploration = config.stash.get(EXPLORATION, None)
    scope = exploration.scope if exploration else f"{len(plan.chosen)} chosen case(s)" if plan.chosen else f"grid {plan.grid}"
    if plan.model is not None:
        scope = f"model {plan.model.source}, {len(plan.model.layers)} convolution layer(s), {len(plan.model.cases)} unlike"
    lines = [f"convformance: {subject}, numpy {installed('numpy')}; {scope}; mode {', '.join(plan.modes)}"]
    if plan.model is not None:
        lines += [f"convformance: {note}" for note in plan.model.notes]
        lines += [f"convformance: not tested: {layer}" for layer in plan.model.untested]
    return lines + [f"mode {mode}: only {part}" for mode, part in plan.scopes.items()]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """One report a case instead of three: thousands of cases have nothing to say of set-up and tear-down, unless these fail.

    What a worker of xdist says costs more than the rest of a test, and it says four things a test. So it does not announce a case that
    comes to one report: `Collected` does that where the report arrives.
    """
    if "check" not in getattr(item, "fixturenames", ()):
        return None
    in_worker = hasattr(item.config, "workerinput")
    if not in_worker:
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    ran = runtestprotocol(item, nextitem=nextitem, log=False)
    reports = [report for report in ran if report.when == "call" or not report.passed]
    alone = in_worker and len(reports) == 1
    if alone:
        reports[0].user_properties.append((UNANNOUNCED, True))
        reports[0].keywords = {}  # by far the longest part of a report, and nothing reads it there
    elif in_worker:
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
        report.keywords = {}
    if not alone:
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    # pytest keeps every test and report to the end: what has been said by now goes, the longest parts of both
    item.user_properties.clear()
    return True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    plan = metafunc.config.stash[PLAN]
    if {"check", "case", "mode"} <= set(metafunc.fixturenames):
        claim = CLAIMS[metafunc.function.__name__.removeprefix("test_")]
        metafunc.parametrize(
            ("case", "mode"),
            [pytest.param(case, mode, id=str(case) if mode == MODES[0] else f"{case}-{mode}") for case, mode in plan.checks(claim)],
        )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """How many checks there are before any is deselected: who puts the results of shards together can tell whether one is missing."""
    config.stash[CHECKS] = sum("check" in getattr(item, "fixturenames", ()) for item in items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    item.config.stash[RUNNING] = item


class Check:
    """What a test of the gate asks: does this case conform to this claim? Fails, passes, or is a known deviation (xfailed)."""

    def __init__(self, gate: Gate, config: pytest.Config) -> None:
        self._gate = gate
        self._stash = config.stash
        self._said = False

    def __call__(self, case: Case, mode: str, claim: Claim) -> None:
        properties = self._stash[RUNNING].user_properties
        try:
            judgement = self._gate.judge(case, mode, claim)
        except NotOfferedError as error:
            properties.append((NOT_OFFERED, {"claim": claim.name, "mode": mode, "reason": str(error)}))
            raise pytest.skip.Exception(f"not offered: {error}", _use_item_location=True) from None
        if not self._said:
            properties.append((ENVIRONMENT, {**self._gate.environment, "checks": self._stash[CHECKS]}))
            self._said = True
        properties.append((RECORD, json.dumps(judgement.record)))
        if not judgement.passes:
            pytest.fail(judgement.text, pytrace=False)
        if judgement.known:
            raise pytest.xfail.Exception(judgement.text, pytrace=False)  # pytest.xfail() would format a traceback, at 10 ms a case


# For every test pytest looks up its fixtures, and theirs in turn, and makes each `request` anew: so these are few, ask for
# no `request`, and a check takes the test that it is asked from out of the stash.


@pytest.fixture(scope="session")
def gate(pytestconfig: pytest.Config) -> Iterator[Gate]:
    """The subject under test and its known deviations; fails if the subject's process does not come to a good end."""
    plan = pytestconfig.stash[PLAN]
    yield Gate(plan.subject, plan.entries, plan.host, plan.baseline)
    at_end = plan.host.close()
    if at_end is not None:
        pytest.fail(at_end, pytrace=False)


@pytest.fixture(scope="session")
def check(gate: Gate, pytestconfig: pytest.Config) -> Check:
    """Judges a case by a claim and reports what came out."""
    return Check(gate, pytestconfig)


@pytest.fixture
def explore(request: pytest.FixtureRequest, gate: Gate) -> Callable[[Stretch], None]:
    """Runs a stretch of an exploration, and reports everything that it judged."""
    plan = request.config.stash[PLAN]

    def run(stretch: Stretch) -> None:
        explorer = Explorer(
            judge=lambda check: gate.judge(*check),
            fatal=lambda check: gate.fatal(*check),
            modes=plan.modes,
            claims=plan.claims,
            dtypes=plan.dtypes,
        )
        failure = stretch.run(explorer)
        request.node.user_properties += [
            (ENVIRONMENT, gate.environment),
            (EXPLORED, stretch.said(explorer.journey, failure)),
            *((RECORD, json.dumps(judgement.record)) for judgement in explorer.journey.judgements),
        ]
        if failure is not None:
            pytest.fail(failure.text, pytrace=False)

    return run


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
        complete = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not (session.shouldstop or session.shouldfail)
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
        announced = (UNANNOUNCED, True) not in report.user_properties
        self._take(report)
        if announced:
            return (yield)
        hook = self._config.hook
        hook.pytest_runtest_logstart(nodeid=report.nodeid, location=report.location)
        yield
        hook.pytest_runtest_logfinish(nodeid=report.nodeid, location=report.location)
        return None

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
            elif name == NOT_OFFERED:
                said = _record(value)
                self._tally.not_offered[said["claim"], said["mode"], said["reason"]] += 1
        # no place for them in other reports: junitxml would write every record as a property
        report.user_properties = [(n, value) for n, value in report.user_properties if n not in TAKEN]

    def _keep(self, record: Record, failed: bool, text: str, nodeid: str) -> None:
        self._tally.add(record, failed, text, nodeid)
        if self._writer:
            self._writer.case(record)


def _record(value: object) -> Record:
    assert isinstance(value, dict)  # noqa: S101 - made above, in this file
    return value
