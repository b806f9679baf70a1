"""Draws the figures of the documentation: ``python docs/figures.py [FOLDER]``, by default into ``docs/figures``."""

from __future__ import annotations

import sys
from pathlib import Path

FIGURES = {
    "convolution": "conv2d-valid-in1x4x4x1-k3x3-f1-s1x1",
    "crop": "conv2d_transpose-same-in1x2x2x1-k3x3-f1-s2x2",
    "even": "conv2d_transpose-same-in1x2x2x1-k4x4-f1-s2x2",
}
"""Name of a figure, and the case that it draws: the same picture as ``python -m conformance explain`` makes."""


def build(folder: Path) -> list[Path]:
    """Draw every figure into ``folder`` as svg."""
    from conformance.explain import draw, explain

    files = []
    for name, case in FIGURES.items():
        file = folder / f"{name}.svg"
        draw(explain(case), file)
        files.append(file)
    return files


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "figures")
