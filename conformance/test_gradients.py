"""Claim: what the framework differentiates a layer to is its derivative, with respect to input, kernel and bias."""

from __future__ import annotations

from conformance.cases import Case
from conformance.checks import Check
from conformance.claims.gradients import GRADIENTS


def test_gradients(check: Check, case: Case, mode: str) -> None:
    check(case, mode, GRADIENTS)
