"""What the harness costs over the framework: process time of a gate run over that of a bare loop of the same layer calls.

``python benchmarks/harness.py [--grid standard] [--workers 2]``, for the backend in KERAS_BACKEND. The bare loop calls the same
layers, built before, on the same data, made before. Import of the framework is measured on its own and taken off once for every
process that imports it. Both sides run in processes of their own, one after the other; the figures are user plus system time of all
their processes.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time

IMPORT = "import conformance.subjects.keras_layers"
BARE = """
import os, sys, time
from conformance import probes
from conformance.contract import error_due
from conformance.grids import grid
from conformance.subjects import keras_layers
import keras, warnings
warnings.simplefilter("ignore")
keras_layers.LAYERS_KEPT = 10**9
subject = keras_layers.KerasLayers()
calls = []
for case in grid(sys.argv[1]):
    if error_due(case) is None:
        probe = probes.exact(case)
        calls.append((subject._layer(case, probe), probe.x))
started = time.process_time()
for layer, x in calls:
    try:
        keras.ops.convert_to_numpy(layer(x))
    except Exception:
        pass
print(len(calls), time.process_time() - started)
"""


def process_time(command: list[str]) -> float:
    """User plus system time of a command and all that it starts, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # noqa: S603 - our own commands
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Measure and print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grid", default="standard")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    ratios = []
    for _ in range(arguments.runs):
        imported = process_time([sys.executable, "-c", IMPORT])
        bare = subprocess.run([sys.executable, "-c", BARE, arguments.grid], capture_output=True, text=True, check=True)  # noqa: S603
        calls, seconds = bare.stdout.split()[-2:]
        started = time.monotonic()
        gate = process_time(
            [
                sys.executable,
                "-m",
                "pytest",
                "conformance",
                "-q",
                "-p",
                "no:randomly",
                "-n",
                str(arguments.workers),
                "--grid",
                arguments.grid,
            ]
        )
        wall = time.monotonic() - started
        net = gate - imported * max(arguments.workers, 1)
        ratios.append(net / float(seconds))
        print(
            f"import {imported:.1f} s; bare loop of {calls} calls {float(seconds):.1f} s; gate {gate:.1f} s, {net:.1f} s without"
            f" {max(arguments.workers, 1)} imports, wall {wall:.1f} s; ratio {ratios[-1]:.2f}"
        )
    print(f"median ratio {sorted(ratios)[len(ratios) // 2]:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
