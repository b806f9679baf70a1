"""Gradients are what differences say. Both maps are linear, so on integers a difference of one step is the derivative, exactly."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from conformance.cases import Case, parse
from conformance.contract import compute, error_due, output_shape
from conformance.grids import grid
from reference import conv
from reference.arguments import Array
from reference.gradients import Gradients, conv_gradients, conv_transpose_gradients


def gradients(case: Case, x: Array, kernel: Array, upstream: Array) -> Gradients:
    arguments: dict[str, Any] = {
        "strides": case.strides,
        "padding": case.padding,
        "dilation_rate": case.dilation_rate,
        "data_format": case.data_format,
    }
    if case.transposed:
        return conv_transpose_gradients(x, kernel, upstream, output_padding=case.output_padding, **arguments)
    return conv_gradients(x, kernel, upstream, groups=case.groups, **arguments)


def small(case: Case) -> Case:
    """The same geometry with so few channels that every derivative can be asked for one by one."""
    groups = case.groups
    return replace(
        case,
        input_shape=(min(case.batch, 2), *case.size, min(case.channels // groups, 2) * groups),
        filters=min(case.filters // groups, 2) * groups,
    )


def integers(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.integers(-9, 10, shape)


@pytest.mark.parametrize("layer", ["conv2d", "conv2d_transpose"])
def test_every_derivative_is_the_difference_of_one_step(layer: str) -> None:
    cases = [small(case) for case in grid("smoke") if case.layer == layer and error_due(case) is None]
    assert len(cases) > 100
    for number, case in enumerate(cases):
        rng = np.random.default_rng(number)
        x, kernel = integers(rng, case.in_layout(case.input_shape)), integers(rng, case.kernel_shape)
        upstream = integers(rng, output_shape(case))
        found = gradients(case, x, kernel, upstream)
        loss = int((compute(case, x, kernel, None) * upstream).sum())
        for operand, gradient in ((x, found.x), (kernel, found.kernel)):
            assert gradient.shape == operand.shape
            for at in map(tuple, rng.integers(0, operand.shape, (6, operand.ndim))):
                stepped = operand.copy()
                stepped[at] += 1
                pair = (stepped, kernel) if operand is x else (x, stepped)
                assert int((compute(case, *pair, None) * upstream).sum()) - loss == gradient[at], (case, at)
        bias = np.zeros(case.filters, int)
        for f in range(case.filters):
            bias[f] = 1
            assert int((compute(case, x, kernel, bias) * upstream).sum()) - loss == found.bias[f]
            bias[f] = 0


@pytest.mark.parametrize("layer", ["conv2d", "conv2d_transpose"])
def test_gradients_are_adjoint_over_the_standard_grid(layer: str) -> None:
    """``<g, conv(x, w)> = <dx, x> = <dw, w>``: the map is linear in either operand, so each pairing gives the loss itself."""
    checked = 0
    for number, case in enumerate(case for case in grid("standard") if case.layer == layer and error_due(case) is None):
        rng = np.random.default_rng(number)
        x, kernel = integers(rng, case.in_layout(case.input_shape)), integers(rng, case.kernel_shape)
        upstream = integers(rng, output_shape(case))
        found = gradients(case, x, kernel, upstream)
        loss = (compute(case, x, kernel, None) * upstream).sum()
        assert (found.x * x).sum() == loss == (found.kernel * kernel).sum(), case
        checked += 1
    assert checked == sum(case.layer == layer and error_due(case) is None for case in grid("standard"))


@pytest.mark.parametrize(("padding", "groups"), list(product(("valid", "same"), (1, 2))))
def test_three_axes_and_one(padding: str, groups: int) -> None:
    rng = np.random.default_rng(0)
    for size in ((5,), (4, 3, 5)):
        x, kernel = integers(rng, (2, *size, 2 * groups)), integers(rng, (*(2,) * len(size), 2, 3 * groups))
        y = conv(x, kernel, strides=2, padding=padding, groups=groups)
        g = integers(rng, y.shape)
        found = conv_gradients(x, kernel, g, strides=2, padding=padding, groups=groups)
        assert (found.x * x).sum() == (y * g).sum() == (found.kernel * kernel).sum()
        assert (found.bias == g.sum(axis=tuple(range(g.ndim - 1)))).all()


def test_an_upstream_gradient_of_another_shape_is_refused() -> None:
    case = parse("conv2d-same-in1x3x3x1-k1x1-f2-s1x1")
    with pytest.raises(ValueError, match=r"must have the output's shape \(1, 3, 3, 2\), got \(1, 3, 3, 1\)"):
        gradients(case, np.ones((1, 3, 3, 1)), np.ones((1, 1, 1, 2)), np.ones((1, 3, 3, 1)))
