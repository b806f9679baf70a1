"""The table of docs/oracles.md is what the oracles say: all wrong arithmetic is seen, nothing right is flagged."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.families import FAMILIES, family_of
from tests.faults.oracles import ORACLES, OURS, RIGHT, WRONG, counts, layers_judged, page, row

PAGE = (Path(__file__).parents[2] / "docs" / "oracles.md").read_text(encoding="utf-8")
CASES = list(layers_judged())

RECOMPUTED = ("sums cut off instead of rounded", "sums rounded to half precision", "one after the other", "pairwise", "Kahan")
"""What sums one term after the other in NumPy, and so is the same on every machine; a matrix product may not be."""


def written(name: str) -> dict[str, tuple[int, int]]:
    """The row of the page, read back."""
    cells = re.search(rf"^\| {re.escape(name)} \| (.*) \|$", PAGE, re.MULTILINE)
    assert cells is not None, name
    numbers = [cell.partition(" of ") for cell in cells[1].split(" | ")]
    return {oracle: (0, 0) if first == "-" else (int(first), int(all_)) for oracle, (first, _, all_) in zip(ORACLES, numbers, strict=True)}


@pytest.mark.parametrize("name", WRONG)
def test_all_wrong_arithmetic_is_seen(name: str) -> None:
    assert any(written(name)[oracle][0] for oracle in OURS)


@pytest.mark.parametrize("name", RIGHT)
def test_nothing_right_is_flagged(name: str) -> None:
    assert not any(written(name)[oracle][0] for oracle in (*OURS, "probable"))


@pytest.mark.parametrize("name", RECOMPUTED)
def test_the_page_is_what_is_computed(name: str) -> None:
    found = counts({**WRONG, **RIGHT}[name], CASES)
    assert row(name, found) in PAGE.splitlines()


def test_the_page_has_every_row_and_no_other() -> None:
    nothing = {name: dict.fromkeys(ORACLES, (0, 0)) for name in (*WRONG, *RIGHT)}
    blank = [line.split(" | ")[0] for line in page(nothing).splitlines()]
    assert [line.split(" | ")[0] for line in PAGE.splitlines()] == blank


def test_every_family_and_long_sums_are_judged() -> None:
    assert {family_of(case) for case in CASES if case.channels < 512} == set(FAMILIES)
    assert {family_of(case) for case in CASES if case.channels == 512} == {name for name, family in FAMILIES.items() if family.zero_mean}
