"""The script that shows a failing entry of a results file, which may name a case of any size, and an element that the case has not."""

from __future__ import annotations

import math

from conformance.cases import Case
from conformance.claims import CLAIMS
from conformance.contract import error_due, output_shape
from conformance.probes import UntrustedCaseError
from conformance.results import Entry
from conformance.summary import smallness

LARGEST = 10_000_000
"""Multiplications or elements of a case beyond which it gets no script: its operands and its result are made for it."""


def script(entry: Entry, backend: str) -> str | None:
    """What `conformance.repro` makes of the entry's case for its claim; None if there is none to show."""
    claim = CLAIMS.get(entry.claim)
    if claim is None or claim.script is None or bool(entry.case.misuse) != claim.misuses or not affordable(entry.case):
        return None
    try:
        return claim.script(entry.case, backend, entry.at, entry.message, entry.mode)
    except (UntrustedCaseError, IndexError):  # a file may name an element that the case has not
        return None


def affordable(case: Case) -> bool:
    """Whether its operands and its result can be made here: a results file may name a case of any size."""
    result = 1 if error_due(case) is not None else math.prod(output_shape(case))
    return max(smallness(case)[0], result, math.prod(case.kernel_shape)) <= LARGEST
