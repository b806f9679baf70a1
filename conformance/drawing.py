"""Pictures of one case: every number in its cell. Needs matplotlib; `conformance.explain` says so if it is missing.

Colours are cividis, which reads alike with and without colour vision, and digits are black or white, whichever stands out. What is padded
or cropped is hatched, never told by colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from conformance.explain import Explanation
from reference.arguments import Array

CELL, SMALLEST_CELL = 0.36, 0.05
"""Inches: a cell that holds three digits, and the smallest that can be told from its neighbours."""
SMALLEST_WITH_DIGITS = 0.2
LARGEST = 13.0
GAP, TITLE, MARGIN = 0.55, 0.62, 0.35
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "convformance",  # the same picture is the same file
    "svg.fonttype": "none",  # text stays text: small files, and readable ones
    "font.family": "DejaVu Sans",
    "hatch.linewidth": 0.6,
}


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One matrix. ``kept`` (first row, first column, rows, columns) is what is not padding or crop; ``marked`` is outlined."""

    title: str
    values: Array
    kept: tuple[int, int, int, int] | None = None
    marked: list[tuple[int, int]] = field(default_factory=list)
    blank_zeros: bool = False

    @property
    def rows(self) -> int:
        return int(self.values.shape[0])

    @property
    def columns(self) -> int:
        return int(self.values.shape[1])


def drawn(explanation: Explanation, suffix: str) -> bytes:
    """Input, kernel, output and overlap count, C below and C.T beside them, as a file of this suffix has it: ``.png`` or ``.svg``."""
    file = BytesIO()
    with mpl.rc_context(STYLE):
        figure = picture(explanation)
        # without a date, and without the version: the same picture is the same file
        metadata = {"Date": None, "Creator": None} if suffix == ".svg" else {"Software": None}
        figure.savefig(file, format=suffix[1:], dpi=150, metadata=metadata)
    return file.getvalue()


def picture(explanation: Explanation) -> Figure:
    """The figure, not yet written anywhere."""
    case = explanation.case
    upper = _operands(explanation)
    c = explanation.matrix
    small, big = ("input", "output") if case.transposed else ("output", "input")
    c_title = f"C: {c.shape[0]} × {c.shape[1]}\nrow: {small} element, column: {big} element"
    c_t_title = f"C.T: {c.shape[1]} × {c.shape[0]}\nvec(y) = {'C.T' if case.transposed else 'C'} vec(x)"
    return _figure(str(case), upper, Panel(c_title, c, blank_zeros=True), Panel(c_t_title, c.T, blank_zeros=True))


def _operands(explanation: Explanation) -> list[Panel]:
    case = explanation.case
    edges = [(0, 0)] * (2 - case.rank) + explanation.edges
    x, kernel, y = (np.atleast_2d(a) for a in (explanation.x, explanation.kernel, explanation.y))
    element = _cell_of(explanation.element)
    read = [_cell_of(position) for _, position in explanation.terms()]
    overlap = np.atleast_2d(explanation.overlaps)
    (top, bottom), (left, right) = edges
    if case.transposed:
        full = np.atleast_2d(explanation.before_the_crop)
        shown = np.pad(full, [(0, max(-bottom, 0)), (0, max(-right, 0))])
        cut = [f"{max(v, 0)} {side}" for v, side in ((top, "above"), (bottom, "below"), (left, "left"), (right, "right"))]
        crop = "crop: " + ", ".join(cut) if max(top, bottom, left, right) > 0 else "nothing cropped"
        if min(bottom, right) < 0:
            crop += f"\nzeros appended: {max(-bottom, 0)} below, {max(-right, 0)} right"
        return [
            Panel(f"input x: {_by(x)}", x, marked=read),
            Panel(f"kernel: {_by(kernel)}\nstrides {_numbers(case.strides)}{_dilation(case.dilation_rate)}", kernel),
            Panel(
                f"output y: {_by(y)}{', framed' * (shown.shape != y.shape)}\n{crop}",
                shown,
                kept=(top, left, *y.shape) if shown.shape != y.shape else None,
                marked=[(element[0] + top, element[1] + left)],
            ),
            Panel(f"stamps on each\noutput element: {_by(overlap)}", overlap),
        ]
    padded = any(map(any, edges))
    pads = f"zeros: {top} above, {bottom} below, {left} left, {right} right" if padded else "no padding"
    return [
        Panel(
            f"input x: {_by(x)}{', framed' * padded}\n{pads}",
            np.atleast_2d(explanation.padded),
            kept=(top, left, *x.shape) if padded else None,
            marked=[(i + top, j + left) for i, j in read],
        ),
        Panel(f"kernel: {_by(kernel)}\nstrides {_numbers(case.strides)}{_dilation(case.dilation_rate)}", kernel),
        Panel(f"output y: {_by(y)}", y, marked=[element]),
        Panel(f"windows on each\ninput element: {_by(overlap)}", overlap),
    ]


