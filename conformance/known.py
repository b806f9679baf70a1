"""``python -m conformance known``: the known deviations as a page for people, written from deviations.toml."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

from packaging.specifiers import SpecifierSet

from conformance import deviations, grids, scopes
from conformance.cases import DTYPES, Case
from conformance.claims import CLAIMS
from conformance.commands import write
from conformance.deviations import Deviation
from conformance.outcomes import Outcome
from conformance.subjects import MODES

SUMMARY = "the known deviations as a page (Markdown), from deviations.toml"

MEANING = {
    Outcome.WRONG_SHAPE: "another shape",
    Outcome.WRONG_VALUE: "wrong numbers",
    Outcome.WRONG_DTYPE: "another type",
    Outcome.DECLINED: "an exception where a result is defined",
    Outcome.ACCEPTED: "a result where an error is due",
    Outcome.CRASHED: "the process dies",
    Outcome.HUNG: "no result",
}
WITHOUT_KERAS = ("tf.nn", "jax.lax", "torch.nn.functional", "onnxruntime", "tf_keras")
"""Subjects below Keras 3 or beside it, see `conformance.subjects`: no entry for versions of Keras speaks of them."""
BACKENDS: dict[str | None, str] = {
    "tensorflow": "TensorFlow",
    "jax": "JAX",
    "torch": "PyTorch",
    None: "every backend",
    **{name: f"`{name}`, without Keras 3" for name in WITHOUT_KERAS},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("-o", "--output", metavar="FILE.md", type=Path, help="write it there (default: to the terminal)")


def run(arguments: argparse.Namespace) -> int:
    """Write the page.

    Raises:
        CommandError: it cannot be written there.
    """
    text = page(deviations.load())
    if arguments.output is None:
        print(text, end="")  # noqa: T201 - this is what was asked for
        return 0
    write(arguments.output, text)
    return 0


def page(entries: Sequence[Deviation]) -> str:
    """The page: a table a backend, an entry a row, in the order of the file."""
    return "\n".join(_lines(entries)) + "\n"


def _lines(entries: Sequence[Deviation]) -> Iterator[str]:
    yield from (
        "# Known deviations",
        "",
        "What is known to deviate in released versions, from `conformance/deviations.toml`. This page is written by",
        "`python -m conformance known -o docs/deviations.md`; edit the list, not the page.",
        "",
        "Keras is the versions of Keras that deviate; an empty cell means all that were run (3.3 and later). The case is the smallest of",
        "the grids that the entry speaks of: run it with `pytest conformance --case CASE`, and `--mode` if one is named. *May* marks an",
        "entry of which some covered cases conform, because the framework chooses among several algorithms.",
    )
    for backend, name in BACKENDS.items():
        found = [entry for entry in entries if entry.environment.get("backend") == backend]
        if not found:
            continue
        yield from (
            "",
            f"## {name[0].upper()}{name[1:]}",
            "",
            "| Keras | what comes out | why | smallest case | upstream |",
            "| --- | --- | --- | --- | --- |",
        )
        for entry in found:
            yield _row(entry, entries)


def _row(entry: Deviation, entries: Sequence[Deviation]) -> str:
    versions = ", ".join(f"{package if package != 'keras' else ''} {_range(wanted)}".strip() for package, wanted in entry.versions.items())
    conditions = [f"{key} = {str(value).lower()}" for key, value in entry.environment.items() if key != "backend"]
    keras = "; ".join(filter(None, [versions, *conditions]))
    outcome = f"{'may: ' if entry.heuristic else ''}{MEANING[entry.outcome]} (`{entry.outcome}`)"
    smallest = minimal(entry, entries)
    upstream = f"[{entry.link.rpartition('/')[2]}]({entry.link})" if entry.link else ""
    case = f"`{smallest}`" if smallest else "none in the grids"
    if (mode := first_mode(entry)) != MODES[0]:
        case += f", mode `{mode}`"
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (keras, outcome, f"{entry.reason} (`{entry.id}`)", case, upstream)) + " |"


def _range(wanted: SpecifierSet) -> str:
    """The lower bound first, as people read it."""
    return ", ".join(sorted(map(str, wanted), reverse=True))


def minimal(entry: Deviation, entries: Sequence[Deviation]) -> Case | None:
    """The smallest case of the smoke or else of the standard grid, or with a misuse, that the entry, and none before it, speaks of.

    If there is none, the smallest of which no entry before it speaks in all of its environments.
    """
    others = entries[: entries.index(entry)]
    found = _smallest(entry, [other for other in others if _together(other, entry)])
    return found or _smallest(entry, [other for other in others if _everywhere(other, entry)])


def _smallest(entry: Deviation, before: Sequence[Deviation]) -> Case | None:
    mode, dtype = first_mode(entry), next(dtype for dtype in DTYPES if entry.speaks_of(dtype=dtype))
    claims = [claim for claim in CLAIMS if entry.speaks_of(mode=mode, claim=claim)]
    for grid in ("smoke", "standard"):
        cases = grids.misused() if entry.of_misuses else scopes.cases(grid, mode, None)
        covered = [
            case
            for case in (replace(case, dtype=dtype) for case in cases)
            for claim in claims
            if entry.covers(case, mode, claim) and deviations.covering(before, case, mode, claim) is None
        ]
        if covered:
            return min(covered, key=lambda case: (prod(case.input_shape) * prod(case.kernel_shape), len(str(case)), case))
    return None


def first_mode(entry: Deviation) -> str:
    """The first of the modes that the entry speaks of, eager if it is one of them."""
    return next(mode for mode in MODES if entry.speaks_of(mode=mode))


def _together(one: Deviation, other: Deviation) -> bool:
    """Whether there may be an environment that both entries speak of."""
    if any(other.environment.get(key, value) != value for key, value in one.environment.items()):
        return False
    if any(some.environment.get("backend") in WITHOUT_KERAS and "keras" in rest.versions for some, rest in ((one, other), (other, one))):
        return False
    return all(
        any(one.versions[package].contains(version, prereleases=True) for version in _versions(wanted, one.versions[package]))
        for package, wanted in other.versions.items()
        if package in one.versions
    )


def _everywhere(one: Deviation, other: Deviation) -> bool:
    """Whether one entry speaks of every environment that the other speaks of."""
    return all(other.environment.get(key) == value for key, value in one.environment.items()) and all(
        package in other.versions
        and all(wanted.contains(version, prereleases=True) for version in _versions(other.versions[package], wanted))
        for package, wanted in one.versions.items()
    )


def _versions(wanted: SpecifierSet, beside: SpecifierSet) -> list[str]:
    """The versions in a range between which nothing changes for either of two: at the bounds of both, and just after them."""
    bounds = {specifier.version for one in (wanted, beside) for specifier in one}
    return [version for bound in bounds for version in (bound, f"{bound}.1", "0") if wanted.contains(version, prereleases=True)]
