"""The rounding error bound: its terms and its exact values are right, it is nearly reached, and what oversteps it is rejected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from conformance import families, rounding
from conformance.cases import Case, parse
from conformance.contract import compute, compute_gradients, error_due, output_shape
from conformance.formats import FORMATS
from conformance.grids import LONG, grid
from conformance.oracles import FLOAT32_SUMS, PROBABLE, Arithmetic, bounded
from conformance.outcomes import Outcome
from conformance.rounding import Sums, forward_sums, gradient_sums
from conformance.subjects import Observed
from reference import definition
from tests.faults.arithmetic import OperandsRounded, ProductLost, SumCutOff
from tests.faults.layers import Layers
from tests.faults.orders import Backwards, Compensated, Forwards, Pairwise

SMOKE = [case for case in grid("smoke") if error_due(case) is None and 0 not in output_shape(case) and str(case) not in LONG]
OTHERS = [
    parse(text)
    for text in (
        "depthwise_conv2d-same-in2x5x4x3-k3x2-s1x1-m2",
        "separable_conv2d-same-in2x5x4x3-k3x2-f4-s1x1-m2",
        "separable_conv1d-valid-in2x7x3-k3-f4-s2-nobias",
        "conv3d-same-in1x3x4x2x2-k2x1x3-f3-s1x2x1-channels_first",
        "conv1d_transpose-valid-in2x4x3-k2-f2-s3",
    )
]
FLOAT32 = FORMATS["float32"]


def ones(case: Case) -> dict[str, Any]:
    x, kernel = np.ones(case.in_layout(case.input_shape)), np.ones(case.kernel_shape)
    return {"x": x, "kernel": kernel, "pointwise": np.ones(case.pointwise_shape) if case.separable else None}


def roundings(sums: Sums) -> Any:
    """How many roundings each element passes through."""
    return np.broadcast_to(sums.roundings(FLOAT32.roundoff), sums.value.shape)


def test_terms_are_what_ones_sum_to() -> None:
    for case in (*(case for case in SMOKE[::3] if not case.separable), *OTHERS[:1], *OTHERS[3:]):
        o = ones(case)
        counted = compute(case, o["x"], o["kernel"], np.ones(case.filters) if case.use_bias else None)
        found = forward_sums(case, families.floats(case))
        products = compute(case, o["x"], o["kernel"], None)
        assert np.array_equal(roundings(found), np.where(products > 0, counted, 0)), case
        wanted = compute_gradients(case, o["x"], o["kernel"], np.ones(output_shape(case)))
        gradients = gradient_sums(case, families.float_gradients(case))
        for name, terms in (("input", wanted.x), ("kernel", wanted.kernel), ("bias", wanted.bias)):
            if name in gradients:
                assert np.array_equal(roundings(gradients[name]), terms), (case, name)


def test_two_stages_have_the_terms_of_both() -> None:
    case = OTHERS[1]  # 3 x 2 taps, then 3 x 2 channels and a bias
    found = forward_sums(case, families.floats(case))
    assert [int(stage.max()) for stage in found.stages] == [6, 7]
    assert found.roundings(0.0).max() == 13
    assert found.roundings(2**-8).max() == 13 + 42 / 256
    gradients = gradient_sums(case, families.float_gradients(case))
    assert {name: [int(stage.max()) for stage in sums.stages] for name, sums in gradients.items()} == {
        "input": [4, 12], "depthwise_kernel": [4, 40], "pointwise_kernel": [6, 40], "bias": [40],
    }  # fmt: skip


@pytest.mark.parametrize("case", [*SMOKE[::29], *OTHERS], ids=str)
def test_float64_is_judged_by_fractions_without_any_rounding(case: Case) -> None:
    case = replace(case, dtype="float64")
    probe = families.floats(case)

    def fractions(values: Any) -> Any:
        return None if values is None else np.array([Fraction(float(v)) for v in values.ravel()], object).reshape(values.shape)

    operands = [fractions(values) for values in (probe.x, probe.kernel, probe.bias, probe.pointwise)]
    exact = compute(case, *operands)
    found = forward_sums(case, probe)
    assert found.computed_with == 0.0
    for value, rest, wanted in zip(found.value.ravel(), found.rest.ravel(), exact.ravel(), strict=True):
        assert float(wanted) == value
        assert abs(Fraction(value) + Fraction(rest) - wanted) <= abs(Fraction(rest)) / 2**52
    assert np.abs(found.rest).max() > 0


def test_exact_values_are_those_of_the_definition() -> None:
    case = parse("conv2d-same-in1x4x3x2-k3x2-f2-s1x2-float64-nobias")
    probe = families.floats(case)
    x, kernel = (np.array([Fraction(float(v)) for v in a.ravel()], object).reshape(a.shape) for a in (probe.x, probe.kernel))
    wanted = definition.conv2d(x, kernel, strides=(1, 2), padding="same")
    assert np.array_equal(forward_sums(case, probe).value, wanted.astype(np.float64))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("make", [Forwards, Backwards, Pairwise, Compensated])
def test_right_orders_stay_within_the_bound_and_come_near_to_it(dtype: str, make: Callable[[], Layers]) -> None:
    largest = 0.0
    for case in (replace(case, dtype=dtype) for case in SMOKE[::2]):
        probe = families.floats(case)
        family = families.FAMILIES[families.family_of(case)]
        arithmetic = Arithmetic(FORMATS[dtype], dtype, zero_mean=family.zero_mean)
        verdict = bounded(forward_sums(case, probe), make().forward(case, probe, "eager"), arithmetic, lambda wrong: "")
        assert verdict.outcome == Outcome.CONFORMS, (case, verdict.message)
        assert verdict.error_in_bounds is not None
        largest = max(largest, verdict.error_in_bounds)
    assert 0.8 < largest <= 1


def judged(subject: Layers, case: Case) -> Any:
    probe = families.floats(case)
    arithmetic = Arithmetic(FLOAT32, "float32", zero_mean=families.FAMILIES[families.family_of(case)].zero_mean)
    return bounded(forward_sums(case, probe), subject.forward(case, probe, "eager"), arithmetic, lambda wrong: "a picture")


def test_a_lost_product_oversteps_the_bound_wherever_there_is_one_to_lose() -> None:
    lost = ProductLost()
    lost.every = 2
    # every tap of a valid window meets something
    cases = [case for case in SMOKE if (case.layer, case.padding) == ("conv2d", "valid") and case.kernel_shape[0] * case.channels > 1][::2]
    assert len(cases) > 20
    for case in cases:
        # in a filter whose terms cancel or lie 2^24 below the others, one of them may be less than rounding
        if families.family_of(case) in ("uniform", "normal", "coherent"):
            verdict = judged(lost, case)
            assert verdict.outcome == Outcome.WRONG_VALUE, case
            assert "lie outside the rounding error bound" in verdict.message
            assert verdict.error_in_bounds > 1


def test_long_sums_hide_tf32_from_the_bound_and_not_from_statistics() -> None:
    subject = OperandsRounded()
    subject.bits, subject.operand = 11, "both"
    case = parse(LONG[0])
    verdict = judged(subject, case)
    assert verdict.outcome == Outcome.WRONG_VALUE
    assert verdict.error_in_bounds < 1
    assert "the sum of squares of the errors" in verdict.message
    assert verdict.characteristics[PROBABLE] is False


def test_sums_that_are_cut_off_lean_towards_zero() -> None:
    case = parse(LONG[1])
    verdict = judged(SumCutOff(), case)
    assert verdict.outcome == Outcome.WRONG_VALUE
    assert "the sum in the direction of the result of the errors" in verdict.message
    assert judged(Forwards(), case).outcome == Outcome.CONFORMS


def test_errors_that_all_point_one_way_are_no_rounding() -> None:
    sums = made(np.tile([1.0, -1.0], 1000), terms=4.0)
    u = FLOAT32.roundoff
    assert rounding.suspicious(sums, sums.value + 0.5 * u, FLOAT32) == (
        "over 2,000 elements the sum of the errors in units of u S is 1000, more than 357.8 that rounding makes"
    )
    assert rounding.suspicious(sums, sums.value + np.where(np.arange(2000) % 4 < 2, 0.5, -0.5) * u, FLOAT32) is None
    few = made(np.ones(rounding.OUTPUTS - 1), terms=4.0)
    assert rounding.suspicious(few, few.value + 3 * u, FLOAT32) is None


def made(value: Any, magnitude: Any = 1.0, terms: float = 1.0) -> Sums:
    """Sums by hand; ``value`` is exact."""
    value = np.asarray(value, np.float64)
    return Sums(value, np.zeros(()), np.broadcast_to(magnitude, value.shape).astype(float), (np.full(value.shape, terms),), 0.0)


HALF = FORMATS["float16"]


@pytest.mark.parametrize(
    ("exact", "magnitude", "got", "right"),
    [
        (1000.0, 1000.0, 1000.0, True),
        (1000.0, 1000.0, np.inf, False),
        (1000.0, 1000.0, np.nan, False),
        (60000.0, 60000.0, np.inf, False),
        (65504.0, 65504.0, 65504.0, True),
        (65504.0, 65504.0, np.inf, True),  # within the bound of where it overflows
        (65504.0, 65504.0, -np.inf, False),
        (70000.0, 70000.0, np.inf, True),
        (70000.0, 70000.0, 65504.0, False),  # must overflow
        (-70000.0, 70000.0, -np.inf, True),
        (-70000.0, 70000.0, np.inf, False),
        (0.0, 100000.0, 0.0, True),  # 50,000 - 50,000: neither side overflows
        (0.0, 100000.0, np.inf, False),
        (0.0, 200000.0, np.inf, True),  # 100,000 - 100,000: in what order?
        (0.0, 200000.0, -np.inf, True),
        (0.0, 200000.0, np.nan, True),
        (30000.0, 150000.0, np.inf, True),  # 90,000 - 60,000
        (30000.0, 150000.0, np.nan, False),  # -60,000 alone does not overflow
    ],
)
def test_overflow_is_right_where_an_order_of_summation_overflows(exact: float, magnitude: float, got: float, right: bool) -> None:
    verdict = bounded(
        made([exact], magnitude, terms=2.0), Observed(np.array([got], np.float16), "float16"), Arithmetic(HALF, "float16"), lambda wrong: ""
    )
    assert (verdict.outcome == Outcome.CONFORMS) is right, verdict.message


def test_underflow_has_its_share_of_the_bound() -> None:
    tiny = made([2.0**-25], 2.0**-25, terms=1.0)  # half the smallest float16: either neighbour is right
    for got, right in ((0.0, True), (2.0**-24, True), (2.0**-23, False)):
        verdict = bounded(tiny, Observed(np.array([got]), "float16"), Arithmetic(HALF, "float16"), lambda wrong: "")
        assert (verdict.outcome == Outcome.CONFORMS) is right


def test_what_no_product_reaches_must_be_equal() -> None:
    bias_alone = made([0.5], 0.5, terms=0.0)
    assert bias_alone.bound(FLOAT32) == [0.0]
    verdict = bounded(
        bias_alone, Observed(np.nextafter(np.full(1, 0.5, np.float32), np.float32(1)), "float32"), Arithmetic(FLOAT32, "float32"), str
    )
    assert verdict.outcome == Outcome.WRONG_VALUE


def test_shape_and_type_come_first() -> None:
    one = made([[1.0, 2.0]])
    arithmetic = Arithmetic(FLOAT32, "float32")
    assert bounded(one, Observed(np.ones((2, 1), np.float32), "float32"), arithmetic, str).outcome == Outcome.WRONG_SHAPE
    assert bounded(one, Observed(np.ones((1, 2)), "float64"), arithmetic, str).outcome == Outcome.WRONG_DTYPE


def test_sums_in_float32_that_are_rounded_once_are_told_from_others() -> None:
    coherent = (case for case in SMOKE if families.family_of(case) == "coherent")
    case = next(case for case in coherent if forward_sums(case, families.floats(case)).stages[0].max() > 12)
    case = replace(case, dtype="float16")
    probe = families.floats(case)
    sums, wide = forward_sums(case, probe), replace(probe, x=probe.x.astype(np.float32), kernel=probe.kernel.astype(np.float32), bias=None)
    once = Layers().forward(case, wide, "eager").values.astype(np.float16)
    if probe.bias is not None:
        once = once + probe.bias.reshape(case.in_layout((1, 1, 1, case.filters)))
    in_own_type = Forwards().forward(case, probe, "eager").values
    for values, in_float32 in ((once, True), (in_own_type, False)):
        assert values.dtype == np.float16
        observed = Observed(values, "float16")
        assert bounded(sums, observed, Arithmetic(HALF, "float16"), lambda wrong: "").characteristics[FLOAT32_SUMS] is in_float32
        asserted = bounded(sums, observed, Arithmetic(HALF, "float16", wide=FLOAT32), lambda wrong: "")
        assert (asserted.outcome == Outcome.CONFORMS) is in_float32
