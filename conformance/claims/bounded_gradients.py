"""Claim ``bounded_gradients``: gradients on random floats are as near to the defined ones as any order of summation is."""

from __future__ import annotations

from typing import Any

from conformance import families, oracles, repro, rounding
from conformance.cases import Case
from conformance.claims.base import Claim, defined, exception
from conformance.claims.bounded import arithmetic_of
from conformance.outcomes import Outcome, Verdict
from conformance.subjects import Differentiable, NotOfferedError


def judge(subject: Differentiable, case: Case, mode: str) -> Verdict:
    """``|gradient - exact| <= n u S + (n + 1) eta / 2`` for every element of the gradients of ``sum(g * layer(x))``, on random floats.

    An element of the input's gradient sums n = taps x filters / groups products; of the kernel's, and of the bias's, as many as the batch
    has positions of the output.
    """
    probe = families.float_gradients(case)
    expected = rounding.gradient_sums(case, probe)
    try:
        observed = subject.gradients(case, probe, mode)
    except NotOfferedError:
        raise
    except Exception as error:
        return exception(error, None)
    largest = 0.0
    characteristics: dict[str, Any] = {}
    for name, sums in expected.items():
        what = f"gradient with respect to the {name}"
        if name not in observed:
            return Verdict(Outcome.DECLINED, f"no {what}")
        arithmetic = arithmetic_of(subject, case, mode, "bounded_gradients", name)
        verdict = oracles.bounded(sums, observed[name], arithmetic, oracles.gradient_picture(case, name), f"{what}: ")
        if verdict.outcome != Outcome.CONFORMS:
            return verdict
        largest = max(largest, verdict.error_in_bounds or 0.0)
        characteristics.update({f"{what}: {key}": value for key, value in verdict.characteristics.items()})
    return Verdict(Outcome.CONFORMS, error_in_bounds=largest, characteristics=characteristics)


BOUNDED_GRADIENTS = Claim("bounded_gradients", judge, "gradients", defined, script=repro.bounded_gradients)
