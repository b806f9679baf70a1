"""What the harness costs over the framework: process time and memory of a gate run, and of a bare loop of the same framework calls.

``python -m benchmarks.harness [--grid standard] [--workers 2] [--runs 3]``, for the backend in KERAS_BACKEND; the claim is ``forward``.
The bare loop builds the same layers and calls them on the same data, made before. Two ratios are printed: over all its framework calls,
and over the calls of the layers alone, as if layers cost nothing to build. Import of the framework is measured on its own and taken off
once for every process that imports it. All sides run in processes of their own, in turn; times are user plus system time of all their
processes, memory is the peak of the largest one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

IMPORT = "import conformance.subjects.keras_layers"
GATE = ["-m", "pytest", "conformance/test_forward.py", "-q", *(f"-pno:{name}" for name in ("randomly", "hypothesispytest", "benchmark"))]
"""Without plugins that only the project's own tests use: one imports all of Hypothesis at the end of every process."""
BARE = """
import resource, sys, time, warnings
from conformance import probes
from conformance.contract import error_due
from conformance.grids import grid
from conformance.subjects import keras_layers
import keras
warnings.simplefilter("ignore")
subject = keras_layers.KerasLayers()
probes_of = [(case, probes.exact(case)) for case in grid(sys.argv[1]) if error_due(case) is None]
building = calling = 0.0
for case, probe in probes_of:
    started = time.process_time()
    layer = subject._layer(case, probe)
    built = time.process_time()
    try:
        keras.ops.convert_to_numpy(layer(probe.x))
    except Exception:
        pass
    called = time.process_time()
    building += built - started
    calling += called - built
print(len(probes_of), building, calling)
"""


@dataclass(frozen=True)
class Cost:
    """Process seconds, wall seconds and peak memory (MiB) of a command and all that it starts."""

    process: float
    wall: float
    memory: float
    output: str

    @classmethod
    def of(cls, command: list[str]) -> Cost:
        """Run the command in a process that waits for it, so that its children's peak is its own."""
        watched = [sys.executable, "-c", WATCH, *command]
        started = time.monotonic()
        done = subprocess.run(watched, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands
        output, _, figures = done.stdout.rpartition("\n\0")
        process, memory = map(float, figures.split())
        return cls(process, time.monotonic() - started, memory, output)


WATCH = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(done.stdout, end="")
print("\\n\\0", used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


@dataclass(frozen=True)
class Measurement:
    """One turn: everything beside everything else."""

    grid: str
    workers: int
    cases: int
    import_s: float
    building_s: float
    calling_s: float
    gate_s: float
    wall_s: float
    bare_mib: float
    gate_mib: float

    @property
    def net(self) -> float:
        """Process seconds of the gate without the imports of its workers."""
        return self.gate_s - self.import_s * max(self.workers, 1)

    @property
    def over_all_calls(self) -> float:
        return self.net / (self.building_s + self.calling_s)

    @property
    def over_layer_calls(self) -> float:
        return self.net / self.calling_s

    def __str__(self) -> str:
        bare = f"{self.cases} cases, {self.building_s:.1f} s building, {self.calling_s:.1f} s calling"
        gate = f"{self.gate_s:.1f} s, {self.net:.1f} s without imports, wall {self.wall_s:.1f} s"
        ratios = f"ratio {self.over_all_calls:.2f}, over layer calls alone {self.over_layer_calls:.2f}"
        memory = f"memory {self.gate_mib:.0f} MiB over {self.bare_mib:.0f}"
        return f"{self.grid}, {self.workers} worker(s): import {self.import_s:.1f} s; bare loop: {bare}; gate {gate}; {ratios}; {memory}"


def measure(grid: str, workers: int) -> Measurement:
    """One turn: import, bare loop, gate."""
    imported = Cost.of([sys.executable, "-c", IMPORT])
    bare = Cost.of([sys.executable, "-c", BARE, grid])
    cases, building, calling = bare.output.split()[-3:]
    gate = Cost.of([sys.executable, *GATE, "-n", str(workers), "--grid", grid])
    return Measurement(
        grid, workers, int(cases), imported.process, float(building), float(calling), gate.process, gate.wall, bare.memory, gate.memory
    )


def main() -> int:
    """Measure, print a line a turn and the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grid", action="append", help="may be repeated (default: standard)")
    parser.add_argument("--workers", type=int, action="append", help="may be repeated (default: 2)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.json")
    arguments = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling everything anew in every process is no one's everyday run
    found = []
    for grid in arguments.grid or ["standard"]:
        for workers in arguments.workers or [2]:
            turns = []
            for _ in range(arguments.runs):
                turns.append(measure(grid, workers))
                print(turns[-1], flush=True)
            all_calls, layer_calls = median(turn.over_all_calls for turn in turns), median(turn.over_layer_calls for turn in turns)
            print(f"{grid}, {workers} worker(s): median ratio {all_calls:.2f}, over layer calls alone {layer_calls:.2f}", flush=True)
            found += turns
    if arguments.output:
        arguments.output.write_text(json.dumps([asdict(turn) for turn in found], indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
