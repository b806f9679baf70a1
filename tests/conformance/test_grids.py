"""What a grid claims to hold, counted another way: by going through the cases, not through the code that made them."""

from __future__ import annotations

from itertools import combinations, pairwise, product

import pytest

from conformance.cases import Case
from conformance.contract import error_due
from conformance.grids import BOUNDS, FACTORS, GROUPS, LONG, Bounds, grid

Configuration = tuple[int, int, int, int, "int | None"]


def accepted_axes(bounds: Bounds, transposed: bool) -> set[Configuration]:
    """Every (size, kernel, stride, dilation, output_padding) within the bounds that Keras takes: not strides with dilation."""
    everything = product(*(range(1, most + 1) for most in (bounds.size, bounds.kernel, bounds.stride, bounds.dilation)))
    return {
        (n, k, s, d, p)
        for n, k, s, d in everything
        if s == 1 or d == 1
        for p in ([None, *range(s)] if transposed else [None])
    }  # fmt: skip


def axis(case: Case, number: int) -> Configuration:
    padding = None if case.output_padding is None else case.output_padding[number]
    return case.size[number], case.kernel_size[number], case.strides[number], case.dilation_rate[number], padding


def window_fits(configuration: Configuration) -> bool:
    n, k, _, d, _ = configuration
    return len(range(k * d - (d - 1))) <= n


def test_the_bounds_are_those_that_are_promised() -> None:
    assert BOUNDS["standard"] == Bounds(kernel=5, stride=4, dilation=3, size=9)
    assert BOUNDS["exhaustive"] == Bounds(kernel=7, stride=5, dilation=3, size=16)


@pytest.mark.parametrize(("name", "layer", "padding"), list(product(BOUNDS, ("conv2d", "conv2d_transpose"), ("valid", "same"))))
@pytest.mark.parametrize("number", [0, 1], ids=["height", "width"])
def test_every_axis_configuration_is_run_without_groups(name: str, layer: str, padding: str, number: int) -> None:
    cases = [case for case in grid(name) if (case.layer, case.padding, case.groups) == (layer, padding, 1)]
    wanted = accepted_axes(BOUNDS[name], transposed=layer == "conv2d_transpose")
    defined = {c for c in wanted if padding == "same" or layer == "conv2d_transpose" or window_fits(c)}
    # where a result is defined, in a case whose result is defined; where it is not, in a case that must be refused for this axis alone
    assert defined <= {axis(case, number) for case in cases if error_due(case) is None}
    refused = [case for case in cases if error_due(case) is not None]
    alone = {axis(case, number) for case in refused if padding == "same" or window_fits(axis(case, 1 - number))}
    assert wanted - defined <= alone


@pytest.mark.parametrize("name", BOUNDS)
def test_nothing_lies_outside_the_bounds(name: str) -> None:
    bounds = BOUNDS[name]
    for case in grid(name):
        assert max(case.size) <= bounds.size
        assert max(case.kernel_size) <= bounds.kernel
        assert max(case.strides) <= bounds.stride
        assert max(case.dilation_rate) <= bounds.dilation


@pytest.mark.parametrize("name", ["standard", "exhaustive"])
def test_nearly_all_cases_are_unlike_in_kernel_stride_and_size(name: str) -> None:
    cases = grid(name)
    strided = [case for case in cases if max(case.strides) > 1]
    assert sum(case.size[0] != case.size[1] for case in cases) > 0.99 * len(cases)
    assert sum(case.kernel_size[0] != case.kernel_size[1] for case in cases) > 0.85 * len(cases)
    assert sum(case.strides[0] != case.strides[1] for case in strided) > 0.90 * len(strided)


@pytest.mark.parametrize(("name", "layer"), list(product(("standard", "exhaustive"), ("conv2d", "conv2d_transpose"))))
def test_every_pair_of_values_occurs_beside_the_axes(name: str, layer: str) -> None:
    cases = [case for case in grid(name) if case.layer == layer and error_due(case) is None and str(case) not in LONG]
    groups = (1, *GROUPS) if layer == "conv2d" else (1,)
    factors = {**FACTORS, "groups": groups}

    def values(case: Case) -> dict[str, object]:
        return {
            "channels": case.channels // case.groups,
            "filters": case.filters // case.groups,
            "groups": case.groups,
            "batch": case.batch,
            "use_bias": case.use_bias,
            "data_format": case.data_format,
            "data": case.data,
        }

    seen = [values(case) for case in cases]
    for a, b in combinations(factors, 2):
        assert {(row[a], row[b]) for row in seen} == set(product(factors[a], factors[b])), (a, b)


@pytest.mark.parametrize("name", BOUNDS)
def test_strides_with_dilation_are_in_the_grid_to_be_refused(name: str) -> None:
    wanted = set(product(range(2, BOUNDS[name].stride + 1), range(2, BOUNDS[name].dilation + 1)))
    for layer, padding, across in product(("conv2d", "conv2d_transpose"), ("valid", "same"), (False, True)):
        seen = {
            (max(case.strides), max(case.dilation_rate))
            for case in grid(name)
            if (case.layer, case.padding) == (layer, padding)
            and across == all(s == 1 or d == 1 for s, d in zip(case.strides, case.dilation_rate, strict=True))
            and max(case.strides) > 1 < max(case.dilation_rate)
        }
        assert seen == wanted
        assert all(error_due(case) for case in grid(name) if max(case.strides) > 1 < max(case.dilation_rate))


@pytest.mark.parametrize("name", BOUNDS)
def test_output_paddings_not_below_their_stride_are_in_the_grid_to_be_refused(name: str) -> None:
    wanted = set(product((0, 1), range(1, BOUNDS[name].stride + 1), (0, 1)))
    for padding in ("valid", "same"):
        seen = {
            (number, case.strides[number], p - case.strides[number])
            for case in grid(name)
            if case.padding == padding and "output_padding" in (error_due(case) or "")
            for number, p in enumerate(case.output_padding or ())
            if p >= case.strides[number]
        }
        assert seen == wanted


@pytest.mark.parametrize("name", BOUNDS)
def test_cases_that_share_a_layer_stand_side_by_side(name: str) -> None:
    configurations = [case.configuration for case in grid(name)]
    changes = sum(a != b for a, b in pairwise(configurations))
    assert changes < 1.15 * len(set(configurations))


def test_no_case_has_two_causes_to_be_refused() -> None:
    for case in grid("standard"):
        if case.padding == "valid" and not case.transposed and "window" in (error_due(case) or ""):
            assert any(window_fits(axis(case, number)) for number in (0, 1)), case
