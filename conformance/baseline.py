"""``--baseline OLD.jsonl``: a run is held to what an earlier run came to, case by case, where the earlier run has the case.

Such a check passes if it conforms, or comes to the outcome that it came to before. So a team whose stack has deviations of its own can
adopt the gate today, and sees what gets worse from then on; a case that conformed fails the run when it no longer does, even if that is
known of the new versions. A check that the baseline lacks is judged as without one: a baseline excuses nothing that it has not seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import pytest

from conformance.cases import Case, Key
from conformance.outcomes import Outcome
from conformance.results import Run, read
from conformance.summary import Tally

BASELINE = "baseline"
"""Stands in a record as the deviation, where nothing but the baseline knows of it."""


class Baseline:
    """What an earlier run came to. Read once in every process, when it is first asked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def run(self) -> Run:
        """The earlier run.

        Raises:
            ResultsError: the file cannot be used.
        """
        return read(self.path)

    def outcome(self, case: Case, mode: str, claim: str) -> Outcome | None:
        """What this check came to, None if the earlier run has it not."""
        entry = self.run.entries.get((case, mode, claim))
        return None if entry is None else entry.outcome

    def summary(self, found: Iterable[tuple[Key, Outcome]]) -> list[str]:
        """What the run that ``found`` this says of its baseline, a line each; nothing of it fails the run."""
        kinds: Counter[str] = Counter()
        for key, outcome in found:
            before = self.outcome(*key)
            kinds[
                "lacking" if before is None
                else "same" if before == outcome
                else "better" if outcome == Outcome.CONFORMS
                else "worse"
            ] += 1  # fmt: skip
        lines = [f"baseline {self.path} ({self.run.label}): {kinds['same']:,} checks come out as there, {kinds['worse']:,} do not"]
        lines += [f"note: {note}" for note in self.run.notes]
        if kinds["better"]:
            lines.append(f"{kinds['better']:,} that deviate there conform now: record a new baseline, so that they stay so")
        if kinds["lacking"]:
            lines.append(f"{kinds['lacking']:,} are not in it and were judged as without a baseline")
        return lines


class Held:
    """Prints the summary, behind a run that had a baseline."""

    def __init__(self, baseline: Baseline, tally: Tally) -> None:
        self._baseline = baseline
        self._tally = tally

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if len(self._tally):
            for line in self._baseline.summary((each.key, each.outcome) for each in self._tally.found):
                terminalreporter.write_line(line)
