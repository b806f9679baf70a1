"""``python -m tests.history BACKEND [VERSION…]``: the gate on released versions of Keras, and a table of what came out.

Keras is a wheel of pure Python: its versions are installed side by side, without what they depend on, and take turns on the framework that
is installed here. A run is explained if every outcome conforms or is what a known deviation says; a deviation is needed if without it
some outcome would not be explained. The exit code is 1 unless every run is explained and every deviation that spoke is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from conformance import deviations
from conformance.cases import Case, parse
from conformance.deviations import Deviation
from conformance.outcomes import Outcome, Verdict

VERSIONS = ("3.3.3", "3.4.1", "3.5.0", "3.6.0", "3.7.0", "3.8.0", "3.9.2", "3.10.0", "3.11.3", "3.12.1", "3.13.2", "3.14.0", "3.15.1")
"""The last release of every minor version."""
CLAIMS = "forward,gradients,shapes,errors"
ROOT = Path(__file__).parents[1]


class Row(NamedTuple):
    """One run: how many checks, how many deviate and by how many entries, how many nothing explains, which entries are not needed."""

    keras: str
    checks: int
    deviating: int
    entries: int
    unexplained: int
    unneeded: tuple[str, ...]


def read(path: Path, entries: Sequence[Deviation]) -> Row:
    """Hold the results of a run against the entries as they are now.

    Raises:
        SystemExit: the run did not end, and says nothing of what it left out; one line.
    """
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if not lines or lines[-1]["kind"] != "summary":
        raise SystemExit(f"{path}: the run did not end")
    environment = lines[0]
    checks = [_check(line) for line in lines if line["kind"] == "case"]
    known = [entry for entry in entries if entry.applies(environment)]
    explained: dict[str, list[_Check]] = defaultdict(list)  # by the entry that speaks of them, "" if none does
    belied = set()
    for check in checks:
        entry = check.covering(known)
        name = "" if entry is None else entry.id
        if check.explained_by(entry):
            explained[name].append(check)
        else:
            belied.add(name)
    deviating = Counter({name: sum(not check.conforms for check in found) for name, found in explained.items()})
    # an entry of which everything conforms, as it may, is neither needed nor in the way
    speaking = ({name for name in explained if deviating[name]} | belied) - {""}
    unneeded = tuple(sorted(name for name in speaking if all(_without(name, known, check) for check in explained[name])))
    unexplained = len(checks) - sum(map(len, explained.values()))
    return Row(environment["keras"], len(checks), deviating.total(), sum(map(bool, deviating.values())), unexplained, unneeded)


class _Check(NamedTuple):
    """What one line of the results says."""

    case: Case
    mode: str
    claim: str
    verdict: Verdict

    @property
    def conforms(self) -> bool:
        return self.verdict.outcome == Outcome.CONFORMS

    def covering(self, known: Sequence[Deviation]) -> Deviation | None:
        return deviations.covering(known, self.case, self.mode, self.claim, self.verdict)

    def explained_by(self, entry: Deviation | None) -> bool:
        """Whether the outcome is what this entry says, or conforms and may."""
        if self.conforms:
            return entry is None or entry.may_conform(self.claim)
        return entry is not None and entry.says(self.verdict)


def _check(record: dict[str, Any]) -> _Check:
    return _Check(parse(record["id"]), record["mode"], record["claim"], Verdict(Outcome(record["outcome"]), record["message"]))


def _without(name: str, known: Sequence[Deviation], check: _Check) -> bool:
    """Whether the check would be explained without this entry."""
    return check.explained_by(check.covering([entry for entry in known if entry.id != name]))


def table(backend: str, grid: str, rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = [
        f"| Keras, {backend}, {grid} | checks | deviating | by entries | unexplained | not needed |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        numbers = f"{row.checks:,} | {row.deviating:,} | {row.entries} | {row.unexplained:,}"
        lines.append(f"| {row.keras} | {numbers} | {', '.join(row.unneeded) or 'none'} |")
    return "\n".join(lines)


def run(backend: str, grid: str, claims: str, version: str, folder: Path) -> Path:
    """Install one version beside the others, run the gate on it, and return its results."""
    home, results = folder / version, folder / f"{backend}-{grid}-{version}.jsonl"
    if not home.exists():
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(home), f"keras=={version}"], check=True
        )
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join([str(ROOT), str(home)])}
    command = [sys.executable, "-m", "pytest", "conformance", "--grid", grid, "--claim", claims, "--results", str(results)]
    subprocess.run([*command, "--tb=no", "-q", "-p", "no:cacheprovider"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=False)
    return results


def main(argv: Sequence[str] | None = None) -> int:
    """Run the versions one after the other, or read what earlier runs left."""
    parser = argparse.ArgumentParser(prog="python -m tests.history", description="the gate on released versions of Keras")
    parser.add_argument("backend", choices=("tensorflow", "jax", "torch"))
    parser.add_argument("versions", nargs="*", default=VERSIONS, metavar="VERSION")
    parser.add_argument("--grid", default="smoke", help="which cases to run, as the gate takes it (default: %(default)s)")
    parser.add_argument("--claim", default=CLAIMS, metavar="C,…", help="what to check of every case (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=ROOT / ".tox" / "history", help="where versions and results lie")
    parser.add_argument("--read", action="store_true", help="do not run, read the results of earlier runs")
    arguments = parser.parse_args(argv)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for version in arguments.versions:
        results = arguments.folder / f"{arguments.backend}-{arguments.grid}-{version}.jsonl"
        if not arguments.read:
            results = run(arguments.backend, arguments.grid, arguments.claim, version, arguments.folder)
        rows.append(read(results, deviations.load()))
    print(table(arguments.backend, arguments.grid, rows))  # noqa: T201 - this is what it is for
    return 0 if all(not row.unexplained and not row.unneeded for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
