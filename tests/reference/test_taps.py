"""The fast form's short cuts change nothing: stretches, windows side by side, stamps, phases, axes that are turned, joined rows."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from reference import all_taps, definition, gradients, taps
from reference.arguments import Array
from reference.geometry import Axis, convolution_axis, stretches, transposed_axis
from tests.reference.geometries import counts, geometries, integers

SHORT_CUTS = [(few, stretch) for few in (0, 4, 100) for stretch in (1, 50, 1 << 16)]
"""Channels that count as few (none, up to three, all), and how long a stretch is: a row, some rows, everything."""


@pytest.fixture(params=SHORT_CUTS, ids=lambda value: f"few{value[0]}-stretch{value[1]}")
def _short_cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taps, "FEW", request.param[0])
    monkeypatch.setattr(taps, "STRETCH", request.param[1])
    monkeypatch.setattr(all_taps, "STRETCH", request.param[1])
    monkeypatch.setattr(all_taps, "MANY", 10 * request.param[1])  # an element has a stamp for each tap and filter
    monkeypatch.setattr(all_taps, "LONG", request.param[1])
    monkeypatch.setattr(all_taps, "SMALL", 100 * request.param[1])  # of multiplications a stretch has more than of elements


@pytest.mark.usefixtures("_short_cut")
@pytest.mark.parametrize(("channels", "filters"), [(2, 2), (2, 4), (4, 2)])
@pytest.mark.parametrize("transposed", [False, True])
def test_every_short_cut_is_the_definition(transposed: bool, channels: int, filters: int) -> None:
    slow, fast = (definition.conv_transpose, taps.conv_transpose) if transposed else (definition.conv, taps.conv)
    compared = 0
    for geometry in geometries("smoke", transposed):
        if geometry.error:
            continue
        x, kernel = geometry.operands(channels=channels, filters=filters, batch=2)
        expected, got = slow(x, kernel, **geometry.options()), fast(x, kernel, **geometry.options())
        assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
        assert np.array_equal(got, expected), geometry
        compared += 1
    assert compared == counts("smoke", transposed)[0]


@pytest.mark.usefixtures("_short_cut")
@pytest.mark.parametrize(("groups", "in_group", "out_of_group"), [(1, 2, 3), (1, 2, 5), (1, 5, 2), (2, 2, 3), (3, 1, 2), (4, 1, 1)])
def test_short_cuts_change_no_gradient(groups: int, in_group: int, out_of_group: int) -> None:
    """Linear in each operand: a gradient times a direction is what the direction does to the definition's result."""
    rng = np.random.default_rng(groups)
    x, kernel = integers(rng, (2, 6, 5, in_group * groups)), integers(rng, (3, 2, in_group, out_of_group * groups))
    geometries = [
        ("same", (1, 1), (1, 2)),
        ("valid", (1, 1), (1, 1)),
        ("valid", (2, 1), (1, 1)),
        ("same", (2, 3), (1, 1)),
        ("same", (2, 2), (2, 3)),
    ]
    for padding, strides, dilation_rate in geometries:

        def defined(x: Array, kernel: Array) -> Array:
            return definition.conv(x, kernel, strides=strides, padding=padding, dilation_rate=dilation_rate, groups=groups)  # noqa: B023

        y = taps.conv(x, kernel, strides=strides, padding=padding, dilation_rate=dilation_rate, groups=groups)
        assert np.array_equal(y, defined(x, kernel))
        g = integers(rng, y.shape)
        found = gradients.conv_gradients(x, kernel, g, strides=strides, padding=padding, dilation_rate=dilation_rate, groups=groups)
        dx, dw = integers(rng, x.shape), integers(rng, kernel.shape)
        assert np.sum(found.x * dx) == np.sum(g * defined(dx, kernel))
        assert np.sum(found.kernel * dw) == np.sum(g * defined(x, dw))


@pytest.mark.usefixtures("_short_cut")
def test_a_kernel_may_reach_far_beyond_its_image() -> None:
    """All windows of a phase can lie outside: of two taps 17 apart, on a phase of three pixels, each stands beyond one end."""
    rng = np.random.default_rng(0)
    for size, kernel_size, strides, dilation_rate in product((1, 3, 4), (1, 2, 3), (1, 2, 3), (1, 9, 13, 17, 25)):
        for padding, (channels, filters) in product(("same", "valid"), ((2, 5), (5, 2))):
            x, kernel = integers(rng, (1, size, channels)), integers(rng, (kernel_size, filters, channels))
            options: dict[str, Any] = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
            assert np.array_equal(taps.conv_transpose(x, kernel, **options), definition.conv_transpose(x, kernel, **options))


