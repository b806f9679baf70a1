"""The exact oracle: one differing bit is a deviation, and an expected result that proves nothing is refused."""

from __future__ import annotations

import numpy as np
import pytest

from conformance import oracles
from conformance.cases import parse
from conformance.formats import FORMATS
from conformance.oracles import FLOAT32_SUMS, PROBABLE, Arithmetic
from conformance.outcomes import Outcome, Verdict
from conformance.probes import UntrustedCaseError
from conformance.rounding import Sums, probable
from conformance.subjects import Observed

CASE = parse("conv2d-valid-in1x4x5x1-k1x1-f2-s1x1")
EXPECTED = np.arange(1.0, 41.0).reshape(1, 4, 5, 2)


def observed(values: object, dtype: str = "float32") -> Observed:
    return Observed(np.asarray(values), dtype)


def test_equal_results_conform() -> None:
    assert oracles.exact(CASE, EXPECTED, observed(EXPECTED.astype("float32"))).outcome == Outcome.CONFORMS


def test_one_unit_in_the_last_place_does_not() -> None:
    got = EXPECTED.astype("float32")
    got[0, 2, 3, 1] = np.nextafter(got[0, 2, 3, 1], np.float32(0))
    verdict = oracles.exact(CASE, EXPECTED, observed(got))
    assert verdict.outcome == Outcome.WRONG_VALUE
    assert verdict.at == (0, 2, 3, 1)
    assert "1 of 40 elements differ, first at [0, 2, 3, 1]: expected 28, got 28" in verdict.message


def test_nan_equals_nothing() -> None:
    got = EXPECTED.astype("float32")
    got[0, 0, 0, 0] = np.nan
    assert oracles.exact(CASE, EXPECTED, observed(got)).outcome == Outcome.WRONG_VALUE


def test_zeros_of_either_sign_are_equal() -> None:
    expected = EXPECTED.copy()
    expected[0, 0, 0, 0] = 0.0
    got = expected.copy()
    got[0, 0, 0, 0] = -0.0
    assert oracles.exact(CASE, expected, observed(got)).outcome == Outcome.CONFORMS


@pytest.mark.parametrize("shape", [(1, 4, 5), (1, 4, 5, 1), (1, 5, 4, 2), (40,)])
def test_another_shape_is_a_wrong_shape_even_if_it_would_broadcast(shape: tuple[int, ...]) -> None:
    got = np.resize(EXPECTED, shape)
    verdict = oracles.exact(CASE, EXPECTED, observed(got))
    assert verdict.outcome == Outcome.WRONG_SHAPE
    assert verdict.message == f"expected shape (1, 4, 5, 2), got {shape}"


def test_another_type_is_a_wrong_type_even_if_the_numbers_agree() -> None:
    verdict = oracles.exact(CASE, EXPECTED, observed(EXPECTED, "float64"))
    assert (verdict.outcome, verdict.message) == (Outcome.WRONG_DTYPE, "expected dtype float32, got float64")


def test_the_picture_shows_where() -> None:
    got = EXPECTED.copy()
    got[0, 3, :, 0] += 1
    assert oracles.exact(CASE, EXPECTED, observed(got)).message.splitlines()[1:] == [
        "where it differs, 4 x 5 (X differs, . equal):",
        ".....",
        ".....",
        ".....",
        "XXXXX",
    ]


def test_the_picture_is_the_same_for_channels_first() -> None:
    first = parse("conv2d-valid-in1x4x5x1-k1x1-f2-s1x1-channels_first")
    wrong = np.zeros((1, 4, 5, 2), dtype=bool)
    wrong[0, 0, 2, 1] = True
    assert oracles.picture(first, np.moveaxis(wrong, -1, 1)) == oracles.picture(CASE, wrong)


def test_a_large_picture_is_cut_and_says_so() -> None:
    lines = oracles.picture(CASE, np.ones((1, 100, 100, 2), dtype=bool)).splitlines()
    assert len(lines) == 1 + oracles.PICTURE_ROWS + 1
    assert lines[0] == "where it differs, 100 x 100 (X differs, . equal):"
    assert lines[1].endswith("…")
    assert lines[-1] == "…"


