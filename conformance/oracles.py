"""Is the observed result the defined one? Equality to the last bit on exact data."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import numpy as np

from conformance.cases import Case
from conformance.contract import reached
from conformance.outcomes import Outcome, Verdict
from conformance.probes import UntrustedCaseError, mistrusted
from conformance.subjects import Observed
from reference.arguments import Array

PICTURE_ROWS, PICTURE_COLUMNS = 16, 64


def exact(case: Case, expected: Array, observed: Observed) -> Verdict:
    """The result of a layer is the defined one, as `equal` has it.

    ``expected`` must deserve trust, see `check_trust`.

    Raises:
        UntrustedCaseError: agreement with ``expected`` would prove nothing.
    """
    check_trust(case, expected)
    return equal(expected, observed, case.dtype, lambda wrong: picture(case, wrong))


def equal(expected: Array, observed: Observed, dtype: str, draw: Callable[[Array], str], what: str = "") -> Verdict:
    """Same shape, same type, and every element equal (-0 == +0, NaN equal to nothing); tolerance zero.

    ``draw`` shows where elements differ; ``what`` opens the message, for results that are not the layer's output.
    """
    if observed.values.shape != expected.shape:
        return Verdict(Outcome.WRONG_SHAPE, f"{what}expected shape {expected.shape}, got {observed.values.shape}")
    if observed.dtype != dtype:
        return Verdict(Outcome.WRONG_DTYPE, f"{what}expected dtype {dtype}, got {observed.dtype}")
    wrong = observed.values != expected
    if not wrong.any():
        return Verdict(Outcome.CONFORMS)
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    return Verdict(
        Outcome.WRONG_VALUE,
        f"{what}{np.count_nonzero(wrong)} of {wrong.size} elements differ, first at {list(first)}:"
        f" expected {expected[first]:g}, got {observed.values[first]:g}\n{draw(wrong)}",
        at=first,
    )


def check_trust(case: Case, expected: Array) -> None:
    """An expected result that deserves no trust, see `conformance.probes.mistrusted`, would let a wrong implementation pass.

    Raises:
        UntrustedCaseError: the case is at fault, not the subject.
    """
    if 2 * np.count_nonzero(expected) > expected.size and expected.size < 4:
        return
    doubt = mistrusted(expected, reached(case))
    if doubt:
        raise UntrustedCaseError(f"{case}: {doubt}")


def picture(case: Case, wrong: Array) -> str:
    """Where a result differs, over its two last spatial axes: ``X`` differs in some item, channel or outer slice, ``.`` nowhere.

    A crop that is off by one shows as full rows or columns, a lost tap as a border, a wrong stride as a grating.
    """
    if case.data_format == "channels_first":
        wrong = np.moveaxis(wrong, 1, -1)
    plane = wrong.any(axis=(0, -1))
    while plane.ndim > 2:
        plane = plane.any(axis=0)
    plane = np.atleast_2d(plane)
    rows = ["".join("X" if cell else "." for cell in row[:PICTURE_COLUMNS]) for row in islice(plane, PICTURE_ROWS)]
    if plane.shape[1] > PICTURE_COLUMNS:
        rows = [f"{row} …" for row in rows]
    if plane.shape[0] > PICTURE_ROWS:
        rows.append("…")
    return "\n".join([f"where it differs, {plane.shape[0]} x {plane.shape[1]} (X differs, . equal):", *rows])
