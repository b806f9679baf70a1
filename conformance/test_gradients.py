"""Claim: what the framework differentiates a layer to is its derivative, with respect to input, kernel and bias."""

from __future__ import annotations

from conformance.cases import Case
from conformance.claims.gradients import GRADIENTS
from conformance.plugin import Check


def test_gradients(check: Check, case: Case, mode: str) -> None:
    check(case, mode, GRADIENTS)
