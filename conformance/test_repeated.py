"""Claim: a layer called again gives the defined result again, whatever it computed before."""

from __future__ import annotations

from conformance.cases import Case
from conformance.claims.repeated import REPEATED
from conformance.plugin import Check


def test_repeated(check: Check, case: Case, mode: str) -> None:
    check(case, mode, REPEATED)
