"""Claim ``bounded``: a layer called on random floats is as near to the defined result as any order of summation is."""

from __future__ import annotations

from typing import Any

from conformance import accumulation, families, oracles, repro, rounding
from conformance.accumulation import Accumulation
from conformance.cases import Case
from conformance.claims.base import Claim, defined, exception
from conformance.formats import FORMATS
from conformance.outcomes import Verdict
from conformance.probes import Probe
from conformance.subjects import NotOfferedError, Subject


def judge(subject: Subject, case: Case, mode: str) -> Verdict:
    """``|layer(x) - exact| <= n u S + (n + 1) eta / 2`` for every element, on random floats; see `conformance.rounding`."""
    return held(subject, case, mode, families.floats(case), arithmetic_of(subject, case, mode, "bounded", "output"))


def held(subject: Subject, case: Case, mode: str, probe: Probe, arithmetic: oracles.Arithmetic) -> Verdict:
    """The verdict on a layer with the operands of this probe, if its sums are carried as ``arithmetic`` says."""
    sums = rounding.forward_sums(case, probe)  # before the subject runs: one that writes into its input must not move the target
    try:
        observed = subject.forward(case, probe, mode)
    except NotOfferedError:
        raise
    except Exception as error:
        return exception(error, None)
    return oracles.bounded(sums, observed, arithmetic, lambda wrong: oracles.picture(case, wrong))


def arithmetic_of(subject: Subject, case: Case, mode: str, claim: str, result: str) -> oracles.Arithmetic:
    """What is asserted of the arithmetic behind one result of a case: ``output``, or what a gradient belongs to."""
    entry = accumulation.asserted(_known(subject), case, mode, claim, result)
    dtype = case.compute_dtype if result in ("output", "input") else case.variable_dtype
    number = FORMATS[case.compute_dtype]
    # sums that are carried in a type are no wider for it
    wide = entry.sums if entry.sums is not None and number.bits < entry.sums.bits else None
    return oracles.Arithmetic(number, dtype, wide, families.FAMILIES[families.family_of(case)].zero_mean)


_LAST: list[tuple[Any, tuple[Accumulation, ...]]] = []


def _known(subject: Subject) -> tuple[Accumulation, ...]:
    """The entries that speak of the subject's environment, which does not change while it is judged."""
    if not _LAST or _LAST[0][0] is not subject:
        _LAST[:] = [(subject, accumulation.within(accumulation.built_in(), subject.environment()))]
    return _LAST[0][1]


BOUNDED = Claim("bounded", judge, concerns=defined, script=repro.bounded, of_models=True)
