"""Draws the README's pictures of a run, its screen and its page: ``python -m docs.screens``, from the checkout.

The run is one of a planted fault on the smallest grid; the screen is what `conformance.summary` prints, colours included. The page is
photographed by Chromium, where that is installed.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path

from conformance import grids
from conformance.claims import CLAIMS
from conformance.outcomes import Outcome
from conformance.page import page
from conformance.records import Record, Writer, case_record
from conformance.results import read
from conformance.summary import Line, Tally, screen
from tests.faults.geometry import ParityDropped

FOLDER = Path(__file__).parent / "pictures"
WIDTH = 100
"""Columns of the terminal."""
COLOURS = {"red": "#ff7b72", "green": "#7ee787", "yellow": "#e3b341"}
ACROSS, DOWN = 8.43, 19
"""Size of a character in pixels: 14 px of a font whose letters are all 0.602 as wide."""


def records() -> Iterator[Record]:
    """What the run found: every two-dimensional case of the grid, by the first claim."""
    subject, forward = ParityDropped(), CLAIMS["forward"]
    for case in grids.grid("smoke"):
        if case.layer in ("conv2d", "conv2d_transpose"):
            yield case_record(case, "forward", "eager", forward(subject, case, "eager"), None, 0.0)


def tally() -> Tally:
    """The same, as the screen has it."""
    found = Tally()
    for record in records():
        text = f"{record['id']} [eager]: {record['outcome']}\n{record['message']}"
        found.add(record, record["outcome"] != Outcome.CONFORMS, text, record["id"])
    return found


def svg(lines: list[Line]) -> str:
    """Lines of the terminal as a picture."""
    width, height = ACROSS * WIDTH + 32, DOWN * len(lines) + 28
    font = 'font-size="14" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace"'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" {font} fill="#e6edf3">',
        f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#0d1117"/>',
    ]
    for number, line in enumerate(lines):
        parts, column = [], 0
        for text, markup in line:
            colour = next((COLOURS[name] for name in COLOURS if markup.get(name)), None)
            style = (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' if markup.get("bold") else "")
            if text.strip():
                # where it stands and how long it is is said, so that columns stand under each other in any font
                indent = len(text) - len(text.lstrip())
                shown = text.strip()
                place = f'x="{16 + ACROSS * (column + indent):.1f}" textLength="{ACROSS * len(shown):.1f}"'
                parts.append(f'<tspan {place} xml:space="preserve"{style}>{escape(shown)}</tspan>')
            column += len(text)
        if parts:
            drawn.append(f'<text y="{DOWN * number + 28}">{"".join(parts)}</text>')
    return "\n".join([*drawn, "</svg>", ""])


def build() -> str:
    """The picture."""
    found = tally()
    failed = len(found.failed)
    title: Line = [(f" conformance: {failed:,} of {len(found):,} cases fail ".center(WIDTH, "="), {"red": True, "bold": True})]
    return svg([title, *screen(found, WIDTH)])


def photograph(chromium: str, folder: Path) -> None:
    """The page of the same run, as Chromium shows it."""
    results, file = folder / "run.jsonl", folder / "page.html"
    writer = Writer(results, "smoke", ("eager",))
    writer.environment({"keras": None, "backend": "numpy", "subject": "a planted fault", "versions": {}, "flags": {}})
    for record in records():
        writer.case(record)
    writer.close(complete=True)
    file.write_text(page([read(results)]), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1200,600", f"--screenshot={FOLDER / 'page.png'}"]
    subprocess.run([chromium, *options, file.as_uri()], check=True, capture_output=True)  # noqa: S603 - our own page


if __name__ == "__main__":
    (FOLDER / "summary.svg").write_text(build(), encoding="utf-8")
    if found := shutil.which("chromium") or shutil.which("google-chrome"):
        with tempfile.TemporaryDirectory() as temporary:
            photograph(found, Path(temporary))
