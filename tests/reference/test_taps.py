"""The fast form's short cuts change nothing: stretches of rows, windows side by side, stamps, joined rows."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from reference import definition, gradients, taps
from reference.arguments import Array
from reference.geometry import convolution_axis, stretches, transposed_axis
from tests.reference.geometries import counts, geometries, integers

SHORT_CUTS = [(few, stretch) for few in (0, 100) for stretch in (1, 50, 1 << 16)]
"""Channels that count as few (none, all), and how long a stretch is: a row, some rows, everything."""


@pytest.fixture(params=SHORT_CUTS, ids=lambda value: f"few{value[0]}-stretch{value[1]}")
def _short_cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taps, "FEW", request.param[0])
    monkeypatch.setattr(taps, "STRETCH", request.param[1])
    monkeypatch.setattr(taps, "MANY_STAMPS", 10 * request.param[1])  # an element has a stamp for each tap and filter


@pytest.mark.usefixtures("_short_cut")
@pytest.mark.parametrize("transposed", [False, True])
def test_every_short_cut_is_the_definition(transposed: bool) -> None:
    slow, fast = (definition.conv_transpose, taps.conv_transpose) if transposed else (definition.conv, taps.conv)
    compared = 0
    for geometry in geometries("smoke", transposed):
        if geometry.error:
            continue
        x, kernel = geometry.operands(channels=2, filters=2, batch=2)
        expected, got = slow(x, kernel, **geometry.options()), fast(x, kernel, **geometry.options())
        assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
        assert np.array_equal(got, expected), geometry
        compared += 1
    assert compared == counts("smoke", transposed)[0]


@pytest.mark.usefixtures("_short_cut")
@pytest.mark.parametrize(("groups", "in_group", "out_of_group"), [(1, 2, 3), (2, 2, 3), (3, 1, 2), (4, 1, 1)])
def test_short_cuts_change_no_gradient(groups: int, in_group: int, out_of_group: int) -> None:
    """Linear in each operand: a gradient times a direction is what the direction does to the definition's result."""
    rng = np.random.default_rng(groups)
    x, kernel = integers(rng, (2, 6, 5, in_group * groups)), integers(rng, (3, 2, in_group, out_of_group * groups))
    for padding, strides, dilation_rate in [("same", (1, 1), (1, 2)), ("valid", (2, 1), (1, 1)), ("same", (2, 3), (1, 1))]:

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