@pytest.mark.usefixtures("_short_cut")
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_an_infinite_weight_meets_nothing_outside(value: float) -> None:
    """What lies outside is absent, and not a zero, which times infinity would be NaN."""
    x, kernel = np.ones((1, 4, 4, 1)), np.ones((3, 3, 1, 1))
    kernel[0, 2] = value
    for padding, strides in product(("same", "valid"), (1, 2)):
        expected = definition.conv(x, kernel, padding=padding, strides=strides)
        assert np.array_equal(taps.conv(x, kernel, padding=padding, strides=strides), expected, equal_nan=True)
        assert padding == "valid" or np.isfinite(expected).any()
        expected = definition.conv_transpose(x, kernel, padding=padding, strides=strides)
        assert np.array_equal(taps.conv_transpose(x, kernel, padding=padding, strides=strides), expected, equal_nan=True)
        for each in (1, 2):  # filters of a channel that is on its own
            wide, rows = np.ones((1, 4, 4, 2)), np.repeat(kernel, 2 * each, axis=-1)
            expected = definition.conv(wide, rows, padding=padding, strides=strides, groups=2)
            assert np.array_equal(taps.conv(wide, rows, padding=padding, strides=strides, groups=2), expected, equal_nan=True)


@pytest.mark.usefixtures("_short_cut")
@pytest.mark.parametrize(("groups", "in_group", "out_of_group"), [(1, 2, 3), (1, 2, 5), (1, 5, 2), (2, 2, 3), (3, 1, 2), (4, 1, 1)])
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_an_infinite_number_meets_no_weight_that_is_not_its_own(value: float, groups: int, in_group: int, out_of_group: int) -> None:
    """The kernel's gradient, tap by tap: what lies outside is absent on either side, and not a zero."""
    for (row, column), padding, strides, dilation_rate in product(((0, 0), (2, 3)), ("same", "valid"), (1, 2), (1, 2)):
        options: dict[str, Any] = {"padding": padding, "strides": strides, "dilation_rate": dilation_rate, "groups": groups}
        x, kernel = np.ones((1, 6, 5, in_group * groups)), np.ones((3, 2, in_group, out_of_group * groups))
        g: Array = np.ones(taps.conv(x, kernel, **options).shape)
        sides: tuple[Array, Array] = (x, g)
        for one in sides:
            if row >= one.shape[1] or column >= one.shape[2]:
                continue
            one[0, row, column, -1] = value
            expected = np.zeros(kernel.shape)
            down, across = (convolution_axis(n, k, strides, dilation_rate, padding) for n, k in ((6, 3), (5, 2)))
            for (p, i, j), (q, c, b) in product(_joined(down), _joined(across)):
                for group in range(groups):
                    ins, outs = slice(group * in_group, (group + 1) * in_group), slice(group * out_of_group, (group + 1) * out_of_group)
                    expected[p, q, :, outs] += np.outer(x[0, j, b, ins], g[0, i, c, outs])
            assert np.array_equal(gradients.conv_gradients(x, kernel, g, **options).kernel, expected, equal_nan=True)
            one[0, row, column, -1] = 1


def _joined(axis: Axis) -> list[tuple[int, int, int]]:
    """Relation (1) tried for every tap and both indices."""
    tried = ((t, i, i * axis.stride + t * axis.dilation - axis.before) for t in range(axis.kernel) for i in range(axis.small))
    return [(t, i, j) for t, i, j in tried if 0 <= j < axis.big]


@pytest.mark.parametrize("size", [1, 5, 9])
def test_stretches_are_the_axis_in_pieces(size: int) -> None:
    """All joined pairs of indices, each once, whatever the length of a stretch."""
    second = convolution_axis(4, 3, 1, 1, "same")
    for axis in (
        convolution_axis(size, 3, 2, 1, "same"),
        convolution_axis(size, 2, 1, 3, "same"),
        transposed_axis(size, 4, 3, 1, "same", 1),
    ):
        whole = {
            (tap.tap, i, j) for tap in axis.taps() for i, j in zip(range(axis.small)[tap.small], range(axis.big)[tap.big], strict=True)
        }
        for most in (0, 1, 7, 8, 1000):
            pieces: list[tuple[int, int, int]] = []
            covered: list[int] = []
            for rows, (part, other) in stretches((axis, second), most):
                assert other == second
                assert part.small * second.small <= max(most, second.small)
                covered += range(axis.small)[rows]
                for tap in part.taps():
                    here = range(axis.small)[rows][tap.small]
                    pieces += [(tap.tap, i, j) for i, j in zip(here, range(axis.big)[tap.big], strict=True)]
            assert covered == list(range(axis.small))
            assert sorted(pieces) == sorted(whole)
            lengths = [part.small for _, (part,) in stretches((axis,), most)]
            assert lengths[0] == min(max(most, 1), axis.small)  # as long as may be, and all alike but the last
            assert set(lengths[:-1]) <= {lengths[0]}
