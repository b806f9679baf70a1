"""What the harness costs over the framework: process time and memory of runs of the gate, and of a bare loop of the same framework calls.

``python -m benchmarks.harness [--grid standard] [--workers 2] [--runs 3]``, for the backend in KERAS_BACKEND; the claim is ``forward``.
All sides run in processes of their own, in turn: import of the framework, the bare loop (`benchmarks.bare`), the gate, the gate on
a subject that is the reference again, and pytest on as many tests that do nothing. Times are user plus system time of all processes of a
side; an import is taken off for every process that imports. So the gate's time falls into pytest's part, this project's, and the
framework's; what is left over is what two processes in turn cost each other in caches.

Memory is what all processes of a side hold at once, pages that they share counted once (Linux's PSS), at its peak.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from conformance.cases import Case
from conformance.grids import grid as cases_of

IMPORT = "import conformance.subjects.keras_layers"
PYTEST = ["-m", "pytest", "-q", *(f"-pno:{name}" for name in ("randomly", "hypothesispytest", "benchmark", "cacheprovider"))]
"""Without plugins that only the project's own tests use: one imports all of Hypothesis at the end of every process."""
REFERENCE = "tests.conformance.subjects:Right"
PARTS = 10
"""The tenths of a grid's layers that the row of sizes is made of."""

NOTHING = """
import pytest
@pytest.mark.parametrize("n", range({tests}))
def test_nothing(n): pass
"""


@dataclass(frozen=True)
class Cost:
    """Process seconds, wall seconds and peak memory (MiB) of a command and all that it starts."""

    process: float
    wall: float
    memory: float
    output: str

    @classmethod
    def of(cls, *command: str) -> Cost:
        """Run the command to its end.

        Raises:
            SystemExit: it cannot be measured, since it failed.
        """
        started, before = time.monotonic(), os.times()
        with subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as running:
            watch = Watch(running.pid)
            output, _ = running.communicate()
            watch.end()
        after = os.times()
        if running.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {running.returncode}:\n{output[-2000:]}")
        process = after.children_user + after.children_system - before.children_user - before.children_system
        return cls(process, time.monotonic() - started, watch.peak, output)


class Watch(threading.Thread):
    """Looks now and then at what a process and those that it started hold."""

    EVERY = 0.5

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self.peak = 0.0
        self.start()

    def run(self) -> None:
        while not self._ended.wait(self.EVERY):
            self.peak = max(self.peak, sum(map(_held, _family(self._pid))))

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self.join()


def _family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    family = [pid]
    for each in family:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            family += map(int, _text(children).split())
    return family


