"""The same verdicts every time? ``python -m tests.flakiness [--runs 20] [--workers 1,2,4] [--grid standard] [PYTEST OPTION …]``.

Runs the gate so often at each number of workers, every time in another random order, and compares outcome, deviation and message of every
check with the first run, or with the results named by ``--first``. Checks covered by a heuristic deviation, which upstream answers one way
or the other, are counted apart, if they pass either way. Prints a line a run; the exit code is 1 if anything else differs or is missing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Set
from pathlib import Path
from typing import NamedTuple

from conformance import deviations
from conformance.cases import Key
from conformance.results import Run, read

HOUSE = Path(__file__).parents[1]


class Found(NamedTuple):
    """What one check came to. Of a process that died only the kind of message is taken: addresses and times in its last words differ."""

    outcome: str
    deviation: str | None
    passes: bool
    message: str


Verdicts = dict[Key, Found]


class Unlike(NamedTuple):
    """Checks that did not come to the same in two runs: all, but for those that upstream answers ``either_way``, as is known."""

    unlike: list[str]
    either_way: list[str]


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
    """What every check of a run came to."""
    return {
        key: Found(str(entry.outcome), entry.deviation, entry.passes, entry.message.partition(", no result:")[0])
        for key, entry in run.entries.items()
    }


def compare(first: Verdicts, found: Verdicts, heuristic: Set[str]) -> Unlike:
    """The checks that differ; ``heuristic`` are the entries whose cases may come out either way."""
    parts = Unlike([], [])
    for key in sorted(first.keys() | found.keys(), key=str):
        one, other = first.get(key), found.get(key)
        if one == other:
            continue
        known = one is not None and other is not None and one.passes and other.passes
        named = {each.deviation for each in (one, other) if each is not None} - {None}
        (parts.either_way if known and named and named <= heuristic else parts.unlike).append(str(key[0]))
    return parts


def judge(found: Verdicts, code: int, complete: bool, parts: Unlike) -> list[str]:
    """What is wrong with one run beside the first: checks that differ, an exit code that does not follow, a part missing."""
    due = 0 if all(each.passes for each in found.values()) else 1  # else a test failed that is no check, or something broke
    wrong = [
        (bool(parts.unlike), f"{len(parts.unlike)} unlike the first run"),
        (code != due, f"exit code {code} instead of {due}"),
        (not complete, "not complete"),
        (not found, "no check"),
    ]
    return [text for is_so, text in wrong if is_so]


def main() -> int:
    """Run and compare."""
    parser = argparse.ArgumentParser(prog="python -m tests.flakiness", description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--from", dest="start", type=int, default=1, metavar="RUN", help="go on with this one (with --first)")
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--grid", default="standard")
    parser.add_argument("--first", type=Path, metavar="RESULTS.jsonl", help="results of an earlier run to compare with")
    chosen, options = parser.parse_known_args()
    heuristic = {entry.id for entry in deviations.load() if entry.heuristic}
    first = found_in(read(chosen.first)) if chosen.first else None
    runs = bad = 0
    for number in range(chosen.start - 1, chosen.runs):
        for workers in map(int, chosen.workers.split(",")):
            seed, started = 1000 * number + workers, time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                found, code, complete = verdicts(seed, workers, ["--grid", chosen.grid, *options], Path(folder))
            first = found if first is None else first
            parts = compare(first, found, heuristic)
            wrong = judge(found, code, complete, parts)
            said = (
                f"{len(found):,} checks, {'; '.join(wrong).upper() or 'the same'}, {len(parts.either_way)} either way by a heuristic entry"
            )
            print(f"run {number + 1}, {workers} worker(s): {said}; {time.monotonic() - started:.0f} s", flush=True)  # noqa: T201
            for case in (*parts.unlike[:5], *parts.either_way[:5]):
                print(f"    {case}", flush=True)  # noqa: T201
            runs, bad = runs + 1, bad + bool(wrong)
    print(f"{runs} runs, {bad} of them not as the first", flush=True)  # noqa: T201
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
