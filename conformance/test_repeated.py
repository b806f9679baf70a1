"""Claim: a layer called again gives the defined result again, whatever it computed before."""

from __future__ import annotations

from conformance.cases import Case
from conformance.checks import Check
from conformance.claims.repeated import REPEATED


def test_repeated(check: Check, case: Case, mode: str) -> None:
    check(case, mode, REPEATED)
