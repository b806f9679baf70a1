"""The table of cases, as columns of bits, so that 100,000 cases take a second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, reduce
from operator import and_, or_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.cases import Key
from conformance.facts import AXIS_FACTS, CASE_FACTS, axis_facts, case_facts
from conformance.rules.literals import SCOPES, Literal, Rule, holds
from conformance.rules.phrases import DIFFERENCES

Mask = NDArray[np.bool_]

_VALUES_KEPT = 16
"""Numbers of one fact that literals compare with. Grids have fewer; a model's channel counts may have more."""

_GAPS_MEAN_REFUSED = ("output", "places", "total_padding")
"""Facts without a value where an error is due, for which there is a fact of its own."""


class Table:
    """Cases as columns: for every literal that tells some of them apart, the bits of the cases that it holds for."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self.number = len(keys)
        self._keys = keys
        self._layers = {case.layer for case, _, _ in keys}
        ranks = {case.rank for case, _, _ in keys}
        self.rank = ranks.pop() if len(ranks) == 1 else None
        axes = [axis_facts(case) for case, _, _ in keys]
        depth = max((len(each) for each in axes), default=0)
        whole = [case_facts(*key) for key in keys]
        self._whole = {fact: _Column(fact, [each[fact] for each in whole]) for fact in CASE_FACTS}
        self._axes: dict[str, list[_Column]] = {fact: [] for fact in AXIS_FACTS}
        for axis in range(depth):
            # axes stand first to last; one that a case lacks repeats its last, which changes neither "any" nor "all" nor "last"
            chosen = [each[min(axis, len(each) - 1)] for each in axes]
            # the configurations of one axis are few, and their facts are shared objects
            different = {id(facts): facts for facts in chosen}
            numbers = dict(zip(different, range(len(different)), strict=True))
            which = np.array([numbers[id(facts)] for facts in chosen], dtype=np.intp)
            for fact, columns in self._axes.items():
                columns.append(_Column(fact, [facts[fact] for facts in different.values()], which))
        self._masks: dict[tuple[str, str, Any], list[Mask]] = {}

    @cached_property
    def literals(self) -> tuple[Literal, ...]:
        """Every literal that may be used: of literals that say the same of all cases, the plainest."""
        plainest: dict[bytes, Literal] = {}
        for literal in self._candidates():
            per_axis = self.per_axis(literal) if literal.scope == "any_axis" else [self.static(literal)]
            if all(each.all() for each in per_axis) or not any(each.any() for each in per_axis):
                continue
            # an "any_axis" literal is told by its axes: together with others it means more than the cases it holds for alone
            bits = b"".join([literal.scope.encode() if len(per_axis) > 1 else b"", *(np.packbits(each).tobytes() for each in per_axis)])
            known = plainest.get(bits)
            if known is None or literal.plainness < known.plainness:
                plainest[bits] = literal
        return tuple(plainest.values())

    def _candidates(self) -> Iterator[Literal]:
        for fact, column in self._whole.items():
            for operator, value in column.conditions():
                yield Literal("where", fact, operator, value)
        for fact, columns in self._axes.items():
            conditions = dict.fromkeys(condition for column in columns for condition in column.conditions())
            for operator, value in conditions:
                for scope in SCOPES[1:]:
                    yield Literal(scope, fact, operator, value)

    def per_axis(self, literal: Literal) -> list[Mask]:
        """The cases that the literal's condition holds for, on the first axis, on the second, …; of the case as a whole, one mask."""
        columns = [self._whole[literal.fact]] if literal.scope == "where" else self._axes[literal.fact]
        key = ("where" if literal.scope == "where" else "axes", literal.fact + literal.operator, literal.value)
        if key not in self._masks:
            self._masks[key] = [column.mask(literal.operator, literal.value) for column in columns]
        return self._masks[key]

    def static(self, literal: Literal) -> Mask:
        """The cases that the literal holds for on its own."""
        masks = self.per_axis(literal)
        if literal.scope == "any_axis":
            return reduce(or_, masks)
        if literal.scope == "all_axes":
            return reduce(and_, masks)
        return masks[-1] if literal.scope == "last_axis" else masks[0]

    def mask(self, literals: Iterable[Literal]) -> Mask:
        """The cases that all the literals hold for, those of ``any_axis`` on one and the same axis."""
        literals = tuple(literals)
        found = np.ones(self.number, dtype=bool)
        joint = [self.per_axis(each) for each in literals if each.scope == "any_axis"]
        for each in literals:
            if each.scope != "any_axis":
                found &= self.static(each)
        if joint:
            found &= reduce(or_, [reduce(and_, on_axis) for on_axis in zip(*joint, strict=True)])
        return found

    def rule(self, literals: Iterable[Literal], kinds: Sequence[str | None], passing: Mask) -> Rule:
        """The conjunction with its counts; the layer is named where only one is meant, which costs the reader nothing."""
        mask = self.mask(literals := tuple(literals))
        held = np.flatnonzero(mask).tolist()
        layers = {self._keys[i][0].layer for i in held}
        if len(layers) == 1 and len(self._layers) > 1 and not any(each.fact == "layer" for each in literals):
            literals = (Literal("where", "layer", "==", layers.pop()), *literals)
        failed = Counter(kind for kind in kinds if kind is not None)
        covered = Counter(kind for i in held if (kind := kinds[i]) is not None)
        return Rule(
            tuple(sorted(literals, key=_reading_order)),
            tuple(covered.most_common()),
            covered.total(),
            failed.total(),
            int((mask & passing).sum()),
            self.rank,
        )


def _reading_order(literal: Literal) -> tuple[int, int]:
    facts = CASE_FACTS if literal.scope == "where" else AXIS_FACTS
    return SCOPES.index(literal.scope), facts.index(literal.fact)


class _Column:
    """One fact of all cases: the values that occur, and for every case which of them it has.

    ``which`` are indices into ``values`` for each case, if they are not given one a case.
    """

    def __init__(self, fact: str, values: Sequence[Any], which: NDArray[np.intp] | None = None) -> None:
        self._fact = fact
        # by type as well: True is 1 to a dict
        codes: dict[tuple[type, Any], int] = {}
        coded = np.array([codes.setdefault((type(value), value), len(codes)) for value in values], dtype=np.intp)
        self._codes = coded if which is None else coded[which]
        self._values = [value for _, value in codes]

    def conditions(self) -> Iterator[tuple[str, Any]]:
        """What can be asked of this fact that some value says yes to, and some no."""
        given = [value for value in self._values if value is not None]
        if any(isinstance(value, bool | str) for value in given):
            for word in sorted(given, key=str):
                yield "==", word
            return
        if len(given) < len(self._values) and self._fact not in _GAPS_MEAN_REFUSED:
            yield "none", None
            yield "given", None
        if len(given) < 2:
            return
        if len(given) > _VALUES_KEPT:
            counts = np.bincount(self._codes, minlength=len(self._values))
            often = sorted(range(len(self._values)), key=lambda i: -int(counts[i]))
            kept = [self._values[i] for i in often[: _VALUES_KEPT - 2] if self._values[i] is not None]
            given = list({min(given), max(given), *kept})
        yield "even", None
        yield "odd", None
        for number in sorted(given):
            yield "==", number
            if number == 0 and self._fact in DIFFERENCES:
                yield "!=", number
            if number > min(given):
                yield ">=", number
            if number < max(given):
                yield "<=", number

    def mask(self, operator: str, value: Any) -> Mask:
        """The cases that the condition holds for."""
        met = np.array([holds(operator, each, value) for each in self._values], dtype=bool)
        found: Mask = met[self._codes]
        return found