def _held(pid: int) -> float:
    """MiB of memory, each page divided by the processes that share it; 0 where that cannot be told."""
    found = re.search(r"^Pss:\s+(\d+) kB", _text(Path(f"/proc/{pid}/smaps_rollup")), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:  # ended meanwhile
        return ""


@dataclass(frozen=True)
class Measurement:
    """One turn: everything beside everything else. Seconds are process time, but for ``wall_s``."""

    cases: int
    workers: int
    import_s: float
    building_s: float
    calling_s: float
    gate_s: float
    wall_s: float
    on_reference_s: float
    pytest_s: float
    bare_mib: float
    gate_mib: float

    @property
    def net(self) -> float:
        """The gate without the imports of the framework."""
        return self.gate_s - self.import_s * max(self.workers, 1)

    @property
    def bare_s(self) -> float:
        return self.building_s + self.calling_s

    @property
    def ratio(self) -> float:
        return self.net / self.bare_s

    @property
    def over_layer_calls(self) -> float:
        """As if layers cost nothing to build."""
        return self.net / self.calling_s

    @property
    def ours_s(self) -> float:
        """What the project adds to tests that do nothing, where the framework plays no part."""
        return self.on_reference_s - self.pytest_s

    @property
    def memory_over_bare(self) -> float:
        """MiB over as many bare loops as there are processes with the framework."""
        return self.gate_mib - self.bare_mib * max(self.workers, 1)

    def row(self, name: str) -> str:
        """A line of the table, see `HEAD`."""
        rest = self.net - self.bare_s - self.on_reference_s
        cells = (
            f"{self.cases:,}",
            f"{self.workers}",
            f"{self.building_s:.1f} + {self.calling_s:.1f}",
            f"{self.net:.1f}",
            *(f"{each:.2f}" for each in (self.ratio, self.over_layer_calls)),
            *(f"{each:.1f}" for each in (1e3 * self.net / self.cases, self.pytest_s, self.ours_s, rest)),
            *(f"{each:.0f}" for each in (self.wall_s, self.bare_mib)),
            f"{self.memory_over_bare:+.0f}",
        )
        return f"| {name} | {' | '.join(cells)} |"


COLUMNS = (
    "cases", "workers", "bare loop, s (building + calling)", "gate, s", "ratio", "over calls alone", "ms a case", "of it pytest, s",
    "this project, s", "caches, s", "wall, s", "bare, MiB", "gate over bare, MiB",
)  # fmt: skip
HEAD = f"| grid | {' | '.join(COLUMNS)} |\n|---|{'--:|' * len(COLUMNS)}"


def measure(cases: Iterable[Case], workers: int, folder: Path) -> Measurement:
    """One turn over these cases."""
    ids = list(map(str, cases))
    (folder / "ids").write_text("\n".join(ids), encoding="utf-8")
    (folder / "arguments").write_text("".join(f"--case={each}\n" for each in ids), encoding="utf-8")
    (folder / "test_nothing.py").write_text(NOTHING.format(tests=len(ids)), encoding="utf-8")
    gate = (*PYTEST, "conformance/test_forward.py", f"-n{workers}", f"@{folder / 'arguments'}")
    imported = Cost.of("-c", IMPORT)
    bare = Cost.of("-m", "benchmarks.bare", str(folder / "ids"))
    measured = Cost.of(*gate)
    on_reference = Cost.of(*gate, f"--subject={REFERENCE}")
    nothing = Cost.of(*PYTEST, str(folder / "test_nothing.py"), f"-n{workers}", f"--rootdir={folder}")
    _, building, calling = map(float, bare.output.split()[-3:])
    return Measurement(
        cases=len(ids),
        workers=workers,
        import_s=imported.process,
        building_s=building,
        calling_s=calling,
        gate_s=measured.process,
        wall_s=measured.wall,
        on_reference_s=on_reference.process,
        pytest_s=nothing.process,
        bare_mib=bare.memory,
        gate_mib=measured.memory,
    )


def tenths(cases: Iterable[Case], parts: int) -> list[Case]:
    """So many tenths of the layers, with all their cases: fewer cases and not other ones, as a part of each layer's would be."""
    layers: dict[Case, int] = {}
    return [case for case in cases if layers.setdefault(case.configuration, len(layers)) % PARTS < parts]


def start_up(grid: str) -> str:
    """Start and collection beside the import of the framework."""
    one = str(cases_of("smoke")[0])
    imported = Cost.of("-c", IMPORT)
    started = Cost.of(*PYTEST, "conformance/test_forward.py", f"--case={one}")
    collected = Cost.of(*PYTEST, "conformance/test_forward.py", "--collect-only", f"--grid={grid}")
    everything = Cost.of(*PYTEST, "conformance", "--collect-only", f"--grid={grid}")
    tests = re.search(r"(\d+) tests collected", everything.output)
    lines = [
        ("import of Keras and the framework", imported),
        ("the gate on one case, import included", started),
        (f"collection of {grid}, claim forward", collected),
        (f"collection of {grid}, all claims" + (f" ({int(tests[1]):,} checks)" if tests else ""), everything),
    ]
    table = "\n".join(f"| {name} | {cost.process:.1f} | {cost.wall:.1f} | {cost.memory:.0f} |" for name, cost in lines)
    return f"| | process s | wall s | MiB |\n|---|--:|--:|--:|\n{table}"


def main() -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grid", action="append", help="may be repeated (default: standard)")
    parser.add_argument("--workers", type=int, action="append", help="may be repeated (default: 0, 1 and 2)")
    parser.add_argument("--runs", type=int, default=3, help="turns, of which the median ratio is told (default: %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1, 3], metavar="TENTHS", help="parts of a grid (default: 1 3)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.json")
    arguments = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.pop(threads, None)  # as a user has it
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling everything anew in every process is no one's everyday run
    grids = arguments.grid or ["standard"]
    print(start_up(grids[0]), end="\n\n", flush=True)
    print(HEAD, flush=True)
    found: dict[str, list[Measurement]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for grid in grids:
            for workers in arguments.workers or [0, 1, 2]:
                for parts in (*arguments.sizes, PARTS):
                    name = f"{grid}, {parts}/{PARTS}" if parts < PARTS else grid
                    turns = found.setdefault(name, [])
                    for _ in range(arguments.runs):
                        turns.append(measure(tenths(cases_of(grid), parts), workers, Path(folder)))
                        print(turns[-1].row(name), flush=True)
                    mine = [turn.ratio for turn in turns if turn.workers == workers]
                    if len(mine) > 1:
                        print(f"{name}, {workers} workers: median ratio {median(mine):.2f}", file=sys.stderr, flush=True)
    if arguments.output:
        everything = {name: [asdict(turn) for turn in turns] for name, turns in found.items()}
        arguments.output.write_text(json.dumps(everything, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
