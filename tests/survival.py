"""Does a run survive what it tests? ``python -m tests.survival``: the gate on a subject that crashes, hangs, exits and eats memory.

Every peril of `tests.conformance.perils` at a case of its own, cases that are right before, between and behind, without workers and
with some; held against what must come out: every case reported, every peril by its name, the exit code, the summary of the results file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from conformance.outcomes import Outcome
from conformance.results import read
from tests.conformance.perils import LIMITS, PERILS, perilous

HOUSE = Path(__file__).parents[1]
WORKERS = ((), ("-n", "0"), ("-n", "1"), ("-n", "2"), ("-n", "4"))
RIGHT_BETWEEN = 3
"""Cases that are right before every peril, and behind the last."""


def plan() -> dict[str, tuple[Outcome, str]]:
    """The ids to run, in order, each with its outcome and words of its message."""
    planned: dict[str, tuple[Outcome, str]] = {}
    for number, (name, peril) in enumerate([*PERILS.items(), ("", None)]):
        for each in range(RIGHT_BETWEEN):
            planned[f"conv2d-same-in1x{1 + number}x{1 + each}x1-k1x2-f1-s1x1"] = (Outcome.CONFORMS, "")
        if peril is not None:
            planned[perilous(name)] = (peril.outcome, peril.says)
    return planned


def survey(workers: Sequence[str], folder: Path) -> tuple[Counter[str], float, list[str]]:
    """The counts by outcome of one run, its seconds, and what is wrong with it."""
    planned, path = plan(), folder / "run.jsonl"
    arguments = ["--subject", "tests.conformance.perils:Perilous", *LIMITS, "--results", str(path), "-p", "no:cacheprovider", *workers]
    chosen = [part for case in planned for part in ("--case", case)]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "conformance/test_forward.py", *arguments, *chosen],
        cwd=HOUSE, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    seconds = time.monotonic() - started
    if not path.exists():
        return Counter(), seconds, [done.stdout[-2000:] + done.stderr[-2000:]]
    run = read(path)
    found = {str(entry.case): entry for entry in run.entries.values()}
    faults = [f"{case}: lost" for case in planned if case not in found]
    faults += [
        f"{case}: expected {outcome} ({says}), got {found[case].outcome}: {found[case].message}"
        for case, (outcome, says) in planned.items()
        if case in found and (found[case].outcome != outcome or says not in found[case].message)
    ]
    if done.returncode != 1:
        faults.append(f"exit code {done.returncode}, not 1: {done.stdout[-500:]}{done.stderr[-500:]}")
    if not run.complete:
        faults.append("the results file has no summary")
    return Counter({str(outcome): count for outcome, count in run.counts.items()}), seconds, faults


def main() -> int:
    """Print a line for every number of workers; 1 if anything is not as it must be."""
    perils = Counter(str(peril.outcome) for peril in PERILS.values())
    print(f"{len(plan())} cases, of which {perils['crashed']} crash and {perils['hung']} hang: {', '.join(PERILS)}")  # noqa: T201
    bad = False
    for workers in WORKERS:
        with tempfile.TemporaryDirectory() as folder:
            counts, seconds, faults = survey(workers, Path(folder))
        said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        print(f"{' '.join(workers) or 'as it is':8}  {counts.total()} reported: {said}; {seconds:.0f} s", flush=True)  # noqa: T201
        for fault in faults or ["as planned"]:
            print(f"          {fault}", flush=True)  # noqa: T201
        bad |= bool(faults)
    return bad


if __name__ == "__main__":
    sys.exit(main())
