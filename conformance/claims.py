"""What is claimed of a case, and the verdict on it. No pytest here: a claim is a function of subject, case and mode."""

from __future__ import annotations

import re
from collections.abc import Callable

from conformance import oracles, probes
from conformance.cases import Case
from conformance.contract import error_due
from conformance.outcomes import Outcome, Verdict
from conformance.subjects import Subject

Claim = Callable[[Subject, Case, str], Verdict]
"""A claim, called by its name, judges one case of a subject in one mode."""

CLAIMS = ("forward",)
"""The names of all claims; each has its ``test_<name>.py``."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

ACCIDENTS = (ArithmeticError, AssertionError, AttributeError, ImportError, KeyError, MemoryError, NameError, RecursionError)
"""Exceptions that refuse nothing: where an error is due, these are a subject falling over, not declining."""


def forward(subject: Subject, case: Case, mode: str) -> Verdict:
    """``layer(x)`` is the defined result, to the last bit, on exact data; or the error that is due is raised.

    Raises:
        UntrustedCaseError: the case's data prove nothing; the project is at fault, not the subject.
    """
    due = error_due(case)
    probe = probes.exact(case) if due is None else probes.error_probe(case)
    # before the subject runs: one that writes into its input must not move the target
    expected = probes.exact_result(case, probe.x, probe.kernel, probe.bias) if due is None else None
    try:
        observed = subject.forward(case, probe, mode)
    except Exception as error:
        return exception(error, due)
    if expected is None:
        return Verdict(Outcome.ACCEPTED, f"an error is due ({due}), got a result of shape {observed.values.shape}")
    return oracles.exact(case, expected, observed)


def exception(error: Exception, due: str | None) -> Verdict:
    """What an exception comes to: the error that was due, or a defined result declined."""
    text = " ".join(_COLOUR.sub("", str(error)).split())
    said = f"{type(error).__name__}: {text[:300]}{'…' if len(text) > 300 else ''}"
    if due is None:
        return Verdict(Outcome.DECLINED, said)
    if isinstance(error, ACCIDENTS):
        return Verdict(Outcome.DECLINED, f"an error is due ({due}), got an accident: {said}")
    return Verdict(Outcome.CONFORMS)
