"""Is the observed result the defined one? Equality to the last bit on exact data, a proven bound on others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from conformance.cases import Case
from conformance.contract import reached
from conformance.formats import FORMATS, Format
from conformance.outcomes import Outcome, Verdict
from conformance.probes import UntrustedCaseError, mistrusted
from conformance.rounding import Sums, probable, suspicious
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
    return equal(expected, observed, case.compute_dtype, lambda wrong: picture(case, wrong))


def equal(expected: Array, observed: Observed, dtype: str, draw: Callable[[Array], str], what: str = "") -> Verdict:
    """Same shape, same type, and every element equal (-0 == +0, NaN equal to nothing); tolerance zero.

    ``draw`` shows where elements differ; ``what`` opens the message, for results that are not the layer's output.
    """
    another = of_another_kind(expected.shape, observed, dtype, what)
    if another is not None:
        return another
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


def of_another_kind(shape: tuple[int, ...], observed: Observed, dtype: str, what: str) -> Verdict | None:
    """The verdict on a result of another shape or type."""
    if observed.values.shape != shape:
        return Verdict(Outcome.WRONG_SHAPE, f"{what}expected shape {shape}, got {observed.values.shape}")
    if observed.dtype != dtype:
        return Verdict(Outcome.WRONG_DTYPE, f"{what}expected dtype {dtype}, got {observed.dtype}")
    return None


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What is asserted of the arithmetic behind a result.

    ``number`` is the type computed in, ``dtype`` the name of the result's own. ``wide`` is the type that sums are carried in before they
    are rounded once, if that is asserted. ``zero_mean`` says that the data let rounding errors average out.
    """

    number: Format
    dtype: str
    wide: Format | None = None
    zero_mean: bool = False


def bounded(sums: Sums, observed: Observed, arithmetic: Arithmetic, draw: Callable[[Array], str], what: str = "") -> Verdict:
    """Same shape, same type, and every element within its rounding error bound of the exact one; see `conformance.rounding`.

    Overflow: with P and N the sums of the positive and of the negative terms' magnitudes, an element may be Inf if P and the bound
    reach past the largest number, -Inf if N does, NaN if both do. All others must be finite. An exact element past the largest number by
    more than the bound must not be: no finite one is within its bound.

    Statistics over many elements, where the data allow them, come last. `Verdict.characteristics` say whether errors are within the
    probable bound, and for types narrower than float32 whether they are those of float32 sums that are rounded once.
    """
    another = of_another_kind(sums.value.shape, observed, arithmetic.dtype, what)
    if another is not None:
        return another
    number, values = arithmetic.number, observed.values
    bound = sums.bound(number) if arithmetic.wide is None else sums.rounded_once(arithmetic.wide, number)
    error = np.abs(sums.error(values))
    wrong = _not_within(sums, values, error, bound, number)
    counted = np.isfinite(error) & (bound > 0)  # an element without rounding has no unit to measure its error in
    share = np.divide(error, bound, out=np.zeros(error.shape), where=counted)
    largest = float(f"{share.max(initial=0.0):.4g}")
    if wrong.any():
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        message = (
            f"{what}{np.count_nonzero(wrong)} of {wrong.size} elements lie outside the rounding error bound, first at {list(first)}:"
            f" expected {sums.value[first]:.9g} within {bound[first]:.3g}, got {values[first]:.9g}\n{draw(wrong)}"
        )
        return Verdict(Outcome.WRONG_VALUE, message, at=first, error_in_bounds=largest)
    characteristics: dict[str, str | int | float | bool | None] = {}
    if number.bits < WIDE.bits and len(sums.stages) == 1:
        characteristics[FLOAT32_SUMS] = bool((error <= sums.rounded_once(WIDE, number)).all())
    if arithmetic.zero_mean:
        if number.bits >= WIDE.bits:
            characteristics[PROBABLE] = bool((error <= probable(sums, number)).all())
        doubt = suspicious(sums, values, number)
        if doubt:
            return Verdict(Outcome.WRONG_VALUE, what + doubt, error_in_bounds=largest, characteristics=characteristics)
    return Verdict(Outcome.CONFORMS, error_in_bounds=largest, characteristics=characteristics)


WIDE = FORMATS["float32"]
FLOAT32_SUMS = "float32_sums"
PROBABLE = "within_probable_bound"
"""Names of characteristics, see `bounded`."""


def _not_within(sums: Sums, values: Array, error: Array, bound: Array, number: Format) -> Array:
    """The elements that are neither within their bound nor what overflow may make of them."""
    finite = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        wrong = ~(error <= bound)
    if finite.all():
        return wrong
    positive, negative = (sums.magnitude + sums.value) / 2 + bound, (sums.magnitude - sums.value) / 2 + bound
    may_be_inf, may_be_minus_inf = positive > number.largest, negative > number.largest
    allowed = np.select(
        [finite, values == np.inf, values == -np.inf], [~wrong, may_be_inf, may_be_minus_inf], default=may_be_inf & may_be_minus_inf
    )
    return np.asarray(~allowed)


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


def gradient_picture(case: Case, name: str) -> Callable[[Array], str]:
    """Where a gradient differs: only that of the input has the picture's layout."""
    return lambda wrong: picture(case, wrong) if name == "input" else ""
