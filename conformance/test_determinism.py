"""Claim: the same layer gives the same bits for the same floats."""

from __future__ import annotations

from conformance.cases import Case
from conformance.checks import Check
from conformance.claims.determinism import DETERMINISM


def test_determinism(check: Check, case: Case, mode: str) -> None:
    check(case, mode, DETERMINISM)
