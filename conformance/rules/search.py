"""The search: the conjunctions that are worth saying, exact by a set cover, inexact by beam search."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance.rules.literals import Literal, Rule
from conformance.rules.table import Mask, Table

LONGEST = 4
"""Literals in one rule, at most: a longer sentence is not read."""

SEVERAL = 4
"""Rules for one kind of failure, at most."""

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
