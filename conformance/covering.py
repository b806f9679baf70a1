"""Covering arrays: few rows in which every pair of values of any two factors occurs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any


def pairwise(factors: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Rows over ``factors`` such that for any two of them every pair of values stands in some row.

    Greedy: the next row is the one that covers most of the pairs still missing, the first such in lexicographic order. Every row covers
    at least one missing pair, so it ends; the result depends on nothing but the arguments.
    """
    # a set of pairs is one integer, with a bit for each
    bit: dict[Any, int] = {}
    pairs = {
        row: sum(1 << bit.setdefault(pair, len(bit)) for pair in combinations(enumerate(row), 2)) for row in product(*factors.values())
    }
    missing = (1 << len(bit)) - 1
    chosen = []
    while missing:
        best = max(pairs, key=lambda row: (pairs[row] & missing).bit_count())
        missing &= ~pairs[best]
        chosen.append(dict(zip(factors, best, strict=True)))
    return chosen
