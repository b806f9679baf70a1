"""The pytest side of ``--explore``: its stretches, what they leave for the next exploration, and what is said of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from conformance.cases import LAYERS, Case
from conformance.explore import Explorer, Failure, Journey, Kept, Store, share
from conformance.records import Record

MODULE = "test_explore.py"
"""The only tests of an exploration, which no other run has."""

EXPLORED = "convformance-explored"
"""Name under which a test's report carries what its stretch met beside the records of its checks."""


class Stretch(NamedTuple):
    """One test of an exploration."""

    name: str
    run: Callable[[Explorer], Failure | None]
    again: Kept | None = None
    """The check of an earlier exploration that it runs once more."""

    def said(self, journey: Journey, failure: Failure | None) -> Record:
        """What the process that reports is to know."""
        return {
            "cases": journey.cases,
            "without": dict(journey.without),
            "found": asdict(failure.kept) if failure else None,
            "again": asdict(self.again) if self.again else None,
        }


class Exploration:
    """Registered for runs with ``--explore``, in every process; in that which reports it reads what the others met."""

    def __init__(self, config: pytest.Config, seconds: float, chosen: tuple[Case, ...]) -> None:
        cache = getattr(config, "cache", None)
        self.store = Store(Path(cache.mkdir("convformance")) if cache is not None else None)
        self._kept = self.store.kept()
        self._seconds, self._chosen = seconds, chosen
        self._said: list[Record] = []

    @property
    def scope(self) -> str:
        """What is to be done, in the words of the header."""
        if self._chosen:
            return f"exploration from {len(self._chosen)} chosen case(s)"
        again = f", first {len(self._kept)} kept from before" if self._kept else ""
        return f"exploration of {self._seconds:g} s{again}"

    @property
    def stretches(self) -> list[Stretch]:
        """The chosen cases; or what failed before, and then every layer."""
        if self._chosen:
            return [Stretch(str(case), partial(Explorer.start_at, case=case)) for case in self._chosen]
        again = [Stretch(f"again-{each.id}-{each.mode}-{each.claim}", partial(Explorer.replay, kept=each), each) for each in self._kept]
        seconds = share(self._seconds, len(LAYERS))
        return [*again, *(Stretch(layer, partial(Explorer.explore, layer=layer, seconds=seconds)) for layer in LAYERS)]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "stretch" in metafunc.fixturenames:
            metafunc.parametrize("stretch", [pytest.param(each, id=each.name) for each in self.stretches])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":  # what a test says stands in the report of its tear-down, too
            self._said += [value for name, value in report.user_properties if name == EXPLORED and isinstance(value, dict)]
        report.user_properties = [(name, value) for name, value in report.user_properties if name != EXPLORED]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Keep what failed, and what failed before and was not run again."""
        if hasattr(session.config, "workerinput") or not self._said:
            return
        found = [Kept(**said["found"]) for said in self._said if said["found"]]
        again = [Kept(**said["again"]) for said in self._said if said["again"]]
        self.store.keep([*found, *(each for each in self._kept if each not in again)])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._said:
            return
        terminalreporter.write_line(f"explored: {sum(said['cases'] for said in self._said):,} cases")
        without: Counter[str] = Counter()
        for said in self._said:
            without.update(said["without"])
        for reason, number in without.most_common():
            terminalreporter.write_line(f"{number:,} checks without a verdict: {reason}")
        found = [said["found"] for said in self._said if said["found"]]
        if found and self.store.folder is not None:
            terminalreporter.write_line(f"kept in {self.store.folder}, to begin the next exploration with: {len(found)}")
