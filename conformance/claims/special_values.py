"""Claim ``special_values``: NaN, infinities, subnormals and overflow reach the elements that see them, and no other.

One case in `ONE_IN`, with one value in one place each (see `conformance.specials`): how a framework multiplies, adds and pads depends on
the layer and its size, which the chosen cases spread over, and every layer with a special weight is made anew.
"""

from __future__ import annotations

import numpy as np

from conformance import oracles, specials
from conformance.cases import Case
from conformance.claims.base import Claim, defined, exception
from conformance.outcomes import Outcome, Verdict
from conformance.spread import part
from conformance.subjects import NotOfferedError, Subject

ONE_IN = 4


def judge(subject: Subject, case: Case, mode: str) -> Verdict:
    """Every element is what IEEE 754 makes of the definition's sum, in some order; what is left open is told as a characteristic."""
    asked = specials.special(case)
    try:
        observed = subject.forward(case, asked.probe, mode)
    except NotOfferedError:
        raise
    except Exception as error:
        return exception(error, None)
    another = oracles.of_another_kind(asked.values.shape, observed, case.compute_dtype, f"{asked.kind}: ")
    if another is not None:
        return another
    wrong = asked.wrong(observed.values)
    if wrong.any():
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        return Verdict(
            Outcome.WRONG_VALUE,
            f"{asked.kind}: {np.count_nonzero(wrong)} of {wrong.size} elements differ, first at {list(first)}:"
            f" expected {asked.values[first]:g}, got {observed.values[first]:g}\n{oracles.picture(case, wrong)}",
            at=first,
        )
    word = None if asked.told is None else asked.told.word(observed.values)
    return Verdict(Outcome.CONFORMS, characteristics={} if word is None or asked.told is None else {asked.told.name: word})


def chosen(case: Case) -> bool:
    """One in `ONE_IN` of the cases where a result is defined. A separable layer's second stage sees what the first made: left out."""
    return part(case, ONE_IN, "special values") == 0 and not case.separable and defined(case)


SPECIAL_VALUES = Claim("special_values", judge, concerns=chosen, modes=("eager", "graph", "xla"))  # the others make a model of every case
