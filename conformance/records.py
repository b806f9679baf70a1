"""What a run leaves behind for machines: JSON Lines, one object a line, appended as the run goes. `conformance.results` reads it back.

First an ``environment``, then a ``case`` for every check of a case, a ``not_offered`` for every mode or claim that the subject has not,
with the number of cases, last a ``summary`` (absent from a run that was interrupted).
"""

from __future__ import annotations

import json
import platform
import time
from collections import Counter
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any, TextIO

from conformance.cases import Case
from conformance.outcomes import Outcome, Verdict

SCHEMA = 1
"""Version of the format: a reader refuses a later one."""

Record = dict[str, Any]


def case_record(
    case: Case, claim: str, mode: str, verdict: Verdict, deviation: str | None, seconds: float, passes: bool | None = None
) -> Record:
    """The line of one check: which case and mode, what came out, how long the subject took; ``at`` if an element was found to differ.

    ``deviation`` is the known deviation that covers the case; whether it ``passes`` follows from that, unless it deviates in another way
    than is known of it.
    """
    if passes is None:
        passes = passes_of(verdict.outcome, deviation)
    return {
        "kind": "case",
        "id": str(case),
        "claim": claim,
        "layer": case.layer,
        "mode": mode,
        "outcome": str(verdict.outcome),
        "deviation": deviation,
        "passes": passes,
        "error_in_bounds": verdict.error_in_bounds,
        "seconds": round(seconds, 6),
        "message": verdict.message,
        **({} if verdict.at is None else {"at": list(verdict.at)}),
        **({"characteristics": dict(verdict.characteristics)} if verdict.characteristics else {}),
    }


def passes_of(outcome: Outcome, deviation: str | None) -> bool:
    """What conforms passes, and what is known to deviate; but not what conforms though it is known to deviate."""
    return (outcome == Outcome.CONFORMS) == (deviation is None)


def environment_record(subject: Record, grid: str, modes: tuple[str, ...], scopes: Mapping[str, str] = MappingProxyType({})) -> Record:
    """The first line: the machine, and the subject as it describes itself; ``scopes`` says which modes were run on a part of the grid."""
    return {
        "kind": "environment",
        "schema": SCHEMA,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        **subject,
        "grid": grid,
        "modes": list(modes),
        **({"scopes": dict(scopes)} if scopes else {}),
    }


class Writer:
    """Writes a results file, line by line, so that an interrupted run keeps what it had."""

    def __init__(self, path: Path, grid: str, modes: tuple[str, ...], scopes: Mapping[str, str] = MappingProxyType({})) -> None:
        """Open ``path`` for a new run.

        Raises:
            OSError: the file cannot be written.
        """
        self.path = path
        self._file: TextIO = path.open("w", encoding="utf-8")
        self._grid, self._modes, self._scopes = grid, modes, scopes
        self._counts: Counter[str] = Counter()
        self._deviations: Counter[str] = Counter()
        self._started = time.monotonic()
        self._described = False

    def environment(self, subject: Record) -> None:
        """The first line, once: later calls, one from each worker, say the same and are left out."""
        if not self._described:
            self._described = True
            self._line(environment_record(subject, self._grid, self._modes, self._scopes))

    def case(self, record: Record) -> None:
        self._counts[record["outcome"]] += 1
        if record["deviation"] is not None:
            self._deviations[record["deviation"]] += 1
        self._line(record)

    def close(self, *, complete: bool, not_offered: Mapping[tuple[str, str, str], int] = MappingProxyType({})) -> None:
        """Close the file, with what the subject did not offer (counts by claim, mode and reason), and the summary of a run that ended."""
        for (claim, mode, reason), cases in not_offered.items():
            self._line({"kind": "not_offered", "claim": claim, "mode": mode, "reason": reason, "cases": cases})
        if complete:
            seconds = round(time.monotonic() - self._started, 3)
            self._line({"kind": "summary", "counts": dict(self._counts), "deviations": dict(self._deviations), "seconds": seconds})
        self._file.close()

    def _line(self, record: Record) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._file.flush()


def installed(*packages: str) -> str | None:
    """The version of the first of these packages that is installed, without importing it."""
    for package in packages:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return None


def _processor() -> str:
    """The processor's name as the operating system has it, or its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
