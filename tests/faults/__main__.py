"""``python -m tests.faults [GRID…]``: how many planted faults the gate rejects, by class and grid, and by what; what is right passes.

The exit code is 1 if a fault goes through or a right implementation is rejected.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from conformance import grids
from tests.faults.catalogue import MODULES, faults, rejection, rejections
from tests.faults.orders import RIGHT, ByTheDefinition


def summary(grid: str) -> tuple[list[str], bool]:
    """Lines of a table for one grid, and whether every fault was rejected and nothing right was."""
    found = {fault: rejection(fault, grid) for fault in faults()}
    others = {fault: rejected for fault, rejected in found.items() if rejected and rejected.verdict.outcome not in fault.outcomes}
    lines = [f"{grid}: {len(grids.grid(grid)):,} cases"]
    for kind in (*MODULES, "all"):
        of_kind = [rejected for fault, rejected in found.items() if kind in (fault.kind, "all")]
        by = Counter(f"{rejected.claim} {rejected.verdict.outcome}" for rejected in of_kind if rejected)
        causes = ", ".join(f"{cause} {number}" for cause, number in by.most_common())
        lines.append(f"  {kind:<12}{sum(by.values()):>4} of {len(of_kind):>3} rejected  ({causes})")
    lines += [f"  not rejected: {fault} ({fault.sentence})" for fault, rejected in found.items() if rejected is None]
    lines += [f"  rejected as another fault than it is: {fault} ({rejected})" for fault, rejected in others.items()]
    # the plain loops take many minutes for the exhaustive grid
    implementations = [right for right in RIGHT if (right, grid) != (ByTheDefinition, "exhaustive")]
    alarms = {right.__name__: next(rejections(right(), grids.grid(grid)), None) for right in implementations}
    passed = [name for name, alarm in alarms.items() if alarm is None]
    lines.append(f"  {'right':<12}{len(passed):>4} of {len(implementations):>3} pass")
    lines += [f"  false alarm: {name}: {alarm}" for name, alarm in alarms.items() if alarm]
    return lines, None not in found.values() and not others and len(passed) == len(implementations)


def main(names: Sequence[str]) -> int:
    """Print the table of each grid, of all of them if none is named."""
    good = True
    for name in names or tuple(grids.BOUNDS):
        lines, fine = summary(name)
        print("\n".join(lines), flush=True)  # noqa: T201 - this is what it is for
        good = good and fine
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
