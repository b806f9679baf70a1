"""Claim ``shapes``: what is said of a result before there is one is the defined shape, with all sizes known and with some unknown.

The actual result has the defined shape by the claim ``forward``, which makes all three agree: whoever differs is reported. An error where
a shape is defined, and a shape where an error is due, are deviations, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from conformance.cases import Case
from conformance.claims.base import Claim, exception
from conformance.contract import Shape, error_due, filled, partial_output_shape
from conformance.outcomes import Outcome, Verdict
from conformance.subjects import Announced, Announcing, NotOfferedError


def questions(case: Case) -> Iterator[Shape]:
    """Input shapes (batch, *spatial, channels) to ask one and the same layer for, in this order.

    The case's own; one that is larger everywhere; only the channels known; batch and each spatial size alone unknown; and the case's own
    again, for a layer that remembers what it should compute anew.
    """
    own: Shape = case.input_shape
    yield own
    yield (*(n + 1 for n in case.input_shape[:-1]), case.channels)
    yield (*(None,) * (case.rank + 1), case.channels)
    for axis in range(case.rank + 1):
        yield (*own[:axis], None, *own[axis + 1 :])
    yield own


def judge(subject: Announcing, case: Case, mode: str) -> Verdict:
    """Every shape function of the subject gives the defined shape for each of the `questions`, or raises the error that is due for it."""
    for shape in questions(case):
        due = error_due(filled(case, shape))
        expected = partial_output_shape(case, shape) if due is None else None
        for function in subject.shape_functions:
            asked = case.in_layout(shape)
            told = partial(subject.output_shape, case, asked, function)
            verdict = answer(told, f"{function} of {asked}", case.compute_dtype, expected, due)
            if verdict.outcome != Outcome.CONFORMS:
                return verdict
    return Verdict(Outcome.CONFORMS)


def answer(tell: Callable[[], Announced], what: str, dtype: str, expected: Shape | None, due: str | None) -> Verdict:
    """The verdict on what is told of a result that has the shape ``expected``, or of one for which an error is ``due``."""
    try:
        said = tell()
    except NotOfferedError:
        raise
    except Exception as error:
        verdict = exception(error, due)
        return verdict if verdict.outcome == Outcome.CONFORMS else Verdict(verdict.outcome, f"{what}: {verdict.message}")
    if expected is None:
        return Verdict(Outcome.ACCEPTED, f"{what}: an error is due ({due}), got {said.shape}")
    if said.shape != expected or not all(map(_is_size, said.shape)):
        return Verdict(Outcome.WRONG_SHAPE, f"{what}: expected {expected}, got {said.shape}")
    if said.dtype not in (None, dtype):
        return Verdict(Outcome.WRONG_DTYPE, f"{what}: expected dtype {dtype}, got {said.dtype}")
    return Verdict(Outcome.CONFORMS)


def _is_size(size: Any) -> bool:
    """A number such as 3.0 equals a size and is none."""
    return size is None or isinstance(size, int | np.integer)


SHAPES = Claim("shapes", judge, "output_shape", modes=("eager",))
