"""The pytest side of the gate: its options, what of this package is collected, and who listens while it runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance import checks, completeness, exploring, grids
from conformance.baseline import Held
from conformance.cases import DTYPES
from conformance.checks import CHECKS, ENVIRONMENT, RECORD, Check
from conformance.claims import CLAIMS
from conformance.collected import COMPLAINTS, TALLY, WRITER, Collected
from conformance.entry import PACKAGE, names_the_gate
from conformance.explore import SECONDS, Explorer
from conformance.exploring import EXPLORED, Exploration, Stretch
from conformance.gate import KERAS, Gate
from conformance.hostile import HOSTILE
from conformance.plan import FRAMEWORKS, PLAN, Plan
from conformance.process import Limits
from conformance.progress import AT_LEAST, Progress
from conformance.records import Writer, installed
from conformance.subjects import MODES
from conformance.summary import Screen, Tally

EXPLORATION = pytest.StashKey[Exploration]()


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


def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> list[Check] | None:
    return checks.checks(collector, name, obj)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[CHECKS] = sum(isinstance(item, Check) for item in items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if not isinstance(item, Check):
        return None
    checks.run(item, nextitem)
    return True


@pytest.fixture(scope="session")
def gate(request: pytest.FixtureRequest) -> Gate:
    """The gate of this process, for tests that are no checks."""
    return checks.gate_of(request.session)


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
