"""All planted faults, and what the gate makes of one."""

from __future__ import annotations

import importlib
import random
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product

from conformance import grids, scopes
from conformance.cases import Case
from conformance.claims import CLAIMS, Claim
from conformance.outcomes import Outcome, Verdict
from conformance.subjects import MODES, NotOfferedError, Subject
from tests.faults.planting import FAULTS, Fault

MODULES = (
    "geometry", "wiring", "family", "arithmetic", "refusals", "states", "modes", "shapes", "forms", "gradients", "specials", "published",
)  # fmt: skip
"""The classes of faults, each with a module of its own; ``family`` has some of the other classes, too."""

LIKELY = {"gradients": ("gradients",), "shapes": ("shapes",), "forms": ("arguments", "ops"), "specials": ("special_values", "determinism")}
"""The claims that are asked first of all cases, by class; of other classes ``forward``. All others are asked where these find nothing."""

for _module in MODULES:
    importlib.import_module(f"tests.faults.{_module}")


@dataclass(frozen=True)
class Rejection:
    """The first case by which the gate rejects a subject, in which mode, the claim that does, and its verdict."""

    case: Case
    mode: str
    claim: str
    verdict: Verdict

    def __str__(self) -> str:
        return f"{self.claim}: {self.verdict.outcome} at {self.case} [{self.mode}]"


def faults() -> tuple[Fault, ...]:
    """All of them; their names are unlike."""
    return tuple(FAULTS)


def rejections(subject: Subject, cases: Iterable[Case], claims: Collection[Claim] = tuple(CLAIMS.values())) -> Iterator[Rejection]:
    """Everything that the gate would reject of a subject, by these claims and every mode, in the order of the cases."""
    modes = [mode for mode in MODES if mode in subject.modes]
    for case in cases:
        for claim, mode in product(claims, modes):
            run = scopes.as_run(case, mode)
            if not claim.speaks_of(run, mode):
                continue
            try:
                verdict = claim(subject, run, mode)
            except NotOfferedError:
                continue
            if verdict.outcome != Outcome.CONFORMS:
                yield Rejection(run, mode, claim.name, verdict)


@cache
def rejection(fault: Fault, grid: str) -> Rejection | None:
    """The first rejection on a grid, claim by claim as the gate goes, or None: the fault goes through the gate."""
    likely = [CLAIMS[name] for name in LIKELY.get(fault.kind, ("forward",))]
    others = [claim for claim in CLAIMS.values() if claim not in likely]
    return next((found for claims in (likely, others) for found in rejections(fault.make(), in_order(fault, grid), claims)), None)


def in_order(fault: Fault, grid: str) -> tuple[Case, ...]:
    """The cases of a grid: in the grid's own order for faults of memory and of modes; for others shuffled, which meets most early."""
    return grids.grid(grid) if fault.kind in ("states", "modes") else _shuffled(grid)


@lru_cache
def _shuffled(grid: str) -> tuple[Case, ...]:
    cases = list(grids.grid(grid))
    random.Random(0).shuffle(cases)  # noqa: S311 - an order, not a secret
    return tuple(cases)
