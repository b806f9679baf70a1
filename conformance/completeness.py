"""What no single case can tell: was every planned case reported, and does every deviation that speaks of this environment still occur?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from conformance.cases import Case
from conformance.deviations import Deviation
from conformance.subjects import MODES

FULL_GRIDS = ("standard", "exhaustive")
"""Grids on which every entry that applies must find a case."""


def lost(planned: Collection[str], reported: Collection[str]) -> list[str]:
    """One line if tests were planned and never reported, as after workers that died too often."""
    missing = sorted(set(planned) - set(reported))
    if not missing:
        return []
    return [f"{len(missing)} planned test(s) never reported, the first is {missing[0]}"]


def stale(
    entries: Sequence[Deviation],
    environment: Mapping[str, Any],
    checks: Collection[tuple[Case, str, str]],
    seen: Mapping[str | None, int],
    partial: Collection[str] = (),
    left_out: Callable[[], Collection[tuple[Case, str, str]]] = tuple,
) -> list[str]:
    """A line for each entry that applies here but covers none of the checks, or, if heuristic, deviated in none of those it covers.

    ``checks`` are case, mode and claim of everything the run came to a verdict on; ``seen`` counts those that came to each deviation. An
    entry for modes, claims or types that the run had none of is left alone, and so is one that may well occur in what a mode was not run
    on: ``partial`` names the modes of which only a part of the grid was run, ``left_out`` lists the checks of the claims that were not
    asked for, if it comes to that: they are many. Meant for a complete run of a full grid.
    """
    complaints = []
    scopes = {(mode, claim, case.dtype) for case, mode, claim in checks}
    for entry in entries:
        if not entry.applies(environment) or seen.get(entry.id):
            continue
        spoken_of = {mode for mode, claim, dtype in scopes if entry.speaks_of(mode=mode, claim=claim, dtype=dtype)}
        elsewhere = [mode for mode in MODES if mode not in partial and entry.speaks_of(mode=mode)]
        if not spoken_of or (elsewhere and spoken_of <= set(partial)):
            continue
        covered = {claim for case, mode, claim in checks if entry.covers(case, mode, claim)}
        if not covered:
            complaint = f"deviation {entry.id!r} covers no case of this grid: correct or delete the entry"
        elif entry.heuristic:
            complaint = f"deviation {entry.id!r}: all cases it covers conform\nfixed upstream: delete the entry"
        elif all(entry.may_conform(claim) for claim in covered):
            continue
        else:
            complaint = f"deviation {entry.id!r}: entries before it speak for every case it covers: delete it"
        if not any(entry.covers(case, mode, claim) for case, mode, claim in left_out()):
            complaints.append(complaint)
    return complaints
