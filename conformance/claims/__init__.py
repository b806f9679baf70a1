"""What is claimed of a case, and the verdict on it: one module a claim, all of them in `CLAIMS`."""

from __future__ import annotations

from conformance.claims.arguments import ARGUMENTS
from conformance.claims.base import Claim
from conformance.claims.bounded import BOUNDED
from conformance.claims.bounded_gradients import BOUNDED_GRADIENTS
from conformance.claims.errors import ERRORS
from conformance.claims.forward import FORWARD
from conformance.claims.gradients import GRADIENTS
from conformance.claims.ops import OPS
from conformance.claims.repeated import REPEATED
from conformance.claims.shapes import SHAPES

__all__ = ["CLAIMS", "Claim"]

CLAIMS = {claim.name: claim for claim in (FORWARD, REPEATED, GRADIENTS, BOUNDED, BOUNDED_GRADIENTS, SHAPES, ERRORS, ARGUMENTS, OPS)}
"""All claims by name; each has its ``test_<name>.py``."""
