"""What is claimed of a case, and the verdict on it: one module a claim, all of them in `CLAIMS`."""

from __future__ import annotations

from conformance.claims.arguments import ARGUMENTS
from conformance.claims.base import Claim
from conformance.claims.bounded import BOUNDED
from conformance.claims.bounded_gradients import BOUNDED_GRADIENTS
from conformance.claims.determinism import DETERMINISM
from conformance.claims.errors import ERRORS
from conformance.claims.forward import FORWARD
from conformance.claims.gradients import GRADIENTS
from conformance.claims.ops import OPS
from conformance.claims.own_weights import OWN_WEIGHTS
from conformance.claims.repeated import REPEATED
from conformance.claims.shapes import SHAPES
from conformance.claims.special_values import SPECIAL_VALUES

__all__ = ["CLAIMS", "Claim"]

CLAIMS = {
    claim.name: claim
    for claim in (
        FORWARD, REPEATED, GRADIENTS, BOUNDED, BOUNDED_GRADIENTS, SPECIAL_VALUES, DETERMINISM, SHAPES, ERRORS, ARGUMENTS, OPS,
        OWN_WEIGHTS,
    )
}  # fmt: skip
"""All claims by name; each has its ``test_<name>.py``."""
