"""The rule behind failures: the shortest exact statement over the facts of cases that holds for all failing ones and for no passing one.

A `Rule` is a conjunction of at most `LONGEST` `Literal`s, in the vocabulary of the deviations file: facts of the case, facts that one
and the same axis has, that every axis has, that the first or the last one has. So a rule can be read as a sentence, and written down as
a deviation. `find` gives, for a set of failures:

1. one exact rule, if there is one: the search over conjunctions is complete but for its bounds (see `_shortest`);
2. else several, each bought only if it is shorter than the list of the cases that it spares (description length), exact where that pays.

Cases are columns of bits here, so that 100,000 cases take a second.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import and_, or_
from typing import Any, NamedTuple
from typing import Literal as OneOf

import numpy as np
from numpy.typing import NDArray

from conformance.cases import LAYERS, Case
from conformance.facts import AXIS_FACTS, CASE_FACTS, Facts, axis_facts, case_facts

LONGEST = 4
"""Literals in one rule, at most: a longer sentence is not read."""

SEVERAL = 4
"""Rules for one kind of failure, at most."""

Scope = OneOf["where", "any_axis", "all_axes", "first_axis", "last_axis"]
SCOPES: tuple[Scope, ...] = ("where", "any_axis", "all_axes", "first_axis", "last_axis")

Mask = NDArray[np.bool_]
Key = tuple[Case, str, str]
"""What a record is about: case, mode, claim."""

_VALUES_KEPT = 16
"""Numbers of one fact that literals compare with. Grids have fewer; a model's channel counts may have more."""

_NODES = 10_000
"""Steps of the search for an exact rule."""

_GROUPS = 100
"""Sets of ``any_axis`` literals of one size that the search for an exact rule keeps."""

_SAMPLE = 6_000
"""Passing cases that a search starts with."""

_ROUNDS = 4
"""Times that the search for an inexact rule takes passing cases into its sample that it met too late."""

_BEAM = 12
"""Conjunctions kept from one length to the next where no exact rule exists."""

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

_COUNTS = ("channels", "filters", "groups")
"""Facts whose names are plurals."""

_GAPS_MEAN_REFUSED = ("output", "places", "total_padding")
"""Facts without a value where an error is due, for which there is a fact of its own."""


@dataclass(frozen=True, slots=True)
class Literal:
    """One condition on one fact: ``operator`` is ``== != >= <=`` with a ``value``, or ``even odd none given`` without."""

    scope: Scope
    fact: str
    operator: str
    value: Any = None

    def holds(self, facts: Facts) -> bool:
        """Whether the fact is as the literal says. None is no number: it is neither even nor odd, above nor below."""
        return _holds(self.operator, facts[self.fact], self.value)

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
        return _PHRASES[self.scope == "where"](self)


def _holds(operator: str, fact: Any, value: Any) -> bool:
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
        """Whether the statement holds for this case: one case at a time, where `Table` takes all at once."""
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


@dataclass(frozen=True, slots=True)
class Findings:
    """The rules behind the failures of one run, the largest first, and the cases that no rule of them covers."""

    rules: tuple[Rule, ...]
    unexplained: tuple[int, ...]


def find(table: Table, kinds: Sequence[str | None], neutral: Iterable[int] = ()) -> Findings:
    """The rules behind the cases that fail.

    ``kinds`` says of every case of the table in what way it fails, None if it does not. ``neutral`` are indices of cases that count as
    neither (known to deviate). A rule is about failing, in whatever way: a case with two bugs shows only one of them.
    """
    failing = np.array([kind is not None for kind in kinds], dtype=bool)
    if not failing.any():
        return Findings((), ())
    passing = ~failing
    passing[list(neutral)] = False
    rules = [table.rule(literals, kinds, passing) for literals in _statements(table, failing, passing)]
    covered = np.zeros(table.number, dtype=bool)
    for rule in rules:
        covered |= table.mask(rule.literals)
    return Findings(tuple(rules), tuple(np.flatnonzero(failing & ~covered).tolist()))


def _statements(table: Table, failing: Mask, passing: Mask) -> Iterator[tuple[Literal, ...]]:
    """The shortest exact statement, if it is shorter than the list of what it covers; else the best for all, for what is left, …"""
    literals = _shortest(table, failing, passing)
    if literals is not None and _price(table, len(literals)) < _exception(table) * int(failing.sum()):
        yield literals
        return
    left = failing.copy()
    for _ in range(SEVERAL):
        best = _best(table, left, passing) if left.any() else None
        if best is None:
            return
        mask = table.mask(best)
        if not (mask & passing).any():
            # said as shortly as can be; that may cover more
            best = _shortest(table, mask & left, passing) or best
            mask = table.mask(best)
        yield best
        left &= ~mask


