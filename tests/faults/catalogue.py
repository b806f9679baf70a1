"""All planted faults, and what the gate makes of one."""

from __future__ import annotations

import importlib
import random
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from conformance import grids, scopes
from conformance.cases import Case
from conformance.claims import CLAIMS, Claim
from conformance.outcomes import Outcome, Verdict
from conformance.subjects import MODES, NotOfferedError, Subject
from tests.faults.planting import FAULTS, Fault

MODULES = ("geometry", "wiring", "arithmetic", "refusals", "states", "modes", "shapes", "forms", "gradients", "specials", "published")
"""Where faults are planted; each is a class of them."""

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


def rejection(fault: Fault, grid: str) -> Rejection | None:
    """The first rejection on a grid, or None: the fault goes through the gate."""
    return next(rejections(fault.make(), in_order(fault, grid)), None)


def in_order(fault: Fault, grid: str) -> tuple[Case, ...]:
    """The cases of a grid: in the grid's own order for faults of memory and of modes; for others shuffled, which meets most early."""
    return implemented(grid) if fault.kind in ("states", "modes") else _shuffled(grid)


@lru_cache
def implemented(grid: str) -> tuple[Case, ...]:
    """The cases of a grid that planted implementations compute: what they lack altogether is not the fault that is planted."""
    return tuple(case for case in grids.grid(grid) if not (case.depthwise or case.separable or case.padding == "causal"))


@lru_cache
def _shuffled(grid: str) -> tuple[Case, ...]:
    cases = list(implemented(grid))
    random.Random(0).shuffle(cases)  # noqa: S311 - an order, not a secret
    return tuple(cases)
