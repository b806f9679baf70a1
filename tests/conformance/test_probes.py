"""Exact data are exact: the budget holds on the data made, nothing is zero that could hide a loss, and the recipe is the data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conformance import probes
from conformance.cases import DATA, DTYPES, Case, parse
from conformance.contract import compute, error_due
from conformance.grids import grid
from conformance.oracles import check_trust

SMOKE = [case for case in grid("smoke") if error_due(case) is None]
TYPES = {
    "float64": 2**53, "float32": 2**24, "float16": 2**11, "bfloat16": 2**8, "mixed_float16": 2**11, "mixed_bfloat16": 2**8,
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_of_absolute_values_stay_within_the_type(dtype: str) -> None:
    for case in (replace(case, dtype=dtype) for case in SMOKE):
        probe = probes.exact(case)
        bias = None if probe.bias is None else np.abs(probe.bias).astype(object)
        # Python integers: the check itself cannot round
        x, kernel = np.abs(probe.x).astype(np.int64).astype(object), np.abs(probe.kernel).astype(np.int64).astype(object)
        pointwise = None if probe.pointwise is None else np.abs(probe.pointwise).astype(np.int64).astype(object)
        sums = compute(case, x, kernel, bias, pointwise)
        assert not sums.size or sums.max() <= TYPES[dtype], case


@pytest.mark.parametrize("dtype", DTYPES)
def test_operands_are_odd_integers_that_the_type_holds(dtype: str) -> None:
    for case in (replace(case, dtype=dtype) for case in SMOKE[::7]):
        probe = probes.exact(case)
        for name, array in (("x", probe.x), ("kernel", probe.kernel), ("pointwise", probe.pointwise), ("bias", probe.bias)):
            if array is None:
                continue
            integers = array.astype(np.int64)
            assert (integers == array).all()
            assert np.abs(integers).max() <= TYPES[dtype]
            kept = integers != 0
            assert (integers[kept] % 2 == 1).all()
            assert kept.all() or (name == "x" and dtype.endswith("bfloat16")), case


def test_long_bfloat16_sums_are_thinned_to_fit() -> None:
    case = parse("conv2d-same-in2x8x8x64-k5x5-f4-s1x1-bfloat16")
    probe = probes.exact(case)
    assert 0.05 < np.count_nonzero(probe.x) / probe.x.size < 0.5
    assert compute(case, np.abs(probe.x), np.abs(probe.kernel), np.abs(np.asarray(probe.bias))).max() <= 2**8


@pytest.mark.parametrize("data", DATA)
def test_the_amplitude_lies_where_the_kind_says(data: str) -> None:
    for case in SMOKE:
        if case.data != data:
            continue
        probe = probes.exact(case)
        x, kernel = float(np.abs(probe.x).max()), float(np.abs(probe.kernel).max())
        most = 2**24 // probes.terms(case)
        if data == "wide_input":
            assert kernel == 1 or (case.separable and kernel == 3)
            assert most > 2**11
            assert x <= most
        elif data == "wide_kernel":
            assert x <= 3
            assert kernel <= most
        else:
            assert max(x, kernel) ** 2 <= most


@pytest.mark.parametrize(("data", "bits"), [("wide_input", 2**11), ("wide_kernel", 2**11)])
def test_every_wide_layer_has_operands_that_tf32_and_bfloat16_would_round(data: str, bits: int) -> None:
    for case in SMOKE:
        if case.data == data:
            probe = probes.exact(case)
            wide = probe.x if data == "wide_input" else probe.kernel
            if wide.size >= 8:
                assert np.abs(wide).max() > bits, case


def test_neighbours_differ_along_every_axis() -> None:
    for case in SMOKE:
        x = probes.exact(case).x
        for axis in range(x.ndim):
            for i in range(1, x.shape[axis]):
                assert not np.array_equal(x.take(i, axis), x.take(i - 1, axis)), (case, axis)


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "bfloat16"])
def test_of_the_channels_of_one_pixel_a_few_may_be_like_the_next(dtype: str) -> None:
    pixels = [case for case in grid("models") if max(case.size) == 1]
    assert len({case.channels for case in pixels}) > 5
    for case in (replace(case, dtype=dtype) for case in pixels):
        probe = probes.exact(case)
        x = probe.x.ravel()
        if x.all():  # what was thinned to stay within the budget is sparse instead
            assert np.count_nonzero(x[1:] == x[:-1]) <= (x.size - 1) * probes.ALIKE, case
        check_trust(case, probes.exact_result(case, probe.x, probe.kernel, probe.bias))


def test_data_whose_neighbours_are_mostly_alike_are_refused() -> None:
    assert not probes._neighbours_differ(np.array([1, 1, 1, 3, 1.0]).reshape(1, 1, 1, -1))
    assert probes._neighbours_differ(np.array([1, 1, 1, 3, 1.0]).reshape(1, 1, 1, -1), probes.ALIKE)
    assert not probes._neighbours_differ(np.array([1, 1, 1, 1, 1, 3.0]).reshape(1, 1, 1, -1), probes.ALIKE)


def test_data_depend_on_the_id_alone() -> None:
    case = SMOKE[50]
    probes._weights.cache_clear()
    first = probes.exact(case)
    probes._weights.cache_clear()
    probes.exact(SMOKE[51])
    again = probes.exact(case)
    assert np.array_equal(first.x, again.x)
    assert np.array_equal(first.kernel, again.kernel)
    assert not np.array_equal(first.x, probes.exact(replace(case, dilation_rate=(1, 1), use_bias=not case.use_bias)).x)


def test_cases_of_one_layer_share_its_weights() -> None:
    one, other = parse("conv2d-same-in1x5x4x2-k3x2-f4-s1x2"), parse("conv2d-same-in3x7x6x2-k3x2-f4-s1x2")
    assert np.array_equal(probes.exact(one).kernel, probes.exact(other).kernel)


def test_refused_cases_share_the_weights_of_their_layer() -> None:
    """A subject may build the layer for a case that is refused and keep it for one that is not, in any order of the run."""
    fits, refused = parse("conv2d-valid-in1x5x4x2-k3x2-f4-s1x2"), parse("conv2d-valid-in1x2x4x2-k3x2-f4-s1x2")
    assert error_due(refused) is not None
    assert np.array_equal(probes.exact(fits).kernel, probes.error_probe(refused).kernel)
    assert np.array_equal(np.asarray(probes.exact(fits).bias), np.asarray(probes.error_probe(refused).bias))


def test_the_printed_recipe_makes_the_same_data() -> None:
    for case in [*SMOKE[::20], parse("conv2d-same-in1x4x4x64-k5x5-f2-s1x1-bfloat16")]:
        probe = probes.exact(case)
        for name, draw in probe.draws.items():
            names: dict[str, Any] = {"np": np}
            exec("\n".join(draw.code(name)), names)  # noqa: S102 - the text is this project's own
            assert np.array_equal(names[name], getattr(probe, name))


def test_terms_bounds_the_products_of_every_output_element() -> None:
    for case in SMOKE:
        bias = np.ones(case.filters) if case.use_bias else None
        pointwise = np.ones(case.pointwise_shape) if case.separable else None
        counts = compute(case, np.ones(case.in_layout(case.input_shape)), np.ones(case.kernel_shape), bias, pointwise)
        assert not counts.size or counts.max() <= probes.terms(case), case


def test_data_that_cannot_be_exact_are_a_fault_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_within_budget", lambda *_: False)
    with pytest.raises(probes.UntrustedCaseError, match="found no exact data"):
        probes.exact(SMOKE[0])


def test_result_is_exact_for_float64_beyond_what_float64_sums_would_show() -> None:
    case: Case = parse("conv2d-valid-in1x3x3x1-k3x3-f1-s1x1-float64-nobias-wide_input")
    probe = probes.exact(case)
    got = probes.exact_result(case, probe.x, probe.kernel, probe.bias)
    assert got.dtype == np.int64
    assert int(got[0, 0, 0, 0]) == sum(int(a) * int(b) for a, b in zip(probe.x.ravel(), probe.kernel.ravel(), strict=True))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_small_integers_of_narrow_types_do_not_cancel_by_chance(dtype: str) -> None:
    chance = parse(f"conv2d-same-in2x1x2x3-k3x4-f3-s1x2-{dtype}-nobias")
    for case in (chance, *(replace(case, dtype=dtype) for case in SMOKE[::3])):
        probe = probes.exact(case)
        check_trust(case, probes.exact_result(case, probe.x, probe.kernel, probe.bias, probe.pointwise))


def test_a_kernel_for_gradients_is_not_the_same_everywhere() -> None:
    """Of one output the input's gradient would be all alike, whatever else is drawn: these were drawn so at first."""
    for size in (2, 3, 4, 5):
        case = parse(f"conv1d-valid-in1x{size}x3-k2-f1-s4-channels_first-nobias-wide_input")
        probe = probes.exact_gradients(case)
        assert np.ptp(probe.kernel) > 0
        assert np.array_equal(probe.draws["kernel"].array(), probe.kernel)