def _price(table: Table, length: int) -> float:
    """Bits that say a conjunction: which literals of all."""
    return length * math.log2(max(len(table.literals), 2))


def _exception(table: Table) -> float:
    """Bits that name one case of all."""
    return math.log2(max(table.number, 2))


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
            if number == 0 and self._fact in _DIFFERENCES:
                yield "!=", number
            if number > min(given):
                yield ">=", number
            if number < max(given):
                yield "<=", number

    def mask(self, operator: str, value: Any) -> Mask:
        """The cases that the condition holds for."""
        met = np.array([_holds(operator, each, value) for each in self._values], dtype=bool)
        found: Mask = met[self._codes]
        return found


class _Candidate(NamedTuple):
    """Some literals (several only of ``any_axis``) that hold for all failing cases, and the bits of the passing ones that they exclude."""

    literals: tuple[Literal, ...]
    plainness: float
    excluded: int


def _shortest(table: Table, failing: Mask, passing: Mask) -> tuple[Literal, ...] | None:
    """The fewest literals that hold for all failing cases and together for no passing one; of equally few, the plainest.

    Found for a sample of the passing cases. If it holds for others, those join the sample, until it holds for none: what is shortest for
    some of them and exact for all is shortest for all.
    """
    sample = _sample(passing)
    while True:
        found = _cover_sample(table, failing, sample)
        wrong = None if found is None else table.mask(found) & passing
        if wrong is None or not wrong.any():
            return found
        if not _widen(sample, wrong):
            return None


def _sample(mask: Mask) -> Mask:
    """At most `_SAMPLE` of the cases, evenly."""
    chosen = np.flatnonzero(mask)
    sample = np.zeros_like(mask)
    sample[chosen if len(chosen) <= _SAMPLE else chosen[np.linspace(0, len(chosen) - 1, _SAMPLE).astype(np.intp)]] = True
    return sample