@pytest.mark.parametrize(
    "expected",
    [np.zeros_like(EXPECTED), np.where(EXPECTED > 30, EXPECTED, 0.0), np.full_like(EXPECTED, 7.0)],
    ids=["zero", "mostly zero", "constant"],
)
def test_an_expected_result_that_proves_nothing_is_refused(expected: np.ndarray) -> None:
    with pytest.raises(UntrustedCaseError):
        oracles.exact(CASE, expected, observed(expected))


def test_half_zeros_are_still_trusted() -> None:
    expected = np.where(np.arange(40).reshape(EXPECTED.shape) % 2, EXPECTED, 0.0)
    assert oracles.exact(CASE, expected, observed(expected)).outcome == Outcome.CONFORMS


def test_zeros_that_the_definition_puts_there_are_right() -> None:
    # kernel 1, stride 4, no bias: 15 of 16 elements of the result are appended or inserted zeros
    case = parse("conv2d_transpose-valid-in1x2x2x1-k1x1-f1-s4x4-nobias")
    expected = np.zeros((1, 8, 8, 1))
    expected[0, ::4, ::4, 0] = [[1, 2], [3, 4]]
    assert oracles.exact(case, expected, observed(expected)).outcome == Outcome.CONFORMS
    with pytest.raises(UntrustedCaseError):
        oracles.exact(case, np.zeros_like(expected), observed(expected))


def test_an_empty_result_is_a_claim_of_its_shape() -> None:
    case = parse("conv2d_transpose-same-in1x1x1x1-k2x2-f1-s1x1-op0x0")
    empty = np.zeros((1, 0, 0, 1))
    assert oracles.exact(case, empty, observed(empty)).outcome == Outcome.CONFORMS
    assert oracles.exact(case, empty, observed(np.zeros((1, 1, 1, 1)))).outcome == Outcome.WRONG_SHAPE


FOUR = parse("conv2d-valid-in1x2x2x1-k1x1-f1-s1x1")
EIGHT = parse("conv2d-valid-in1x2x2x1-k1x1-f2-s1x1")


def test_four_equal_elements_prove_nothing_and_three_do() -> None:
    with pytest.raises(UntrustedCaseError) as caught:
        oracles.check_trust(FOUR, np.full((1, 2, 2, 1), 3.0))
    assert str(caught.value) == f"{FOUR}: all 4 elements of the expected result are 3"
    oracles.check_trust(parse("conv2d-valid-in1x1x3x1-k1x1-f1-s1x1"), np.full((1, 1, 3, 1), 3.0))


def test_more_than_half_must_be_nonzero() -> None:
    values = np.zeros(8)
    values[:4] = 1, 2, 3, 4
    oracles.check_trust(EIGHT, values.reshape(1, 2, 2, 2))
    values[3] = 0
    with pytest.raises(UntrustedCaseError) as caught:
        oracles.check_trust(EIGHT, values.reshape(1, 2, 2, 2))
    assert str(caught.value) == f"{EIGHT}: most of the expected result is zero (3 of 8 are not)"


@pytest.mark.parametrize(("rows", "columns"), [(16, 64), (17, 64), (16, 65), (2, 20)])
def test_a_picture_is_cut_where_it_is_too_large_and_says_so(rows: int, columns: int) -> None:
    case = parse(f"conv2d-valid-in1x{rows}x{columns}x1-k1x1-f1-s1x1")
    lines = oracles.picture(case, np.ones((1, rows, columns, 1), dtype=bool)).splitlines()
    assert lines[0] == f"where it differs, {rows} x {columns} (X differs, . equal):"
    row = "X" * min(columns, 64) + (" …" if columns > 64 else "")
    assert lines[1:] == [row] * min(rows, 16) + ["…"] * (rows > 16)


def test_a_picture_of_three_axes_lies_over_the_two_last() -> None:
    case = parse("conv3d-valid-in1x2x3x4x1-k1x1x1-f2-s1x1x1")
    wrong = np.zeros((1, 2, 3, 4, 2), dtype=bool)
    wrong[0, 0, 1, 0, 0] = wrong[0, 1, 2, 3, 1] = True
    assert oracles.picture(case, wrong).splitlines() == ["where it differs, 3 x 4 (X differs, . equal):", "....", "X...", "...X"]


def test_only_the_gradient_of_the_input_has_a_picture() -> None:
    wrong = np.zeros((1, 4, 5, 2), dtype=bool)
    wrong[0, 2, 1, 0] = True
    assert oracles.gradient_picture(CASE, "input")(wrong) == oracles.picture(CASE, wrong)
    assert oracles.gradient_picture(CASE, "kernel")(wrong) == ""
    assert oracles.gradient_picture(CASE, "bias")(wrong) == ""


