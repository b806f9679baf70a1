"""Claim: the functions beside the layers compute what the layers do."""

from __future__ import annotations

import pytest

from conformance.cases import Case
from conformance.claims.ops import OPS
from conformance.plugin import Check


def test_ops(check: Check, request: pytest.FixtureRequest, case: Case, mode: str) -> None:
    check(request, case, mode, OPS)