def _widen(sample: Mask, wrong: Mask) -> bool:
    """Take some of these cases into the sample, if there is one that is not in it."""
    new = np.flatnonzero(wrong & ~sample)
    sample[new[:: max(len(new) // 1000, 1)]] = True
    return bool(len(new))


def _cover_sample(table: Table, failing: Mask, passing: Mask) -> tuple[Literal, ...] | None:
    """`_shortest` for few passing cases.

    All conjunctions of `LONGEST` literals are searched, within two bounds: sets of ``any_axis`` literals are limited to the best, see
    `_joint`, and the search gives up after `_NODES` steps. Every literal that holds for all failing cases excludes some passing ones: it
    is a set cover, and depth first from the passing case that is the hardest to exclude it has few branches.
    """
    chosen_f, chosen_p = np.flatnonzero(failing), np.flatnonzero(passing)
    if not len(chosen_p):
        usable = [each for each in table.literals if table.static(each)[chosen_f].all()]
        return (min(usable, key=lambda each: each.plainness),) if usable else None
    entries: list[tuple[tuple[Literal, ...], Mask]] = [
        ((literal,), excluded)
        for literal in table.literals
        if literal.scope != "any_axis" and table.static(literal)[chosen_f].all() and (excluded := ~table.static(literal)[chosen_p]).any()
    ]
    entries += _joint(table, chosen_f, chosen_p)
    if not entries:
        return None
    # passing cases that the same entries exclude are one: told apart by a sum of random numbers, and the result is verified
    random = np.random.default_rng(0).integers(1, 2**63, len(entries), dtype=np.int64)
    signature = np.zeros(len(chosen_p), dtype=np.int64)
    hardness = np.zeros(len(chosen_p), dtype=np.int32)
    for number, (_, excluded) in zip(random, entries, strict=True):
        signature ^= np.where(excluded, number, 0)
        hardness += excluded
    if not hardness.all():
        return None  # one passing case has all that the failing ones have in common
    _, first = np.unique(signature, return_index=True)
    first = first[np.argsort(hardness[first], kind="stable")]  # the hardest is bit 0
    candidates = [_Candidate(literals, _plain(literals), _bits(excluded[first])) for literals, excluded in entries]
    return _cover(_undominated(candidates), (1 << len(first)) - 1)


def _joint(table: Table, failing: NDArray[np.intp], passing: NDArray[np.intp]) -> list[tuple[tuple[Literal, ...], Mask]]:
    """Sets of ``any_axis`` literals that one axis of every failing case has all of, and the passing cases that have no such axis.

    A set counts if it excludes more than the smaller ones it is made of. Of each size the `_GROUPS` that exclude the most are kept.
    """
    everything_f, everything_p = (1 << len(failing)) - 1, (1 << len(passing)) - 1
    literals, on_f, on_p = [], [], []
    for literal in table.literals:
        if literal.scope == "any_axis" and table.static(literal)[failing].all():
            literals.append(literal)
            on_f.append([_bits(axis[failing]) for axis in table.per_axis(literal)])
            on_p.append([_bits(axis[passing]) for axis in table.per_axis(literal)])
    plain = [each.plainness for each in literals]
    facts = [each.fact for each in literals]

    def excluded(axes: list[int]) -> int:
        return everything_p & ~reduce(or_, axes)

    # a group is the indices of its literals, with its bits by axis among failing and passing cases
    level: dict[tuple[int, ...], tuple[list[int], list[int], int]] = {
        (i,): (on_f[i], on_p[i], excluded(on_p[i])) for i in range(len(literals))
    }
    singles = [level[i,][2] for i in range(len(literals))]
    found = [(group, bits) for group, (_, _, bits) in level.items() if bits]
    for _ in range(2, LONGEST + 1):
        grown: dict[tuple[int, ...], tuple[list[int], list[int], int]] = {}
        for group, (group_f, group_p, group_bits) in level.items():
            for i in range(len(literals)):
                union = tuple(sorted((*group, i)))
                if union in grown or any(facts[i] == facts[j] for j in group):
                    continue
                axes_f = [a & b for a, b in zip(group_f, on_f[i], strict=True)]
                if reduce(or_, axes_f) != everything_f:
                    continue
                axes_p = [a & b for a, b in zip(group_p, on_p[i], strict=True)]
                bits = excluded(axes_p)
                if bits & ~(group_bits | singles[i]):
                    grown[union] = (axes_f, axes_p, bits)
        best = sorted(grown, key=lambda group: (-grown[group][2].bit_count(), sum(plain[i] for i in group)))[:_GROUPS]
        level = {group: grown[group] for group in best}
        found += [(group, bits) for group, (_, _, bits) in level.items()]
    return [(tuple(literals[i] for i in group), _unbits(bits, len(passing))) for group, bits in found]


def _undominated(candidates: list[_Candidate]) -> list[_Candidate]:
    """Without those that exclude nothing that another, no longer and no less plain, does not exclude as well."""
    kept: list[_Candidate] = []
    for each in sorted(candidates, key=lambda c: (len(c.literals), c.plainness, -c.excluded.bit_count())):
        if not any(each.excluded | other.excluded == other.excluded for other in kept):
            kept.append(each)
    return kept


def _cover(candidates: list[_Candidate], everything: int) -> tuple[Literal, ...] | None:
    """The plainest of the shortest sets of candidates that exclude ``everything``; at most one of them with ``any_axis``."""
    most = max(each.excluded.bit_count() / len(each.literals) for each in candidates)  # by one literal, at most
    steps = 0
    best: tuple[float, tuple[Literal, ...]] | None = None

    def search(chosen: tuple[Literal, ...], left: int, room: int, spent: float) -> None:
        nonlocal best, steps
        if not left:
            if best is None or spent < best[0]:
                best = (spent, chosen)
            return
        steps += 1
        if steps > _NODES or left.bit_count() > room * most:
            return
        hardest = left & -left
        for each in candidates:
            if not each.excluded & hardest or len(each.literals) > room:
                continue
            if best is not None and spent + each.plainness >= best[0]:
                continue
            if any(_clash(a, b) for a in chosen for b in each.literals):
                continue
            search(chosen + each.literals, left & ~each.excluded, room - len(each.literals), spent + each.plainness)

    for length in range(1, LONGEST + 1):
        search((), everything, length, 0.0)
        if best is not None:
            return best[1]
    return None


def _clash(one: Literal, other: Literal) -> bool:
    """Whether two literals cannot stand in one rule: the same fact twice, or two separate statements about some axis."""
    return one.scope == other.scope and (one.fact == other.fact or one.scope == "any_axis")


class _Partial(NamedTuple):
    """A conjunction on its way: its bits among the failing cases that are left and the passing ones, those of ``any_axis`` by axis."""

    literals: tuple[int, ...]
    plainness: float
    left: int
    passing: int
    axes: tuple[tuple[int, int], ...]
    gain: float


def _best(table: Table, left: Mask, passing: Mask) -> tuple[Literal, ...] | None:
    """The conjunction that shortens the list of the failing cases the most, exceptions counted; None if none does.

    Found for a sample of the passing cases, which those that it wrongly holds for join, a few times; judged by all.
    """
    sample = _sample(passing)
    best: tuple[float, tuple[Literal, ...] | None] = (0.0, None)
    for _ in range(_ROUNDS):
        found = _beam(table, left, sample)
        if found is None:
            break
        mask = table.mask(found)
        worth = _exception(table) * float((mask & left).sum() - (mask & passing).sum()) - _price(table, len(found))
        best = max(best, (worth, found), key=lambda each: each[0])
        if not _widen(sample, mask & passing):
            break
    return best[1]


def _beam(table: Table, left: Mask, passing: Mask) -> tuple[Literal, ...] | None:
    """`_best` for few passing cases, by beam search."""
    chosen_f, chosen_p = np.flatnonzero(left), np.flatnonzero(passing)
    all_f, all_p = (1 << len(chosen_f)) - 1, (1 << len(chosen_p)) - 1
    usable: list[tuple[int, float, bool, tuple[tuple[int, int], ...]]] = []
    for index, each in enumerate(table.literals):
        anywhere = each.scope == "any_axis"
        masks = table.per_axis(each) if anywhere else [table.static(each)]
        bits = tuple((_bits(mask[chosen_f]), _bits(mask[chosen_p])) for mask in masks)
        if any(on_f for on_f, _ in bits) and not all(on_f == all_f and on_p == all_p for on_f, on_p in bits):
            usable.append((index, each.plainness, anywhere, bits))
    spoken = [(each.scope, each.fact) for each in table.literals]
    exception, price = _exception(table), _price(table, 1)
    base = math.log2(len(chosen_f) / (len(chosen_f) + len(chosen_p)))
    best: tuple[float, float, tuple[int, ...]] = (0.0, 0.0, ())
    beam = [_Partial((), 0.0, all_f, all_p, (), 0.0)]
    for length in range(1, LONGEST + 1):
        grown: dict[tuple[int, int, tuple[tuple[int, int], ...]], _Partial] = {}
        for partial in beam:
            for index, plainness, anywhere, bits in usable:
                axes = partial.axes
                if not anywhere:
                    on_f = partial.left & bits[0][0]
                elif axes:
                    on_f = partial.left & reduce(or_, [a & c for (a, _), (c, _) in zip(axes, bits, strict=True)])
                else:
                    on_f = partial.left & reduce(or_, [axis_f for axis_f, _ in bits])
                covered = on_f.bit_count()
                if exception * covered - price * length <= best[0]:
                    continue  # nothing that is longer can be better
                if any(spoken[index] == spoken[other] for other in partial.literals):
                    continue
                if not anywhere:
                    on_p = partial.passing & bits[0][1]
                else:
                    axes = tuple((a & c, b & d) for (a, b), (c, d) in zip(axes, bits, strict=True)) if axes else bits
                    on_p = partial.passing & reduce(or_, [axis_p for _, axis_p in axes])
                key, plain = (on_f, on_p, axes), partial.plainness + plainness
                if key in grown and grown[key].plainness <= plain:
                    continue
                wrongly = on_p.bit_count()
                gain = covered * (math.log2(covered / (covered + wrongly)) - base)
                grown[key] = _Partial((*partial.literals, index), plain, on_f, on_p, axes, gain)
                worth = exception * (covered - wrongly) - price * length
                if worth > best[0] or (worth == best[0] and plain < best[1]):
                    best = (worth, plain, grown[key].literals)
        beam = sorted(grown.values(), key=lambda partial: (-partial.gain, partial.plainness))[:_BEAM]
    return tuple(table.literals[index] for index in best[2]) or None


def _plain(literals: Iterable[Literal]) -> float:
    return sum(each.plainness for each in literals)


def _bits(mask: Mask) -> int:
    return int.from_bytes(np.packbits(mask, bitorder="little").tobytes(), "little")


def _unbits(bits: int, number: int) -> Mask:
    packed = np.frombuffer(bits.to_bytes(-(-number // 8), "little"), dtype=np.uint8)
    return np.unpackbits(packed, count=number, bitorder="little").astype(bool)


# In words


def describe(literals: Sequence[Literal], rank: int | None) -> str:
    """A conjunction as English. Axes are called height and width where all cases are of rank 2."""
    of: Mapping[str, list[Literal]] = {scope: [each for each in literals if each.scope == scope] for scope in SCOPES}
    layer = next((str(each) for each in of["where"] if each.fact == "layer"), "any layer")
    whole = [str(each) for each in of["where"] if each.fact != "layer"]
    text = f"{layer} with {_listed(whole)}" if whole else layer
    first, last = ("the height", "the width") if rank == 2 else ("the axis",) * 2 if rank == 1 else ("the first axis", "the last axis")
    parts = [
        f"{who} has {_listed([str(each) for each in of[scope]])}"
        for scope, who in (("any_axis", "an axis"), ("all_axes", "every axis"), ("first_axis", first), ("last_axis", last))
        if of[scope]
    ]
    return f"{text} where {_listed(parts, ' and where ')}" if parts else text


def _listed(parts: Sequence[str], last: str = " and ") -> str:
    return last.join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def _reading_order(literal: Literal) -> tuple[int, int]:
    facts = CASE_FACTS if literal.scope == "where" else AXIS_FACTS
    return SCOPES.index(literal.scope), facts.index(literal.fact)


_NAMES = {
    "size": "input size",
    "effective_kernel": "effective kernel",
    "total_padding": "total padding",
    "windows_per_phase": "windows per phase",
    "windows_cut": "windows, the quotient cut",
    "output": "output size",
    "places": "places of the kernel",
}
_DIFFERENCES = {"kernel_minus_stride": ("kernel", "stride"), "kernel_minus_size": ("effective kernel", "input size")}
_BOOLEANS = {
    "use_bias": ("a bias", "no bias"),
    "output_padding_given": ("output_padding given", "output_padding left to Keras"),
    "strided": ("strides > 1", "no strides > 1"),
    "strides_alike": ("strides alike", "strides unlike"),
    "filters_match_width": ("as many filters as the output is wide", "filters unlike the output's width"),
    "empty": ("an empty result", "a result that is not empty"),
    "refused": ("an error due", "a defined result"),
}
_SYMBOLS = {"==": "", "!=": "other than ", ">=": ">= ", "<=": "<= "}


def _case_phrase(literal: Literal) -> str:
    fact, value = literal.fact, literal.value
    if fact == "layer":
        return LAYERS[value].keras_name
    if fact in _BOOLEANS:
        return _BOOLEANS[fact][0 if value else 1]
    if fact in ("dtype", "data_format") and literal.operator == "==":
        return str(value)
    return _number_phrase(fact, literal)


def _axis_phrase(literal: Literal) -> str:
    fact, operator, value = literal.fact, literal.operator, literal.value
    if fact in _DIFFERENCES:
        big, small = _DIFFERENCES[fact]
        if operator in ("even", "odd"):
            return f"{big} - {small} {operator}"
        signs = {("==", 0): "=", ("!=", 0): "!=", (">=", 0): ">=", ("<=", 0): "<=", (">=", 1): ">", ("<=", -1): "<"}
        compared = signs.get((operator, value))
        if compared:
            return f"{big} {compared} {small}"
        return f"{big} - {small} {'=' if operator == '==' else operator} {value}"
    if fact == "size_mod_stride":
        if (operator, value) in (("==", 0), ("<=", 0)):
            return "an input size that is a multiple of the stride"
        if (operator, value) in (("!=", 0), (">=", 1)):
            return "an input size that is no multiple of the stride"
        return f"input size mod stride {operator if value is None or operator != '==' else '='} {'' if value is None else value}".rstrip()
    return _number_phrase(_NAMES.get(fact, fact), literal)


def _number_phrase(name: str, literal: Literal) -> str:
    operator, value = literal.operator, literal.value
    if operator in ("even", "odd"):
        return f"an {operator} {f'number of {name}' if name in _COUNTS else name}"
    if operator in ("none", "given"):
        if name == "output_padding":
            return "output_padding left to Keras" if operator == "none" else "output_padding given"
        return f"{'no' if operator == 'none' else 'a'} defined {name}"
    if operator == ">=" and value in (1, 2):
        return f"{name} > {value - 1}"
    return f"{name} {_SYMBOLS[operator]}{value}"


_PHRASES: dict[bool, Callable[[Literal], str]] = {True: _case_phrase, False: _axis_phrase}
