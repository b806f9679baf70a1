"""How wall time falls with shards: a run's own seconds per case, dealt out by pytest-split's own algorithm, and shards run to see it.

``python -m benchmarks.shards [--grid standard] [--run 4,16,64]`` runs the claim ``forward`` as a whole in one process, then one shard
of 64; from both follows what every shard pays (start, import and collection). Then, for each number of shards, the longest one's seconds:
with all cases taken alike, with their durations known, and in perfect balance. Of the numbers of shards named by ``--run``, the first, the
last and the longest shard are run, one after the other, to hold what was computed against what they take. All seconds are process time,
which is what a machine of one core would take, and other programs move little.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pytest_split.algorithms import DurationBasedChunksAlgorithm

from benchmarks.harness import PYTEST, Cost

SHARDS = (1, 2, 4, 8, 16, 32, 64)


def shares(seconds: list[float], shards: int, known: bool) -> list[float]:
    """Seconds of cases in each of the shards; with durations not ``known``, all cases are taken to be alike."""
    items: list[Any] = [SimpleNamespace(nodeid=str(n)) for n in range(len(seconds))]
    durations = {item.nodeid: each for item, each in zip(items, seconds, strict=True)} if known else {}
    groups = DurationBasedChunksAlgorithm()(shards, items, durations)
    return [sum(seconds[int(item.nodeid)] for item in group.selected) for group in groups]


def main() -> int:
    """Measure, compute, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grid", default="standard")
    parser.add_argument("--run", default="4,16,64", metavar="N,…", help="numbers of shards of which three are run (default: %(default)s)")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    gate = (*PYTEST, "conformance/test_forward.py", f"--grid={arguments.grid}")
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "whole.jsonl"
        whole = Cost.of(*gate, f"--results={results}").process
        records = map(json.loads, results.read_text(encoding="utf-8").splitlines())
        wall = [record["seconds"] for record in records if record["kind"] == "case"]
    part = Cost.of(*gate, f"--splits={SHARDS[-1]}", "--group=1").process
    # a case's own seconds are wall time; what they come to of process time, and what is fixed, follows from a whole and a small part of it
    scale = (whole - part) / (sum(wall) - shares(wall, SHARDS[-1], known=False)[0])
    seconds = [each * scale for each in wall]
    fixed = whole - sum(seconds)
    print(f"{len(seconds):,} cases, {whole:.1f} s of process time, {fixed:.1f} s of it fixed\n")
    print("| shards | longest shard, s | of one machine | durations known, s | perfect balance, s |\n|--:|--:|--:|--:|--:|")
    for shards in SHARDS:
        alike, known = (fixed + max(shares(seconds, shards, each)) for each in (False, True))
        print(f"| {shards} | {alike:.1f} | {alike / whole:.0%} | {known:.1f} | {fixed + (whole - fixed) / shards:.1f} |", flush=True)
    print("\n| shard | computed, s | run, s |\n|---|--:|--:|")
    for shards in map(int, filter(None, arguments.run.split(","))):
        each = shares(seconds, shards, known=False)
        for group in dict.fromkeys((1, shards, 1 + each.index(max(each)))):
            measured = Cost.of(*gate, f"--splits={shards}", f"--group={group}").process
            print(f"| {group} of {shards} | {fixed + each[group - 1]:.1f} | {measured:.1f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
