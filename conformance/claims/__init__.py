"""What is claimed of a case, and the verdict on it: one module a claim, all of them in `CLAIMS`."""

from __future__ import annotations

from conformance.claims.base import Claim
from conformance.claims.forward import FORWARD
from conformance.claims.gradients import GRADIENTS
from conformance.claims.repeated import REPEATED
from conformance.claims.shapes import SHAPES

__all__ = ["CLAIMS", "Claim"]

CLAIMS = {claim.name: claim for claim in (FORWARD, REPEATED, GRADIENTS, SHAPES)}
"""All claims by name; each has its ``test_<name>.py``."""
