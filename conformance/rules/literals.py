"""Literals and rules as data: what each says of a case, and how plain it is; its words are in `conformance.rules.phrases`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from typing import Literal as OneOf

from conformance.cases import Case
from conformance.facts import Facts, axis_facts, case_facts
from conformance.rules.phrases import describe, phrase

Scope = OneOf["where", "any_axis", "all_axes", "first_axis", "last_axis"]
SCOPES: tuple[Scope, ...] = ("where", "any_axis", "all_axes", "first_axis", "last_axis")

_NATURAL = {("==", 0), (">=", 1), (">=", 2), ("<=", -1), ("<=", 0), (">=", 0), ("!=", 0)}
"""Comparisons that a definition would make; others may be coincidence."""

_REMOTE = {
    # what follows from fields, the less plain the more it takes to work out
    "dilation": 0.02, "effective_kernel": 0.3, "kernel_minus_stride": 0.25, "kernel_minus_size": 0.3, "size_mod_stride": 0.3,
    "total_padding": 0.35, "output": 0.5, "places": 0.7, "windows_per_phase": 0.9, "windows_cut": 0.9, "filters_match_width": 0.1,
    "empty": 0.1, "refused": 0.1,
    # what grids only spread over the cases: where a failure seems to hang on it, that may be coincidence
    "size": 0.1, "groups": 0.1, "depth_multiplier": 0.1, "use_bias": 0.1, "batch": 0.6, "channels": 0.6, "filters": 0.6, "data": 0.6,
}  # fmt: skip
"""How far a fact is from the fields that a user thinks in."""

_PARITY = ("size", "kernel", "effective_kernel", "kernel_minus_stride", "total_padding", "output")
"""Facts whose parity means something: halves of them are taken."""


@dataclass(frozen=True, slots=True)
class Literal:
    """One condition on one fact: ``operator`` is ``== != >= <=`` with a ``value``, or ``even odd none given`` without."""

    scope: Scope
    fact: str
    operator: str
    value: Any = None

    def holds(self, facts: Facts) -> bool:
        """Whether the fact is as the literal says. None is no number: it is neither even nor odd, above nor below."""
        return holds(self.operator, facts[self.fact], self.value)

    @property
    def condition(self) -> Any:
        """The literal as a deviations file has it."""
        if self.operator == "==":
            return self.value
        return self.operator if self.value is None else f"{self.operator} {self.value}"

    @property
    def plainness(self) -> float:
        """Among statements of one length the plain ones are preferred: fields over derived facts, equality over thresholds."""
        natural = (self.operator, self.value) in _NATURAL or isinstance(self.value, str | bool) or self.value is None
        natural = natural and not (self.operator in ("even", "odd") and self.fact not in _PARITY)
        derived = self.fact in _REMOTE
        comparison = 0.0 if natural else 0.5 if derived or self.operator != "==" else 0.2
        single = 0.4 if self.scope in ("first_axis", "last_axis") else 0.0
        return comparison + single + _REMOTE.get(self.fact, 0.0)

    def __str__(self) -> str:
        return phrase(self)


def holds(operator: str, fact: Any, value: Any) -> bool:
    """Whether a value that a fact has meets a condition: an operator, and what it compares with."""
    if operator == "==":
        return bool(fact == value)
    if operator in ("none", "given"):
        return (fact is None) == (operator == "none")
    if fact is None:
        return False
    if operator in ("even", "odd"):
        return bool(fact % 2 == (operator == "odd"))
    return bool(fact >= value if operator == ">=" else fact <= value if operator == "<=" else fact != value)


@dataclass(frozen=True, slots=True)
class Rule:
    """A conjunction, and what it is worth: it holds for ``covered`` of ``failing`` cases, and for ``passing`` that do not fail.

    ``kinds`` says in what ways the covered cases fail, and how many in each. ``any_axis`` literals speak of one and the same axis.
    """

    literals: tuple[Literal, ...]
    kinds: tuple[tuple[str, int], ...]
    covered: int
    failing: int
    passing: int
    rank: int | None

    @property
    def exact(self) -> bool:
        return self.covered == self.failing and not self.passing

    def covers(self, case: Case, mode: str, claim: str) -> bool:
        """Whether the statement holds for this case: one case at a time, where `conformance.rules.table.Table` takes all at once."""
        whole = case_facts(case, mode, claim)
        axes = axis_facts(case)
        of: dict[str, list[Literal]] = {scope: [each for each in self.literals if each.scope == scope] for scope in SCOPES}
        return (
            all(each.holds(whole) for each in of["where"])
            and all(each.holds(axes[0]) for each in of["first_axis"])
            and all(each.holds(axes[-1]) for each in of["last_axis"])
            and all(each.holds(axis) for each in of["all_axes"] for axis in axes)
            and any(all(each.holds(axis) for each in of["any_axis"]) for axis in axes)
        )

    def tables(self) -> dict[str, dict[str, Any]]:
        """The statement as the tables of an entry in a deviations file."""
        tables: dict[str, dict[str, Any]] = {}
        for each in self.literals:
            tables.setdefault(each.scope, {})[each.fact] = each.condition
        return tables

    @property
    def statement(self) -> str:
        """The cases it speaks of, in words: ``Conv2DTranspose with padding same where an axis has an even kernel``."""
        return describe(self.literals, self.rank)

    @property
    def sentence(self) -> str:
        """Statement, kind and counts: one sentence."""
        kinds = self.kinds[0][0] if len(self.kinds) == 1 else " or ".join(f"{kind} ({number:,})" for kind, number in self.kinds)
        if self.exact:
            counts = "the only one" if self.failing == 1 else f"all {self.failing:,} failing cases"
        else:
            counts = f"{self.covered:,} of {self.failing:,} failing cases"
        others = f"and {self.passing:,} that pass" if self.passing else "and none that passes"
        return f"{self.statement}: {kinds} - {counts}, {others}"
