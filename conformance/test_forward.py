"""Claim: a layer called on data computes what it is defined to compute, and refuses what has no definition."""

from __future__ import annotations

from conformance.cases import Case
from conformance.checks import Check
from conformance.claims.forward import FORWARD


def test_forward(check: Check, case: Case, mode: str) -> None:
    check(case, mode, FORWARD)
