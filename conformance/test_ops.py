"""Claim: the functions beside the layers compute what the layers do."""

from __future__ import annotations

from conformance.cases import Case
from conformance.checks import Check
from conformance.claims.ops import OPS


def test_ops(check: Check, case: Case, mode: str) -> None:
    check(case, mode, OPS)
