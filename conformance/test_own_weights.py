"""Claim: the layers of a user's model, with the weights that are in it, are as near to the defined result as rounding allows."""

from __future__ import annotations

from conformance.cases import Case
from conformance.checks import Check
from conformance.claims.own_weights import OWN_WEIGHTS


def test_own_weights(check: Check, case: Case, mode: str) -> None:
    check(case, mode, OWN_WEIGHTS)
