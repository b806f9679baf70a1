"""``python -m conformance page RUN.jsonl… -o FILE.html``: one self-contained page for one run, or many side by side."""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from conformance import rules
from conformance.cases import LAYERS, Case, Key
from conformance.claims.forward import FORWARD
from conformance.commands import CommandError, write
from conformance.contract import axes, error_due
from conformance.features import FEATURES, MEANINGS, features
from conformance.outcomes import Outcome
from conformance.results import Entry, ResultsError, Run, read
from conformance.scripts import affordable, script
from conformance.subjects import MODES
from conformance.summary import smallness

SUMMARY = "one self-contained HTML page for one run, or for many side by side"

SCRIPTS = 3000
"""Cases that get a script to reproduce them: so many, the smallest first."""

BACKEND = "{backend}"
"""Stands in a script for the backend of the run that the reader looks at."""

ABSENT = "."
"""Stands for a case that a run does not have; an outcome is its place in the list of outcomes."""


def page(runs: Sequence[Run]) -> str:
    """The page, as text.

    Raises:
        CommandError: Jinja is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        raise CommandError("the page needs jinja2: pip install 'convformance[report]'") from None
    from markupsafe import Markup

    folder = resources.files("conformance") / "templates"
    style = (folder / "page.css").read_text(encoding="utf-8")
    script = (folder / "page.js").read_text(encoding="utf-8")
    environment = Environment(loader=PackageLoader("conformance"), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.get_template("page.html.j2").render(
        title=runs[0].label if len(runs) == 1 else f"{len(runs)} runs",
        style=Markup(style),  # noqa: S704 - our own files, see above
        script=Markup(script),  # noqa: S704
        data=Markup(embedded(data(runs))),  # noqa: S704 - escaped there
        style_hash=_digest(style),
        script_hash=_digest(script),
    )


def embedded(value: Any) -> str:
    """``value`` as JSON that may stand in a script element: nothing in it ends the element, opens a comment or ends a line of script."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def data(runs: Sequence[Run]) -> dict[str, Any]:
    """What the page shows, in columns: one place for every case, mode and claim that some run has."""
    rows: list[Key] = list(dict.fromkeys(key for run in runs for key in run.entries))
    modes, claims = list(dict.fromkeys(mode for _, mode, _ in rows)), list(dict.fromkeys(claim for _, _, claim in rows))
    layers = [name for name in LAYERS if any(case.layer == name for case, _, _ in rows)]
    table = rules.Table(rows)
    messages: dict[str, int] = {}
    geometry: dict[tuple[int, ...], int] = {}
    return {
        "outcomes": [str(outcome) for outcome in Outcome],
        "features": [[name, MEANINGS[name]] for name in FEATURES],
        "layers": [LAYERS[name].keras_name for name in layers],
        "transposed": [LAYERS[name].transposed for name in layers],
        "modes": modes,
        "claims": claims,
        "ids": [str(case) for case, _, _ in rows],
        "layer": [layers.index(case.layer) for case, _, _ in rows],
        "bits": [features(case) for case, _, _ in rows],
        "mode": [modes.index(mode) for _, mode, _ in rows],
        "claim": [claims.index(claim) for _, _, claim in rows],
        "axes": [[geometry.setdefault(axis, len(geometry)) for axis in _axes(case)] for case, _, _ in rows],
        "geometry": list(map(list, geometry)),
        "runs": [_run(run, rows, table, messages) for run in runs],
        "messages": list(messages),
        "scripts": _scripts(runs, rows),
    }


def _run(run: Run, rows: Sequence[Key], table: rules.Table, messages: dict[str, int]) -> dict[str, Any]:
    """One run's share of the columns; what few cases have is a mapping from their places."""
    outcomes = {outcome: str(number) for number, outcome in enumerate(Outcome)}
    entries = [run.entries.get(key) for key in rows]
    found = list(enumerate(entry for entry in entries))
    kinds = [None if entry is None or entry.outcome == Outcome.CONFORMS else str(entry.outcome) for entry in entries]
    absent = [i for i, entry in found if entry is None]
    return {
        "label": run.label,
        "file": run.path.name,
        "backend": str(run.environment.get("backend", "")),
        "notes": list(run.notes),
        "environment": [[name, value] for name, value in _described(run)],
        "rules": [rule.sentence for rule in rules.find(table, kinds, absent).rules],
        "outcomes": "".join(ABSENT if entry is None else outcomes[entry.outcome] for entry in entries),
        "messages": {i: messages.setdefault(entry.message, len(messages)) for i, entry in found if entry is not None and entry.message},
        "deviations": {i: entry.deviation for i, entry in found if entry is not None and entry.deviation},
        "errors": {i: _json_number(entry.error_in_bounds) for i, entry in found if entry is not None and entry.error_in_bounds is not None},
        "characteristics": {
            i: {name: str(value) for name, value in entry.characteristics.items()}
            for i, entry in found
            if entry is not None and entry.characteristics
        },
        "seconds": round(sum(entry.seconds for entry in run.entries.values()), 1),
    }


def _described(run: Run) -> Iterable[tuple[str, str]]:
    for name, value in run.environment.items():
        if isinstance(value, dict):
            yield from ((f"{name} {inner}" if name != "versions" else inner, str(each)) for inner, each in value.items())
        elif name not in ("kind", "schema", "keras"):  # said by the page, or among the versions
            yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _json_number(number: float) -> float | str:
    return number if math.isfinite(number) else str(number)


def _axes(case: Case) -> tuple[tuple[int, ...], ...]:
    """The geometry of every axis, for drawing; none where an error is due."""
    if error_due(case) is not None:
        return ()
    return tuple((axis.big, axis.small, axis.kernel, axis.stride, axis.dilation, axis.before) for axis in axes(case))


def _scripts(runs: Sequence[Run], rows: Sequence[Key]) -> dict[int, str]:
    """Scripts that reproduce what does not conform, by the place of the case."""
    failing: dict[int, tuple[Entry, str]] = {}
    for i, key in enumerate(rows):
        for run in runs:
            entry = run.entries.get(key)
            if entry is not None and entry.outcome != Outcome.CONFORMS and run.environment.get("keras"):
                # a script of a call fits every backend, and is filled in where it is shown
                called = entry.claim == FORWARD.name and entry.mode == MODES[0]
                failing.setdefault(i, (entry, BACKEND if called else str(run.environment.get("backend"))))
    chosen = [i for i in sorted(failing, key=lambda i: smallness(rows[i][0])) if affordable(rows[i][0])][:SCRIPTS]
    return {i: made for i in chosen if (made := script(*failing[i])) is not None}


def _digest(text: str) -> str:
    """The hash by which the page's security policy knows its own style and script, and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files, and where the page goes."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN.jsonl", help="results of one run or more")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html", help="the page")


def run(arguments: argparse.Namespace) -> int:
    """Write the page.

    Raises:
        CommandError: no file can be used, or the page cannot be written.
    """
    try:
        runs = [read(path) for path in arguments.runs]
    except ResultsError as error:
        raise CommandError(str(error)) from None
    text = page(runs)
    write(arguments.output, text)
    for each in runs:
        for note in each.notes:
            print(f"note: {note}")
    cases = len({key for each in runs for key in each.entries})
    print(f"{arguments.output}: {len(runs)} run{'s' if len(runs) > 1 else ''}, {cases:,} cases, {len(text.encode()) / 1e6:.1f} MB")
    return 0
