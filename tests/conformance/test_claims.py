"""What holds for a claim whatever it says: a subject is judged by its results and errors, and by nothing that it warns of."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from conformance import grids
from conformance.cases import Case
from conformance.claims import CLAIMS, Claim
from conformance.outcomes import Outcome
from tests.faults.layers import Layers


class Warns(Layers):
    """Right, and warns of what is in no result: as NumPy does where a BLAS leaves the processor's flag for invalid values behind."""

    def __init__(self) -> None:
        self.warned = 0

    def refuse(self, case: Case) -> None:
        self.warned += 1
        warnings.warn("invalid value encountered", RuntimeWarning, stacklevel=1)
        np.subtract(np.float32(np.inf), np.float32(np.inf))
        super().refuse(case)


OFFERED = [claim for claim in CLAIMS.values() if claim.of_grids and hasattr(Layers, claim.method)]


@pytest.mark.parametrize("claim", OFFERED, ids=lambda claim: claim.name)
def test_what_a_subject_warns_of_is_no_verdict(claim: Claim) -> None:
    subject = Warns()
    cases = [case for case in grids.grid("smoke") if claim.speaks_of(case, "eager")][:20]
    assert [claim(subject, case, "eager").outcome for case in cases] == [Outcome.CONFORMS] * len(cases)
    assert subject.warned >= len(cases) > 0


def test_warnings_are_errors_here() -> None:
    with pytest.raises(RuntimeWarning):
        Warns().refuse(grids.grid("smoke")[0])