def _figure(title: str, upper: list[Panel], below: Panel, beside: Panel) -> Figure:
    """A row of panels, one below it and one beside both, placed by hand: no layout engine, so nothing depends on one."""
    upper_cell = _cell(sum(panel.columns for panel in upper), max(panel.rows for panel in upper))
    cell = min(_cell(below.columns + beside.columns, below.rows + max(panel.rows for panel in upper)), upper_cell)
    left_width = max(sum(_width(panel, upper_cell) for panel in upper) + GAP * (len(upper) - 1), _width(below, cell))
    upper_height = TITLE + max(panel.rows for panel in upper) * upper_cell
    left_height = upper_height + GAP + TITLE + below.rows * cell
    width = max(left_width + GAP + _width(beside, cell), 0.1 * len(title)) + 2 * MARGIN
    height = max(left_height, TITLE + beside.rows * cell) + GAP + MARGIN
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    figure.text(MARGIN / width, 1 - 0.6 * GAP / height, title, fontsize=11, weight="bold", va="center")

    def place(panel: Panel, cell: float, left: float, top: float) -> None:
        size = (panel.columns * cell, panel.rows * cell)
        box = (left / width, (height - GAP - top - TITLE - size[1]) / height, size[0] / width, size[1] / height)
        _panel(figure.add_axes(box), panel, cell)

    left = MARGIN
    for panel in upper:
        place(panel, upper_cell, left, 0)
        left += _width(panel, upper_cell) + GAP
    place(below, cell, MARGIN, upper_height + GAP)
    place(beside, cell, MARGIN + left_width + GAP, 0)
    return figure


def _cell(columns: int, rows: int) -> float:
    """The size of a cell, so that so many fit the largest figure."""
    return max(min(CELL, LARGEST / columns, LARGEST / rows), SMALLEST_CELL)


def _width(panel: Panel, cell: float) -> float:
    """Inches that a panel takes, its title included."""
    return max(panel.columns * cell, 0.072 * max(map(len, panel.title.split("\n"))))


def _panel(axes: Axes, panel: Panel, cell: float) -> None:
    rows, columns = panel.rows, panel.columns
    axes.set(xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[])
    axes.set_title(panel.title, loc="left", fontsize=9, pad=6)
    for side in axes.spines.values():
        side.set(linewidth=0.5, color="0.5")
    high = max(float(panel.values.max()), 1.0)
    top, left, kept_rows, kept_columns = panel.kept or (0, 0, rows, columns)
    # the darkest and the lightest end of the map are left out: digits and marks stand out everywhere
    colours = mpl.colormaps["cividis"](0.12 + 0.85 * panel.values / high)
    kept = np.zeros(panel.values.shape, bool)
    kept[top : top + kept_rows, left : left + kept_columns] = True
    empty = panel.values == 0 if panel.blank_zeros else np.zeros_like(kept)
    colours[~kept | empty] = 1.0
    with_digits = cell >= SMALLEST_WITH_DIGITS
    if not with_digits:
        axes.imshow(colours, extent=(0, columns, rows, 0), aspect="auto", interpolation="nearest")
    for i, j in np.ndindex(rows, columns):
        if with_digits or not kept[i, j]:
            hatch = None if kept[i, j] else "////"
            axes.add_patch(Rectangle((j, i), 1, 1, facecolor=colours[i, j], edgecolor="0.6", linewidth=0.4, hatch=hatch))
        if with_digits and not empty[i, j]:
            digits = str(panel.values[i, j])
            axes.text(
                j + 0.5,
                i + 0.52,
                digits,
                ha="center",
                va="center",
                fontsize=72 * cell * (0.42 if len(digits) < 3 else 1.15 / len(digits)),
                color="black" if _luminance(colours[i, j]) > 0.18 else "white",
                bbox=None if kept[i, j] else {"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )
    if panel.kept:
        axes.add_patch(Rectangle((left, top), kept_columns, kept_rows, fill=False, edgecolor="black", linewidth=2.2, clip_on=False))
    for i, j in panel.marked:
        axes.add_patch(Rectangle((j + 0.09, i + 0.09), 0.82, 0.82, fill=False, edgecolor="#d55e00", linewidth=1.5))


def _luminance(colour: Array) -> float:
    """Relative luminance of an sRGB colour, by the definition of WCAG; above 0.18 black is in stronger contrast than white."""
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in colour[:3])
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def _cell_of(index: tuple[int, ...]) -> tuple[int, int]:
    """Row and column: a signal of one axis is a row."""
    row, column = (0, *index)[-2:]
    return row, column


def _by(a: Array) -> str:
    return f"{a.shape[0]} × {a.shape[1]}"


def _numbers(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))


def _dilation(rates: tuple[int, ...]) -> str:
    return f", dilation {_numbers(rates)}" if max(rates) > 1 else ""
