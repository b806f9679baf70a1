"""Claim: what the framework differentiates a layer to is its derivative, with respect to input, kernel and bias."""

from __future__ import annotations

import pytest

from conformance.cases import Case
from conformance.claims.gradients import GRADIENTS
from conformance.plugin import Check


def test_gradients(check: Check, request: pytest.FixtureRequest, case: Case, mode: str) -> None:
    check(request, case, mode, GRADIENTS)
