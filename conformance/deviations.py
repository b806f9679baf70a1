"""What is known to deviate: where, how, in which versions, and why we say so. Strict both ways.

`deviations.toml` beside this file is the list, ``--deviations FILE.toml`` adds a user's own. An entry::

    [[deviation]]
    id = "short-name"                     # in results and reports
    outcome = "declined"                  # what such a case comes to, from the closed list of outcomes
    reason = "one sentence for people"
    link = "where it is reported upstream, or empty"
    message = "regular expression that the verdict's message must contain"    # optional
    environment = { backend = "tensorflow", device = "cpu", onednn = true }   # the region: these tables and others, described in
    where = { layer = "conv2d_transpose", padding = ["same"] }                # conformance.regions
    heuristic = true                      # upstream chooses by size, cache and threads among algorithms, of which some deviate
    also = ["declined"]                   # outcomes that there may be instead, where memory is spoiled and anything can come out

An entry that names no claim speaks of all that run a layer on data, one of a wrong result only of those that hold it against a definition.

Strict means: a covered case that conforms fails the run, since the entry is then too wide or out of date. Of a ``heuristic`` entry
the covered cases may conform, but not all of them: if none deviates in a full grid, the run fails. Where one does not come out as it says,
the next entry speaks. A case that an entry says crashes or hangs is run in a process of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance import regions
from conformance.cases import Case
from conformance.outcomes import FATAL, Outcome, Verdict
from conformance.regions import Region

BUILT_IN = Path(__file__).with_name("deviations.toml")

DeviationsError = regions.EntriesError
"""A deviations file that cannot be used; the message is one line and names file, entry and line."""

WITHOUT_VALUES = ("shapes",)
"""Claims for which no layer runs on data. What is known of values says nothing of them: an entry speaks of them only if it names them."""

WITHOUT_DEFINITION = ("determinism",)
"""Claims that hold a layer against itself: an entry of a result that is wrong every time speaks of them only if it names them."""

HIDING = ("special_values", "bounded")
"""Claims that may not show a wrong value, for the many zeros of their data or the width of their bound: of an entry that names no claim,
cases may conform to them."""

_WRONG = (Outcome.WRONG_VALUE, Outcome.WRONG_SHAPE, Outcome.WRONG_DTYPE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation(Region):
    """One entry: the cases it covers, and the outcome they must have."""

    id: str
    outcome: Outcome
    reason: str
    link: str
    message: str
    also: tuple[Outcome, ...]
    heuristic: bool
    names_claim: bool

    @property
    def fatal(self) -> bool:
        """Whether a case that the entry covers takes its process down."""
        return self.outcome in FATAL

    def may_conform(self, claim: str) -> bool:
        """Whether a case that the entry covers for this claim may conform."""
        return self.heuristic or (claim in HIDING and not self.names_claim and self.outcome == Outcome.WRONG_VALUE)

    def says(self, verdict: Verdict) -> bool:
        """Whether the verdict is exactly what the entry says."""
        return verdict.outcome in (self.outcome, *self.also) and re.search(self.message, verdict.message) is not None


def load(paths: Iterable[Path] = ()) -> tuple[Deviation, ...]:
    """The built-in entries and those of the given files.

    Raises:
        DeviationsError: a file cannot be read, is not TOML, or has an entry that cannot be understood; one line.
    """
    entries: dict[str, Deviation] = {}
    for path in (BUILT_IN, *paths):
        for entry in regions.read(path, "deviation", _entry):
            if entry.id in entries:
                raise DeviationsError(f"{path}: deviation {entry.id!r} is already defined")
            entries[entry.id] = entry
    return tuple(entries.values())


def covering(entries: Sequence[Deviation], case: Case, mode: str, claim: str, verdict: Verdict | None = None) -> Deviation | None:
    """The first of the entries, all of which must apply, that speaks of this case.

    A heuristic one need not show. Where it does not say this verdict, the next speaks if it does, unless that is heuristic and the next to
    it does, and so on.
    """
    covers = (entry for entry in entries if entry.covers(case, mode, claim))
    first = entry = next(covers, None)
    while verdict is not None and entry is not None and not entry.says(verdict):
        entry = next(covers, None) if entry.heuristic else None
    return entry or first


def _entry(raw: dict[str, Any]) -> Deviation:
    keys = {"id", "outcome", "reason", "link", "message", "also", "heuristic"}
    regions.check_keys(raw, keys, ("id", "outcome", "reason"), ("link", "message"))
    if not isinstance(raw.get("also", []), list):
        raise ValueError(f"also must be a list of outcomes, got {raw['also']!r}")
    for outcome in (raw["outcome"], *raw.get("also", [])):
        if outcome not in set(Outcome) - {Outcome.CONFORMS}:
            allowed = ", ".join(outcome for outcome in Outcome if outcome != Outcome.CONFORMS)
            raise ValueError(f"unknown outcome {outcome!r}: expected one of {allowed}")
    if not isinstance(raw.get("heuristic", False), bool):
        raise ValueError(f"heuristic must be true or false, got {raw['heuristic']!r}")
    try:
        re.compile(raw.get("message", ""))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"message is not a regular expression: {error}") from None
    region = regions.region(raw)
    return Deviation(
        id=raw["id"],
        outcome=Outcome(raw["outcome"]),
        reason=raw["reason"],
        link=raw.get("link", ""),
        message=raw.get("message", ""),
        also=tuple(map(Outcome, raw.get("also", []))),
        heuristic=raw.get("heuristic", False),
        names_claim="claim" in region["where"],
        **{**region, "where": {"claim": _of_results if Outcome(raw["outcome"]) in _WRONG else _of_values, **region["where"]}},
    )


def _of_values(claim: str) -> bool:
    return claim not in WITHOUT_VALUES


def _of_results(claim: str) -> bool:
    return claim not in (*WITHOUT_VALUES, *WITHOUT_DEFINITION)
