"""The same verdicts every time? ``python -m tests.flakiness [--runs 20] [--workers 1,2,4] [--grid standard] [PYTEST OPTION …]``.

Runs the gate so often at each number of workers, every time in another random order, and compares outcome, deviation and message of every
check with the first run, or with the results named by ``--first``. Prints a line a run; the exit code is 1 if anything differs or is
missing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conformance.results import Key, Run, read

HOUSE = Path(__file__).parents[1]
Verdicts = dict[Key, tuple[str, str | None, str]]


def verdicts(seed: int, workers: int, options: list[str], folder: Path) -> tuple[Verdicts, int, bool]:
    """What every check came to in one run, the exit code, and whether the run was complete."""
    path = folder / "run.jsonl"
    command = [sys.executable, "-m", "pytest", "conformance", "-p", "tests.shuffled", "-p", "no:randomly", "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(
        [*command, "--tb=no", "--no-summary", "-n", str(workers), "--results", str(path), *options],
        cwd=HOUSE, env={**os.environ, "CONVFORMANCE_SHUFFLE": str(seed)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    run = read(path)
    return found_in(run), done.returncode, run.complete


def found_in(run: Run) -> Verdicts:
    """Outcome, deviation and message of every check.

    Of a process that died only the kind of message is taken: addresses and times in its last words differ.
    """
    return {key: (str(entry.outcome), entry.deviation, entry.message.partition(", no result:")[0]) for key, entry in run.entries.items()}


def main() -> int:
    """Run and compare."""
    parser = argparse.ArgumentParser(prog="python -m tests.flakiness", description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--grid", default="standard")
    parser.add_argument("--first", type=Path, metavar="RESULTS.jsonl", help="results of an earlier run to compare with")
    chosen, options = parser.parse_known_args()
    first = found_in(read(chosen.first)) if chosen.first else None
    bad = False
    for number in range(chosen.runs):
        for workers in map(int, chosen.workers.split(",")):
            seed, started = 1000 * number + workers, time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                found, code, complete = verdicts(seed, workers, ["--grid", chosen.grid, *options], Path(folder))
            first = found if first is None else first
            unlike = sorted(str(key[0]) for key in first.keys() | found.keys() if first.get(key) != found.get(key))
            said = f"{len(found):,} checks, exit code {code}, {len(unlike)} unlike the first run{'' if complete else ', NOT COMPLETE'}"
            print(f"run {number + 1}, {workers} worker(s): {said}; {time.monotonic() - started:.0f} s", flush=True)  # noqa: T201
            for case in unlike[:5]:
                print(f"    {case}", flush=True)  # noqa: T201
            bad |= bool(unlike) or not complete or not found
    return bad


if __name__ == "__main__":
    sys.exit(main())
