"""Claim: a layer called on random floats is as near to what it is defined to compute as any order of summation is."""

from __future__ import annotations

from conformance.cases import Case
from conformance.checks import Check
from conformance.claims.bounded import BOUNDED


def test_bounded(check: Check, case: Case, mode: str) -> None:
    check(case, mode, BOUNDED)
