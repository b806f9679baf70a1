"""Claim ``gradients``: what the framework differentiates is the derivative, on exact data, with respect to input, kernel and bias."""

from __future__ import annotations

from conformance import oracles, probes, repro
from conformance.cases import Case
from conformance.claims.base import Claim, defined, exception
from conformance.outcomes import Outcome, Verdict
from conformance.subjects import Differentiable, NotOfferedError


def judge(subject: Differentiable, case: Case, mode: str) -> Verdict:
    """The gradients of ``sum(g * layer(x))`` are the defined ones (`reference.gradients`), to the last bit, on exact data."""
    probe = probes.exact_gradients(case)
    expected = probes.exact_gradients_result(case, probe)
    try:
        observed = subject.gradients(case, probe, mode)
    except NotOfferedError:
        raise
    except Exception as error:
        return exception(error, None)
    for name, wanted in expected.items():
        if name not in observed:
            return Verdict(Outcome.DECLINED, f"no gradient with respect to the {name}")
        dtype = case.compute_dtype if name == "input" else case.variable_dtype
        verdict = oracles.equal(
            wanted, observed[name], dtype, oracles.gradient_picture(case, name), f"gradient with respect to the {name}: "
        )
        if verdict.outcome != Outcome.CONFORMS:
            return verdict
    return Verdict(Outcome.CONFORMS)


GRADIENTS = Claim("gradients", judge, "gradients", defined, script=repro.gradients)
