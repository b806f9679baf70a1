"""The exact oracle: one differing bit is a deviation, and an expected result that proves nothing is refused."""

from __future__ import annotations

import numpy as np
import pytest

from conformance import oracles
from conformance.cases import parse
from conformance.outcomes import Outcome
from conformance.probes import UntrustedCaseError
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
