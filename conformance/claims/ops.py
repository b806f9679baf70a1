"""Claim ``ops``: the functions ``keras.ops.conv`` and ``conv_transpose``, beside the layers, give the defined result without a bias.

Of strides together with dilation, which the layers refuse at construction, nothing is said of the functions: those cases are left out.
"""

from __future__ import annotations

from conformance import oracles, probes
from conformance.cases import Case
from conformance.claims.base import Claim, exception
from conformance.claims.shapes import answer
from conformance.contract import error_due, output_shape, strides_with_dilation
from conformance.outcomes import Outcome, Verdict
from conformance.subjects import NotOfferedError, Operating


def judge(subject: Operating, case: Case, mode: str) -> Verdict:
    """``op(x, kernel)`` is the defined result, to the last bit, on exact data; on symbolic tensors its shape; or the error that is due."""
    due = error_due(case)
    said = answer(
        lambda: subject.op_output_shape(case),
        f"the function on a symbolic tensor of {case.in_layout(case.input_shape)}",
        case.compute_dtype,
        None if due else output_shape(case),
        due,
    )
    probe = probes.exact(case) if due is None else probes.error_probe(case)
    expected = None if due else probes.exact_result(case, probe.x, probe.kernel, None, probe.pointwise)
    try:
        observed = subject.op(case, probe, mode)
    except NotOfferedError:
        raise
    except Exception as error:
        verdict = exception(error, due)
        return said if verdict.outcome == Outcome.CONFORMS else verdict
    if expected is None:
        return Verdict(Outcome.ACCEPTED, f"an error is due ({due}), got a result of shape {observed.values.shape}")
    verdict = oracles.exact(case, expected, observed)
    return said if verdict.outcome == Outcome.CONFORMS else verdict


def concerned(case: Case) -> bool:
    """All but strides together with dilation."""
    return not strides_with_dilation(case)


OPS = Claim("ops", judge, "op", concerned, modes=("eager",))
