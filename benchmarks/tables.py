"""Tables and figure of ``pytest benchmarks``: every form as a ratio to the machine's limit, measured in the same run.

``python -m benchmarks.tables build/bench/forms.json [-o docs/benchmarks.svg]``. A form's share of the limit is the operations of
the definition over its median time, over the same of a matrix product measured beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.forms import FORMS, LIMITS, SHAPES

COLOURS = {"reference": "#1f5fa8", "tensorflow": "#e08214", "pytorch": "#b2182b"}


def medians(path: Path) -> dict[str, dict[str, tuple[float, int]]]:
    """For every shape and form the median seconds and the operations."""
    found: dict[str, dict[str, tuple[float, int]]] = {}
    for each in json.loads(path.read_text(encoding="utf-8"))["benchmarks"]:
        info = each["extra_info"]
        found.setdefault(info["shape"], {})[info["form"]] = each["stats"]["median"], info["flops"]
    return found


def shares(forms: dict[str, tuple[float, int]]) -> dict[str, float]:
    """Operations a second of each form over those of the limit."""
    seconds, operations = next(forms[name] for name in LIMITS if name in forms)
    return {name: operations_ / seconds_ * seconds / operations for name, (seconds_, operations_) in forms.items() if name not in LIMITS}


def table(found: dict[str, dict[str, tuple[float, int]]]) -> str:
    """Markdown: a shape a row, the reference's time and share of the limit, the others as multiples of the reference's time."""
    others = [name for name in FORMS if name not in (*LIMITS, "reference")]
    lines = [f"| shape | reference | of the limit | {' | '.join(others)} |", f"|---|--:|--:|{'--:|' * len(others)}"]
    for shape in map(str, SHAPES):
        if shape not in found:
            continue
        forms = found[shape]
        mine = forms["reference"][0]
        cells = [f"{forms[name][0] / mine:.2g} ×" if name in forms else "" for name in others]
        lines.append(f"| {shape} | {_time(mine)} | {shares(forms)['reference']:.0%} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def figure(found: dict[str, dict[str, tuple[float, int]]], path: Path) -> None:
    """Shares of the limit on the shapes that are not tiny, as bars side by side."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "convformance"  # the same figure, the same bytes
    from matplotlib import pyplot as plt

    shapes = [str(shape) for shape in SHAPES if str(shape) in found and shape.size * shape.channels >= 600 and not shape.is_depthwise]
    fig, axes = plt.subplots(figsize=(8, 0.42 * len(shapes) + 1), layout="constrained")
    for place, (name, colour) in enumerate(COLOURS.items()):
        each = [(row, shares(found[shape])[name]) for row, shape in enumerate(shapes) if name in found[shape]]
        axes.barh([row + 0.27 * (place - 1) for row, _ in each], [100 * share for _, share in each], 0.27, color=colour, label=name)
    axes.set_yticks(range(len(shapes)), shapes, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("% of the matrix-product limit, float64, one thread")
    axes.axvline(60, color="grey", lw=0.8, ls=":")
    axes.legend(loc="lower right", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    fig.savefig(path, metadata={"Date": None})


def machine(path: Path) -> str:
    """The machine and the day in a line."""
    everything: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    about, cpu = everything["machine_info"], everything["machine_info"]["cpu"]
    return f"{cpu.get('brand_raw', about['processor'])}, {cpu.get('count', '?')} cores, Python {about['python_version']}"


def main() -> int:
    """Print the tables; draw the figure if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.svg")
    arguments = parser.parse_args()
    found = medians(arguments.results)
    print(machine(arguments.results), end="\n\n")
    print(table(found))
    if arguments.output:
        figure(found, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