FLOAT32, HALF = FORMATS["float32"], FORMATS["float16"]


def sums(value: object, magnitude: object = 1.0, stages: tuple[float, ...] = (4.0,)) -> Sums:
    """Sums by hand; ``value`` is exact."""
    exact = np.asarray(value, np.float64)
    terms = tuple(np.full(exact.shape, each) for each in stages)
    return Sums(exact, np.zeros(()), np.broadcast_to(np.asarray(magnitude, np.float64), exact.shape).copy(), terms, 0.0)


def within(known: Sums, values: object, arithmetic: Arithmetic, what: str = "") -> Verdict:
    return oracles.bounded(known, observed(values, arithmetic.dtype), arithmetic, lambda wrong: f"drawn: {wrong.tolist()}", what)


def test_what_lies_outside_the_bound_is_said_in_these_words() -> None:
    known = sums([[1.0, 2.0], [3.0, 4.0]])
    bound = known.bound(FLOAT32)[1, 0]
    verdict = within(known, np.array([[1.0, 2.0], [3.5, 4.25]]), Arithmetic(FLOAT32, "float32"), "the result: ")
    assert verdict == Verdict(
        Outcome.WRONG_VALUE,
        "the result: 2 of 4 elements lie outside the rounding error bound, first at [1, 0]:"
        f" expected 3 within {bound:.3g}, got 3.5\ndrawn: [[False, False], [True, True]]",
        at=(1, 0),
        error_in_bounds=float(f"{0.5 / bound:.4g}"),
    )


def test_the_largest_error_is_given_in_units_of_the_bound() -> None:
    known = sums([1.0, 2.0])
    bound = known.bound(FLOAT32)
    verdict = within(known, known.value + [0.25, -0.75] * bound, Arithmetic(FLOAT32, "float32"))
    assert (verdict.outcome, verdict.error_in_bounds) == (Outcome.CONFORMS, 0.75)
    assert within(known, known.value, Arithmetic(FLOAT32, "float32")).error_in_bounds == 0.0
    # the edge belongs to the bound
    assert within(known, known.value + bound, Arithmetic(FLOAT32, "float32")).error_in_bounds == 1.0
    assert within(known, known.value - 1.001 * bound, Arithmetic(FLOAT32, "float32")).outcome == Outcome.WRONG_VALUE


def test_an_element_without_a_bound_or_beyond_all_numbers_has_no_error_to_measure() -> None:
    exact = sums([0.5], 0.5, (0.0,))
    assert within(exact, [0.5], Arithmetic(FLOAT32, "float32")).error_in_bounds == 0.0
    assert within(exact, [0.25], Arithmetic(FLOAT32, "float32")).error_in_bounds == 0.0
    assert within(sums([1e5], 1e5), np.array([np.inf], np.float16), Arithmetic(HALF, "float16")) == Verdict(
        Outcome.CONFORMS, error_in_bounds=0.0, characteristics={FLOAT32_SUMS: False}
    )


def test_only_sums_of_narrow_types_in_one_stage_can_be_sums_in_float32() -> None:
    half = Arithmetic(HALF, "float16")
    assert within(sums([1.0]), np.ones(1, np.float16), half).characteristics == {FLOAT32_SUMS: True}
    edge = sums([0.0]).rounded_once(FLOAT32, HALF)
    assert within(sums([0.0]), edge, half).characteristics == {FLOAT32_SUMS: True}
    assert within(sums([1.0], stages=(4.0, 4.0)), np.ones(1, np.float16), half).characteristics == {}
    assert within(sums([1.0]), [1.0], Arithmetic(FLOAT32, "float32")).characteristics == {}
    narrow = Arithmetic(HALF, "float16", zero_mean=True)
    assert within(sums([1.0]), np.ones(1, np.float16), narrow).characteristics == {FLOAT32_SUMS: True}
    off = np.ones(1, np.float16) + HALF.roundoff * 2
    assert within(sums([1.0]), off.astype(np.float16), half).characteristics == {FLOAT32_SUMS: False}


