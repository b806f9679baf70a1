"""Claim: the layers of a user's model, with the weights that are in it, are as near to the defined result as rounding allows."""

from __future__ import annotations

import pytest

from conformance.cases import Case
from conformance.claims.own_weights import OWN_WEIGHTS
from conformance.plugin import Check


def test_own_weights(check: Check, request: pytest.FixtureRequest, case: Case, mode: str) -> None:
    check(request, case, mode, OWN_WEIGHTS)
