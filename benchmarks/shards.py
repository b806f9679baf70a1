"""How wall time falls with shards: a run's own seconds per case, dealt out by pytest-split's own algorithm.

``python -m benchmarks.shards run.jsonl --fixed 9``: ``run.jsonl`` is the results file of a whole run in one process, ``--fixed`` the
seconds that a shard takes with nothing to do (start, import, collection; measure them with ``--splits 1000000 --group 1``). For each number
of shards: the longest shard's seconds, with all cases taken alike and with their durations known, beside perfect balance.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pytest_split.algorithms import DurationBasedChunksAlgorithm


def longest(seconds: list[float], shards: int, known: bool) -> float:
    """Seconds of cases in the longest of the shards."""
    items: list[Any] = [SimpleNamespace(nodeid=str(n)) for n in range(len(seconds))]
    durations = {item.nodeid: each for item, each in zip(items, seconds, strict=True)} if known else {}
    groups = DurationBasedChunksAlgorithm()(shards, items, durations)
    return max(sum(seconds[int(item.nodeid)] for item in group.selected) for group in groups)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--fixed", type=float, required=True, metavar="SECONDS", help="what a shard takes with nothing to do")
    parser.add_argument("--total", type=float, metavar="SECONDS", help="of all cases, if the file's are those of a machine that was busy")
    parser.add_argument("--overhead", type=float, default=0.002, metavar="SECONDS", help="per case, beside the framework")
    arguments = parser.parse_args()
    records = map(json.loads, arguments.results.read_text(encoding="utf-8").splitlines())
    seconds = [record["seconds"] + arguments.overhead for record in records if record["kind"] == "case"]
    if arguments.total:
        seconds = [each * arguments.total / sum(seconds) for each in seconds]
    whole = arguments.fixed + sum(seconds)
    print(f"{len(seconds):,} cases, {sum(seconds):.1f} s, and {arguments.fixed:.1f} s fixed a shard\n")
    print("| shards | longest shard, s | of one machine | durations known, s | perfect balance, s |\n|--:|--:|--:|--:|--:|")
    for shards in (1, 2, 4, 8, 16, 32, 64):
        alike, known = (arguments.fixed + longest(seconds, shards, each) for each in (False, True))
        perfect = arguments.fixed + sum(seconds) / shards
        print(f"| {shards} | {alike:.1f} | {alike / whole:.0%} | {known:.1f} | {perfect:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
