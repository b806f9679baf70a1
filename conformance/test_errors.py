"""Claim: a layer refuses what it must, by an exception that says what is wrong, and never crashes, hangs or gives a result."""

from __future__ import annotations

from conformance.cases import Case
from conformance.checks import Check
from conformance.claims.errors import ERRORS


def test_errors(check: Check, case: Case, mode: str) -> None:
    check(case, mode, ERRORS)
