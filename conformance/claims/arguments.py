"""Claim ``arguments``: however a user writes it, a layer is the same: numbers or tuples, capitals, a fused activation, any array.

One case in `ONE_IN`, each in one of the forms of `conformance.forms`: a form does not depend on geometry, and every layer is made anew.
"""

from __future__ import annotations

from dataclasses import replace

from conformance import oracles, probes
from conformance.cases import Case
from conformance.claims.base import Claim, exception
from conformance.contract import error_due
from conformance.forms import form
from conformance.outcomes import Outcome, Verdict
from conformance.spread import part
from conformance.subjects import Adaptable, NotOfferedError

ONE_IN = 4


def judge(subject: Adaptable, case: Case, mode: str) -> Verdict:
    """A layer made and called in the case's form gives what is defined, to the last bit, on exact data; or the error that is due."""
    due, asked = error_due(case), form(case)
    probe = probes.exact(case) if due is None else probes.error_probe(case)
    expected = None
    if due is None:
        linear = probes.exact_result(case, probe.x, probe.kernel, probe.bias, probe.pointwise)
        oracles.check_trust(case, linear)
        expected = asked.of_result(linear.astype(probes.storage(case.compute_dtype)))
    try:
        observed = subject.made_and_called(case, replace(probe, x=asked.operand(probe.x)), mode, asked.arguments(case), asked.native)
    except NotOfferedError:
        raise
    except Exception as error:
        verdict = exception(error, due)
        return verdict if verdict.outcome == Outcome.CONFORMS else replace(verdict, message=f"{asked.name}: {verdict.message}")
    if expected is None:
        return Verdict(Outcome.ACCEPTED, f"{asked.name}: an error is due ({due}), got a result of shape {observed.values.shape}")
    return oracles.equal(expected, observed, case.compute_dtype, lambda wrong: oracles.picture(case, wrong), f"{asked.name}: ")


def chosen(case: Case) -> bool:
    """One in `ONE_IN` of the cases."""
    return part(case, ONE_IN, "arguments") == 0


ARGUMENTS = Claim("arguments", judge, "made_and_called", chosen, modes=("eager",))
