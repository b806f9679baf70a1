"""Claim: shapes told before values are the shapes of the values, whatever is known of the input."""

from __future__ import annotations

from conformance.cases import Case
from conformance.checks import Check
from conformance.claims.shapes import SHAPES


def test_shapes(check: Check, case: Case, mode: str) -> None:
    check(case, mode, SHAPES)
