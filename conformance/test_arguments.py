"""Claim: however it is written and called, a layer is what it is."""

from __future__ import annotations

from conformance.cases import Case
from conformance.checks import Check
from conformance.claims.arguments import ARGUMENTS


def test_arguments(check: Check, case: Case, mode: str) -> None:
    check(case, mode, ARGUMENTS)
