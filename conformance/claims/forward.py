"""Claim ``forward``: a layer called on exact data gives the defined result, and refuses what has no definition."""

from __future__ import annotations

from conformance import oracles, probes, repro
from conformance.cases import Case
from conformance.claims.base import Claim, exception
from conformance.contract import error_due
from conformance.outcomes import Outcome, Verdict
from conformance.subjects import NotOfferedError, Subject


def judge(subject: Subject, case: Case, mode: str) -> Verdict:
    """``layer(x)`` is the defined result, to the last bit, on exact data; or the error that is due is raised."""
    due = error_due(case)
    probe = probes.exact(case) if due is None else probes.error_probe(case)
    # before the subject runs: one that writes into its input must not move the target
    expected = probes.exact_result(case, probe.x, probe.kernel, probe.bias, probe.pointwise) if due is None else None
    try:
        observed = subject.forward(case, probe, mode)
    except NotOfferedError:
        raise
    except Exception as error:
        return exception(error, due)
    if expected is None:
        return Verdict(Outcome.ACCEPTED, f"an error is due ({due}), got a result of shape {observed.values.shape}")
    return oracles.exact(case, expected, observed)


FORWARD = Claim("forward", judge, script=repro.forward)
