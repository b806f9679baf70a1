"""Claim: NaN, infinities, subnormals and overflow reach the elements that see them, and no other."""

from __future__ import annotations

from conformance.cases import Case
from conformance.checks import Check
from conformance.claims.special_values import SPECIAL_VALUES


def test_special_values(check: Check, case: Case, mode: str) -> None:
    check(case, mode, SPECIAL_VALUES)