def test_errors_that_average_out_are_held_to_the_probable_bound_too() -> None:
    known, arithmetic = sums(np.ones(2), stages=(10000.0,)), Arithmetic(FLOAT32, "float32", zero_mean=True)
    assert within(known, known.value, arithmetic).characteristics == {PROBABLE: True}
    around = sums(np.zeros(2), stages=(10000.0,))
    assert within(around, probable(around, FLOAT32), arithmetic).characteristics == {PROBABLE: True}
    beyond = within(known, known.value + [0.0, 0.9] * known.bound(FLOAT32), arithmetic)
    assert (beyond.outcome, beyond.characteristics) == (Outcome.CONFORMS, {PROBABLE: False})


def test_errors_that_all_lean_one_way_are_wrong_in_these_words() -> None:
    known, arithmetic = sums(np.ones(2000)), Arithmetic(FLOAT32, "float32", zero_mean=True)
    leaning = known.value + 0.5 * FLOAT32.roundoff
    verdict = within(known, leaning, arithmetic, "the result: ")
    assert verdict.outcome == Outcome.WRONG_VALUE
    assert verdict.message.startswith("the result: over 2,000 elements ")
    assert verdict.error_in_bounds == float(f"{(0.5 * FLOAT32.roundoff / known.bound(FLOAT32)).max():.4g}")
    assert verdict.characteristics == {PROBABLE: True}
    assert within(known, leaning, Arithmetic(FLOAT32, "float32")).outcome == Outcome.CONFORMS


def test_shape_and_type_are_said_of_what_they_are_of() -> None:
    message = within(sums([1.0]), np.ones(2), Arithmetic(FLOAT32, "float32"), "the result: ").message
    assert message.startswith("the result: expected shape (1,), got (2,)")
    other = oracles.bounded(sums([1.0]), observed(np.ones(1), "float64"), Arithmetic(FLOAT32, "float32"), str, "the result: ")
    assert other.message.startswith("the result: expected dtype float32, got float64")


@pytest.mark.parametrize(
    ("exact", "magnitude", "got", "right"),
    [
        # on the edge: what reaches past the largest number, with its bound, may overflow, and what reaches past it by more than that must
        (65504.0, 65504.0, np.inf, True),
        (-65504.0, 65504.0, -np.inf, True),
        (-65504.0, 65504.0, np.inf, False),
        (70000.0, 70000.0, 65504.0, False),
        (-70000.0, 70000.0, -65504.0, False),
        (-70000.0, 70000.0, np.nan, False),
        (70000.0, 70000.0, -np.inf, False),
        (-30000.0, 150000.0, -np.inf, True),
        (-30000.0, 150000.0, np.inf, False),
        (70000.0, 250000.0, 65504.0, False),  # its value cannot be told, but is far from this
        (70000.0, 250000.0, np.nan, True),  # 160,000 - 90,000
    ],
)
def test_overflow_to_either_side(exact: float, magnitude: float, got: float, right: bool) -> None:
    verdict = within(sums([exact], magnitude, (2.0,)), np.array([got], np.float16), Arithmetic(HALF, "float16"))
    assert (verdict.outcome == Outcome.CONFORMS) is right, verdict.message


def test_what_is_not_rounded_overflows_only_past_the_largest_number() -> None:
    half, inf = Arithmetic(HALF, "float16"), np.array([np.inf], np.float16)
    for sign in (1, -1):
        assert within(sums([65504.0 * sign], 65504.0, (0.0,)), inf * sign, half).outcome == Outcome.WRONG_VALUE
        assert within(sums([65505.0 * sign], 65505.0, (0.0,)), inf * sign, half).outcome == Outcome.CONFORMS


def test_an_empty_result_has_no_error() -> None:
    verdict = oracles.bounded(sums(np.ones((0, 3))), observed(np.ones((0, 3))), Arithmetic(FLOAT32, "float32"), str)
    assert verdict == Verdict(Outcome.CONFORMS, error_in_bounds=0.0)
    assert oracles.bounded(sums([1.0]), observed(np.ones(2)), Arithmetic(FLOAT32, "float32"), str).message.startswith("expected shape")


def test_an_infinity_among_small_numbers_is_wrong() -> None:
    verdict = within(sums([1.0, 2.0]), np.array([1.0, np.inf]), Arithmetic(FLOAT32, "float32"))
    assert (verdict.outcome, verdict.at) == (Outcome.WRONG_VALUE, (1,))
    assert within(sums([1.0, 2.0]), np.array([np.nan, 2.0]), Arithmetic(FLOAT32, "float32")).at == (0,)
