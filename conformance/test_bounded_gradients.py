"""Claim: gradients on random floats are as near to the defined ones as any order of summation is."""

from __future__ import annotations

from conformance.cases import Case
from conformance.checks import Check
from conformance.claims.bounded_gradients import BOUNDED_GRADIENTS


def test_bounded_gradients(check: Check, case: Case, mode: str) -> None:
    check(case, mode, BOUNDED_GRADIENTS)
