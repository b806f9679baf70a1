"""Claim ``gradients``: what the framework differentiates is the derivative, on exact data, with respect to input, kernel and bias."""

from __future__ import annotations

from collections.abc import Callable

from conformance import oracles, probes, repro
from conformance.cases import Case
from conformance.claims.base import Claim, exception
from conformance.contract import error_due
from conformance.outcomes import Outcome, Verdict
from conformance.subjects import Differentiable, NotOfferedError
from reference.arguments import Array


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
        verdict = oracles.equal(wanted, observed[name], case.dtype, _picture(case, name), f"gradient with respect to the {name}: ")
        if verdict.outcome != Outcome.CONFORMS:
            return verdict
    return Verdict(Outcome.CONFORMS)


def _picture(case: Case, name: str) -> Callable[[Array], str]:
    """Where a gradient differs: only that of the input has the picture's layout."""
    return lambda wrong: oracles.picture(case, wrong) if name == "input" else ""


def defined(case: Case) -> bool:
    """A refused case has no derivative."""
    return error_due(case) is None


GRADIENTS = Claim("gradients", judge, "gradients", defined, script=repro.gradients)
