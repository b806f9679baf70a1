"""A planted rule is found again; what is no rule is not made one; the fast columns say what the plain evaluation says."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance import deviations, grids
from conformance.cases import Case, parse
from conformance.rules import LONGEST, SCOPES, Findings, Literal, Mask, Rule, Table, describe, find


@lru_cache(maxsize=2)
def table(grid: str = "smoke") -> Table:
    return Table(keys(grid))


@lru_cache(maxsize=2)
def keys(grid: str = "smoke") -> tuple[tuple[Case, str, str], ...]:
    return tuple((case, "eager", "forward") for case in grids.grid(grid) if case.layer in grids.TWO_AXES)


def failing(mask: Mask, kind: str = "wrong_value") -> list[str | None]:
    return [kind if failed else None for failed in mask]


@st.composite
def planted(draw: st.DrawFn) -> tuple[Literal, ...]:
    """A conjunction that a deviations file could hold: no fact twice in one scope, at most two facts of one axis."""
    chosen: dict[tuple[str, str], Literal] = {}
    for _ in range(draw(st.integers(1, 3))):
        literal = draw(st.sampled_from(table().literals))
        chosen[literal.scope, literal.fact] = literal
    return tuple(chosen.values())


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
@given(planted())
def test_a_planted_rule_is_found_again_in_no_more_words(literals: tuple[Literal, ...]) -> None:
    mask = table().mask(literals)
    if not 5 <= mask.sum() < len(mask):  # fewer are listed one by one
        return
    found = find(table(), failing(mask))
    assert len(found.rules) == 1, [rule.sentence for rule in found.rules]
    (rule,) = found.rules
    assert rule.exact
    assert not found.unexplained
    assert (table().mask(rule.literals) == mask).all()
    words = [each for each in rule.literals if each.fact != "layer"]  # the layer is named for free
    assert len(words) <= len(literals)


@settings(deadline=None, max_examples=60)
@given(planted(), st.integers(0, len(grids.grid("smoke")) - 1))
def test_columns_say_what_plain_evaluation_says(literals: tuple[Literal, ...], place: int) -> None:
    rule = Rule(literals, (), 0, 0, 0, 2)
    assert bool(table().mask(literals)[place]) == rule.covers(*keys()[place])


@settings(deadline=None, max_examples=40)
@given(planted())
def test_a_rule_is_an_entry_of_a_deviations_file(literals: tuple[Literal, ...]) -> None:
    tables = Rule(literals, (), 0, 0, 0, 2).tables()
    assert set(tables) <= set(SCOPES)
    entry = deviations._entry({"id": "x", "outcome": "declined", "reason": "planted", **tables})
    assert [entry.covers(*key) for key in keys()[::7]] == table().mask(literals)[::7].tolist()


def test_two_unlike_bugs_give_two_rules() -> None:
    one = [Literal("where", "data_format", "==", "channels_first"), Literal("where", "layer", "==", "conv2d")]
    other = [Literal("any_axis", "kernel", "odd"), Literal("any_axis", "output_padding", "==", 0)]
    mask = table().mask(one) | table().mask(other)
    found = find(table(), failing(mask))
    assert not found.unexplained
    assert {rule.statement for rule in found.rules} == {
        "Conv2D with channels_first",
        "Conv2DTranspose where an axis has an odd kernel and output_padding 0",
    }


def test_kinds_are_counted_and_the_sentence_says_all() -> None:
    mask = table().mask([Literal("where", "padding", "==", "same"), Literal("where", "layer", "==", "conv2d_transpose")])
    kinds = [("declined" if i % 3 else "wrong_value") if failed else None for i, failed in enumerate(mask)]
    (rule,) = find(table(), kinds).rules
    counts = {kind: kinds.count(kind) for kind in ("declined", "wrong_value")}
    assert dict(rule.kinds) == counts
    assert rule.sentence == (
        f"Conv2DTranspose with padding same: declined ({counts['declined']}) or wrong_value ({counts['wrong_value']})"
        f" - all {sum(counts.values())} failing cases, and none that passes"
    )


def test_what_is_known_counts_neither_for_nor_against() -> None:
    """The planted rule holds for some known cases as well; were they passing ones, it would not be exact."""
    mask = table().mask([Literal("any_axis", "kernel", "==", 2)])
    neutral = np.flatnonzero(mask)[::2]
    kinds = failing(mask)
    for i in neutral:
        kinds[int(i)] = None
    (rule,) = find(table(), kinds, neutral.tolist()).rules
    assert rule.statement == "any layer where an axis has an even kernel"
    assert (rule.covered, rule.passing) == (int(mask.sum()) - len(neutral), 0)
    assert [each.statement for each in find(table(), kinds).rules if each.exact] != [rule.statement]


def test_failures_without_a_rule_are_left_as_they_are() -> None:
    chosen = np.random.default_rng(7).choice(len(keys()), 9, replace=False).tolist()
    kinds: list[str | None] = ["wrong_value" if i in chosen else None for i in range(len(keys()))]
    found = find(table(), kinds)
    explained = {i for i in chosen if any(rule.covers(*keys()[i]) for rule in found.rules)}
    assert set(found.unexplained) == set(chosen) - explained
    for rule in found.rules:
        assert rule.covered > rule.passing  # a rule that costs more exceptions than it spares is none


def test_a_best_rule_says_what_it_misses_and_what_it_takes_too_much() -> None:
    mask = table().mask([Literal("where", "padding", "==", "valid"), Literal("first_axis", "stride", "==", 3)])
    noisy = mask.copy()
    noisy[np.flatnonzero(mask)[:2]] = False
    noisy[np.flatnonzero(~mask)[5]] = True
    rule = find(table(), failing(noisy)).rules[0]
    assert (rule.covered, rule.passing, rule.failing) == (int(mask.sum()) - 2, 2, int(mask.sum()) - 1)
    assert rule.sentence.endswith(f"{rule.covered} of {rule.failing} failing cases, and 2 that pass")


def test_no_failures_no_rules() -> None:
    assert find(table(), [None] * len(keys())) == Findings((), ())


def test_everything_fails() -> None:
    found = find(table(), ["declined"] * len(keys()))
    assert sum(rule.covered for rule in found.rules) >= len(keys())
    assert all(not rule.passing for rule in found.rules)


def test_many_cases_are_searched_by_a_sample_and_judged_by_all() -> None:
    """More passing cases than a search starts with: the rule is exact over all of them."""
    assert len(keys("exhaustive")) > 6000
    literals = (Literal("where", "padding", "==", "same"), Literal("any_axis", "kernel", "==", 6), Literal("any_axis", "stride", "==", 5))
    mask = table("exhaustive").mask(literals)
    (rule,) = find(table("exhaustive"), failing(mask)).rules
    assert rule.exact
    assert rule.statement == "any layer with padding same where an axis has kernel 6 and stride 5"
    assert len(rule.literals) <= LONGEST


@pytest.mark.parametrize(
    ("literals", "says"),
    [
        ([("where", "layer", "==", "conv2d")], "Conv2D"),
        ([("where", "use_bias", "==", False), ("where", "groups", ">=", 2)], "any layer with no bias and groups > 1"),
        ([("any_axis", "kernel_minus_stride", "<=", -1)], "any layer where an axis has kernel < stride"),
        ([("any_axis", "kernel_minus_stride", "odd", None)], "any layer where an axis has kernel - stride odd"),
        ([("all_axes", "size_mod_stride", "==", 0)], "any layer where every axis has an input size that is a multiple of the stride"),
        ([("first_axis", "size", "==", 1), ("last_axis", "dilation", ">=", 2)],
         "any layer where the height has input size 1 and where the width has dilation > 1"),
        ([("any_axis", "output_padding", "none", None)], "any layer where an axis has output_padding left to Keras"),
        ([("all_axes", "kernel_minus_size", ">=", 3)], "any layer where every axis has effective kernel - input size >= 3"),
    ],
)  # fmt: skip
def test_rules_are_english(literals: list[tuple[str, str, str, object]], says: str) -> None:
    assert describe([Literal(*each) for each in literals], 2) == says  # type: ignore[arg-type]  # written as plain text here


def test_a_rule_of_a_known_bug() -> None:
    """Keras up to 3.11 on PyTorch: a transposed "same" whose total crop is odd. The rule is found from the outcome alone."""
    mask = np.array([case.transposed and case.padding == "same" and _odd_crop(case) for case, _, _ in keys("exhaustive")])
    (rule,) = find(table("exhaustive"), failing(mask)).rules
    assert rule.exact
    assert rule.statement == "Conv2DTranspose where an axis has an odd total padding"


def _odd_crop(case: Case) -> bool:
    for n, k, s, d, p in zip(
        case.size, case.kernel_size, case.strides, case.dilation_rate, case.output_padding or (None,) * case.rank, strict=True
    ):
        span = (k - 1) * d + 1
        output = n * s if p is None else (n - 1) * s + span % 2 + p
        refused = (max(case.strides) > 1 and max(case.dilation_rate) > 1) or (p is not None and p >= s)
        if not refused and max((n - 1) * s + span - output, 0) % 2:
            return True
    return False


def test_ranks_may_be_mixed_with_the_axis_that_a_case_lacks_left_out() -> None:
    assert describe([Literal("first_axis", "stride", ">=", 2)], None) == "any layer where the first axis has stride > 1"
    single = Table([(parse("conv2d-same-in1x2x2x1-k1x1-f1-s1x1"), "eager", "forward")])
    assert single.rank == 2
    assert single.literals == ()
