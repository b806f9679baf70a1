"""What a grid claims to hold, counted another way: by going through the cases, not through the code that made them."""

from __future__ import annotations

from itertools import combinations, pairwise, product

import pytest

from conformance.cases import LAYERS, Case, parse
from conformance.contract import error_due
from conformance.grids import BOUNDS, FAMILY, GROUPS, LONG, SAMPLES, TWO_AXES, Bounds, factors, grid, networks

Configuration = tuple[int, int, int, int, "int | None"]


LAYERS_OF = {name: {**dict.fromkeys(TWO_AXES, BOUNDS[name]), **FAMILY[name]} for name in BOUNDS}
"""The layers of every grid and their bounds."""
PARTS = [(name, layer, padding) for name in BOUNDS for layer in LAYERS_OF[name] for padding in LAYERS[layer].paddings]


def accepted_axes(bounds: Bounds, layer: str) -> set[Configuration]:
    """Every (size, kernel, stride, dilation, output_padding) within the bounds that Keras takes: strides with dilation of some."""
    everything = product(*(range(1, most + 1) for most in (bounds.size, bounds.kernel, bounds.stride, bounds.dilation)))
    kind = LAYERS[layer]
    return {
        (n, k, s, d, p)
        for n, k, s, d in everything
        if s == 1 or d == 1 or kind.depthwise or kind.separable
        for p in ([None, *range(s)] if kind.transposed else [None])
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


def test_every_layer_is_in_the_full_grids() -> None:
    assert set(LAYERS_OF["standard"]) == set(LAYERS_OF["exhaustive"]) == set(LAYERS)
    for name in LAYERS_OF:
        assert {case.layer for case in grid(name)} == set(LAYERS)


def test_smoke_has_samples_of_the_layers_that_are_not_of_two_axes() -> None:
    assert set(LAYERS_OF["smoke"]) == set(TWO_AXES)
    samples = [parse(text) for text in SAMPLES]
    assert [str(case) for case in samples] == list(SAMPLES)
    assert {case for case in grid("smoke") if case.layer not in TWO_AXES} == set(samples)
    for layer in set(LAYERS) - set(TWO_AXES):
        mine = [case for case in samples if case.layer == layer]
        defined = [case for case in mine if error_due(case) is None]
        assert {case.padding for case in defined} == set(LAYERS[layer].paddings), layer
        assert {case.data_format for case in defined} == {"channels_last", "channels_first"}, layer
        assert any(case.batch > 1 for case in defined), layer
        assert any(max(case.strides) > 1 for case in defined), layer
        assert any(max(case.dilation_rate) > 1 for case in defined), layer
        if LAYERS[layer].rank > 1:
            assert all(len(set(case.size)) > 1 or len(set(case.kernel_size)) > 1 for case in mine), layer
        if LAYERS[layer].multiplied:
            assert any(case.depth_multiplier > 1 for case in defined), layer
        if LAYERS[layer].transposed:
            assert {case.output_padding is None for case in defined} == {False, True}, layer


@pytest.mark.parametrize(("name", "layer", "padding"), PARTS)
def test_every_axis_configuration_is_run_in_every_position_without_groups(name: str, layer: str, padding: str) -> None:
    cases = [case for case in grid(name) if (case.layer, case.padding, case.groups) == (layer, padding, 1)]
    wanted = accepted_axes(LAYERS_OF[name][layer], layer)
    defined = {c for c in wanted if padding != "valid" or LAYERS[layer].transposed or window_fits(c)}
    rank = LAYERS[layer].rank
    for number in range(rank):
        # where a result is defined, in a case whose result is defined; where it is not, in a case that is refused for this axis alone
        assert defined <= {axis(case, number) for case in cases if error_due(case) is None}
        refused = [case for case in cases if error_due(case) is not None]
        others = [other for other in range(rank) if other != number]
        alone = {axis(case, number) for case in refused if all(padding != "valid" or window_fits(axis(case, other)) for other in others)}
        assert wanted - defined <= alone


@pytest.mark.parametrize("layer", ["depthwise_conv2d", "separable_conv2d"])
@pytest.mark.parametrize("name", FAMILY)
def test_every_strided_axis_of_a_depthwise_layer_is_also_run_with_the_stride_on_both_axes(name: str, layer: str) -> None:
    if layer not in LAYERS_OF[name]:
        assert name == "smoke"
        return
    for padding, number in product(LAYERS[layer].paddings, (0, 1)):
        wanted = {c for c in accepted_axes(LAYERS_OF[name][layer], layer) if c[2] > 1 and (padding == "same" or window_fits(c))}
        cases = [case for case in grid(name) if (case.layer, case.padding) == (layer, padding) and error_due(case) is None]
        alike = {axis(case, number) for case in cases if case.strides[0] == case.strides[1] and case.kernel_size[0] != case.kernel_size[1]}
        assert wanted <= alike


@pytest.mark.parametrize("name", BOUNDS)
def test_nothing_lies_outside_the_bounds(name: str) -> None:
    for case in grid(name):
        bounds = LAYERS_OF[name].get(case.layer, BOUNDS[name])
        assert max(case.size) <= bounds.size
        assert max(case.kernel_size) <= max(bounds.kernel, 3)  # what is refused for its output padding has a kernel of 3
        assert max(case.strides) <= bounds.stride
        assert max(case.dilation_rate) <= bounds.dilation


@pytest.mark.parametrize("name", ["standard", "exhaustive"])
def test_nearly_all_cases_are_unlike_in_kernel_stride_and_size(name: str) -> None:
    cases = [case for case in grid(name) if case.layer in TWO_AXES]
    strided = [case for case in cases if max(case.strides) > 1]
    assert sum(case.size[0] != case.size[1] for case in cases) > 0.99 * len(cases)
    assert sum(case.kernel_size[0] != case.kernel_size[1] for case in cases) > 0.85 * len(cases)
    assert sum(case.strides[0] != case.strides[1] for case in strided) > 0.90 * len(strided)


@pytest.mark.parametrize("name", ["standard", "exhaustive"])
def test_nearly_all_cases_of_three_axes_have_unlike_kernels(name: str) -> None:
    cases = [case for case in grid(name) if LAYERS[case.layer].rank == 3 and error_due(case) is None]
    assert sum(len(set(case.kernel_size)) == 3 for case in cases) > 0.75 * len(cases)
    assert sum(len(set(case.size)) > 1 for case in cases) > 0.95 * len(cases)


@pytest.mark.parametrize(("name", "layer"), [(name, layer) for name in ("standard", "exhaustive") for layer in LAYERS])
def test_every_pair_of_values_occurs_beside_the_axes(name: str, layer: str) -> None:
    cases = [case for case in grid(name) if case.layer == layer and error_due(case) is None and str(case) not in LONG]
    wanted = {**factors(layer), "groups": (1, *GROUPS) if LAYERS[layer].plain else (1,)}

    def values(case: Case) -> dict[str, object]:
        return {
            "channels": case.channels // case.groups,
            "filters": case.filters // case.groups,
            "groups": case.groups,
            "batch": case.batch,
            "use_bias": case.use_bias,
            "data_format": case.data_format,
            "data": case.data,
            "depth_multiplier": case.depth_multiplier,
        }

    seen = [values(case) for case in cases]
    for a, b in combinations(wanted, 2):
        assert {(row[a], row[b]) for row in seen} == set(product(wanted[a], wanted[b])), (a, b)


@pytest.mark.parametrize(("name", "layer", "padding"), PARTS)
def test_strides_with_dilation_are_in_the_grid_to_be_refused(name: str, layer: str, padding: str) -> None:
    """On one axis and across two; the layers that compute them are not to refuse them."""
    bounds = LAYERS_OF[name][layer]
    wanted = set(product(range(2, bounds.stride + 1), range(2, bounds.dilation + 1)))
    cases = [
        case for case in grid(name) if (case.layer, case.padding) == (layer, padding) and max(case.strides) > 1 < max(case.dilation_rate)
    ]
    assert {"strides" in (error_due(case) or "") for case in cases} == {not LAYERS[layer].multiplied}
    for across in (False, True) if LAYERS[layer].rank > 1 and not LAYERS[layer].multiplied else (False,):
        seen = {
            (max(case.strides), max(case.dilation_rate))
            for case in cases
            if across == all(s == 1 or d == 1 for s, d in zip(case.strides, case.dilation_rate, strict=True))
        }
        assert seen == wanted


@pytest.mark.parametrize(("name", "layer", "padding"), [part for part in PARTS if LAYERS[part[1]].transposed])
def test_output_paddings_not_below_their_stride_are_in_the_grid_to_be_refused(name: str, layer: str, padding: str) -> None:
    wanted = set(product(range(LAYERS[layer].rank), range(1, LAYERS_OF[name][layer].stride + 1), (0, 1)))
    seen = {
        (number, case.strides[number], p - case.strides[number])
        for case in grid(name)
        if (case.layer, case.padding) == (layer, padding) and "output_padding" in (error_due(case) or "")
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
            assert sum(not window_fits(axis(case, number)) for number in range(case.rank)) == 1, case


def test_known_networks_are_cases_with_results_and_sources() -> None:
    known = networks()
    assert [network.name for network in known] == [
        "ResNet50", "MobileNetV2", "EfficientNetB0", "Xception", "U-Net", "DCGAN generator", "FCN-32s decoder",
    ]  # fmt: skip
    for network in known:
        assert "arXiv:" in network.source
        assert len(set(network.cases)) == len(network.cases) > 2
        assert all(error_due(case) is None for case in network.cases)
    # first layers, as their papers have them
    first = {network.name: network.cases[0] for network in known}
    assert (first["ResNet50"].kernel_size, first["ResNet50"].strides, first["ResNet50"].filters) == ((7, 7), (2, 2), 64)
    assert (first["U-Net"].size, first["U-Net"].padding) == ((572, 572), "valid")
    assert known[-1].cases[-1].kernel_size == (64, 64)
    assert known[-1].cases[-1].strides == (32, 32)
    assert set(grid("models")) == {case for network in known for case in network.cases}
