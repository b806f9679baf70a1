"""Claim ``repeated``: called again, on the same input or another, a layer gives the defined result, whatever it computed before.

The other input is the first one negated where it lies, so that a layer that knows its input by shape, by place or by identity meets
the same one. ``layer(-x) = 2 b - layer(x)``, and the budget of exact data is that of ``x``.
"""

from __future__ import annotations

import numpy as np

from conformance import oracles, probes
from conformance.cases import Case
from conformance.claims.base import Claim, exception
from conformance.contract import error_due
from conformance.outcomes import Outcome, Verdict
from conformance.spread import part
from conformance.subjects import NotOfferedError, Subject

ONE_IN = 8
"""Of how many cases one is checked: memory does not depend on geometry, and every call on an input of a new shape may be compiled anew."""


def judge(subject: Subject, case: Case, mode: str) -> Verdict:
    """The results of ``layer(x)``, ``layer(-x)`` and ``layer(x)`` are the defined ones, to the last bit, once all of them are there."""
    probe = probes.exact(case)
    expected = probes.exact_result(case, probe.x, probe.kernel, probe.bias, probe.pointwise)
    other = probes.exact_result(case, -probe.x, probe.kernel, probe.bias, probe.pointwise)
    observed = []
    try:
        for _ in range(3):
            observed.append(subject.forward(case, probe, mode))
            np.negative(probe.x, out=probe.x)
    except NotOfferedError:
        raise
    except Exception as error:
        return exception(error, None)
    oracles.check_trust(case, expected)
    for call, wanted in enumerate((expected, other, expected)):
        what = ("first call: ", "second call, on the negated input: ", "third call, on the first input again: ")[call]
        verdict = oracles.equal(wanted, observed[call], case.compute_dtype, lambda wrong: oracles.picture(case, wrong), what)
        if verdict.outcome != Outcome.CONFORMS:
            return verdict
    return Verdict(Outcome.CONFORMS)


def chosen(case: Case) -> bool:
    """One in `ONE_IN` of the cases where a result is defined."""
    return part(case, ONE_IN, "repeated") == 0 and error_due(case) is None


REPEATED = Claim("repeated", judge, concerns=chosen)
