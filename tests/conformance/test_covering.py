"""A covering array holds every pair of values of any two factors."""

from __future__ import annotations

from itertools import combinations, product

from hypothesis import given
from hypothesis import strategies as st

from conformance.covering import pairwise

factors = st.dictionaries(st.text("abcdef", min_size=1, max_size=1), st.integers(1, 4).map(range), min_size=2, max_size=5)


@given(factors)
def test_every_pair_of_values_occurs(factors: dict[str, range]) -> None:
    rows = pairwise(factors)
    for a, b in combinations(factors, 2):
        assert {(row[a], row[b]) for row in rows} == set(product(factors[a], factors[b]))


def test_it_is_much_smaller_than_the_product() -> None:
    assert len(pairwise({name: range(3) for name in "abcd"})) <= 12 < 3**4
