"""Depthwise and separable convolution: the loop, the fast form and the grouped convolution agree; gradients are what differences say."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from reference import all_taps, definition, depthwise_conv, separable_conv
from reference.arguments import Array
from reference.depthwise import depthwise_conv_gradients, separable_conv_gradients
from tests.reference.geometries import integers
from tests.reference.test_agreement import CONV

OPTIONS: list[dict[str, Any]] = [
    {"strides": s, "dilation_rate": d, "padding": padding, "data_format": data_format}
    for s, d, padding, data_format in product((1, 2, 3), (1, 2), ("valid", "same"), ("channels_last", "channels_first"))
]
SIZES = {1: (7,), 2: (7, 6), 3: (4, 5, 4)}
KERNELS = {1: (3,), 2: (3, 2), 3: (2, 3, 2)}


def operands(rng: np.random.Generator, rank: int, data_format: str, multiplier: int) -> tuple[Array, Array]:
    """An input of two items and three channels, and a depthwise kernel for it."""
    x = integers(rng, (2, *SIZES[rank], 3))
    return np.moveaxis(x, -1, 1) if data_format == "channels_first" else x, integers(rng, (*KERNELS[rank], 3, multiplier))


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("stretch", [1, 50, 1 << 16], ids="stretch{}".format)
def test_every_form_agrees_with_a_convolution_in_as_many_groups_as_channels(
    rank: int, multiplier: int, stretch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a stretch is: a row, some rows, everything."""
    monkeypatch.setattr(all_taps, "LONG", stretch)
    rng = np.random.default_rng(rank)
    for options in OPTIONS:
        x, kernel = operands(rng, rank, options["data_format"], multiplier)
        bias = integers(rng, (3 * multiplier,))
        expected = definition.depthwise_conv(x, kernel, bias, **options)
        got = depthwise_conv(x, kernel, bias, **options)
        assert got.dtype == expected.dtype
        assert np.array_equal(got, expected)
        row_by_row = kernel.reshape(*kernel.shape[:-2], 1, 3 * multiplier)
        for name, form in CONV.items():
            assert np.array_equal(form(x, row_by_row, bias, groups=3, **options), expected), name


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("multiplier", [1, 2])
def test_a_separable_convolution_is_one_with_the_product_of_its_kernels(rank: int, multiplier: int) -> None:
    """``kernel[t, c, f] = sum over q of depthwise[t, c, q] pointwise[c m + q, f]``."""
    rng = np.random.default_rng(rank)
    for options in OPTIONS:
        x, kernel = operands(rng, rank, options["data_format"], multiplier)
        pointwise, bias = integers(rng, (*(1,) * rank, 3 * multiplier, 4)), integers(rng, (4,))
        expected = definition.separable_conv(x, kernel, pointwise, bias, **options)
        assert np.array_equal(separable_conv(x, kernel, pointwise, bias, **options), expected)
        joined = np.einsum("...cq,cqf->...cf", kernel, pointwise.reshape(3, multiplier, 4))
        assert np.array_equal(definition.conv(x, joined, bias, **options), expected)


def test_by_hand() -> None:
    """Two channels, a kernel of two taps, two kernels a channel: filters 0 and 1 are of channel 0, filters 2 and 3 of channel 1."""
    x = np.array([[[1, 10], [2, 20], [3, 30]]])
    kernel = np.array([[[1, 2], [3, 4]], [[5, 6], [7, 8]]])  # (tap, channel, multiplier)
    first = [1 * 1 + 2 * 5, 1 * 2 + 2 * 6, 10 * 3 + 20 * 7, 10 * 4 + 20 * 8]
    second = [2 * 1 + 3 * 5, 2 * 2 + 3 * 6, 20 * 3 + 30 * 7, 20 * 4 + 30 * 8]
    assert depthwise_conv(x, kernel).tolist() == [[first, second]]
    pointwise = np.array([[[1, 0], [0, 1], [1, 0], [0, 2]]])
    assert separable_conv(x, kernel, pointwise, np.array([5, 6])).tolist() == [
        [[y[0] + y[2] + 5, y[1] + 2 * y[3] + 6] for y in (first, second)]
    ]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("stretch", [1, 50, 1 << 16], ids="stretch{}".format)
def test_every_derivative_is_the_difference_of_one_step(
    rank: int, options: dict[str, Any], stretch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The maps are linear in every operand: on integers the difference of one step is the derivative, exactly."""
    monkeypatch.setattr(all_taps, "LONG", stretch)
    rng = np.random.default_rng(rank)
    x, kernel = operands(rng, rank, options["data_format"], 2)
    pointwise = integers(rng, (*(1,) * rank, 6, 4))
    g_depthwise = integers(rng, depthwise_conv(x, kernel, **options).shape)
    g = integers(rng, separable_conv(x, kernel, pointwise, **options).shape)
    single = depthwise_conv_gradients(x, kernel, g_depthwise, **options)
    both = separable_conv_gradients(x, kernel, pointwise, g, **options)

    def depthwise_loss() -> int:
        return int((depthwise_conv(x, kernel, **options) * g_depthwise).sum())

    def loss() -> int:
        return int((separable_conv(x, kernel, pointwise, **options) * g).sum())

    for operand, of_depthwise, of_separable in (
        (x, single.x, both.x), (kernel, single.kernel, both.kernel), (pointwise, None, both.pointwise_kernel)
    ):  # fmt: skip
        assert of_separable is not None
        assert of_separable.shape == operand.shape
        for at in map(tuple, rng.integers(0, operand.shape, (8, operand.ndim))):
            before = depthwise_loss(), loss()
            operand[at] += 1
            after = depthwise_loss(), loss()
            operand[at] -= 1
            assert after[1] - before[1] == of_separable[at]
            if of_depthwise is not None:
                assert after[0] - before[0] == of_depthwise[at]
    channel = 1 if options["data_format"] == "channels_first" else -1
    assert np.array_equal(both.bias, np.moveaxis(g, channel, -1).reshape(-1, 4).sum(axis=0))
    assert np.array_equal(single.bias, np.moveaxis(g_depthwise, channel, -1).reshape(-1, 6).sum(axis=0))


@pytest.mark.parametrize("form", [depthwise_conv, definition.depthwise_conv])
def test_bad_arguments_of_a_depthwise_convolution(form: Any) -> None:
    x, kernel = np.ones((1, 4, 4, 3)), np.ones((2, 2, 3, 2))
    with pytest.raises(ValueError, match=r"the input has 3 channels, but the kernel \(2, 2, 2, 2\) takes 2"):
        form(x, np.ones((2, 2, 2, 2)))
    with pytest.raises(ValueError, match=r"the bias must have shape \(6,\)"):
        form(x, kernel, np.ones(3))
    with pytest.raises(ValueError, match=r"^padding must be one of valid, same, got 'causal'$"):
        form(x[:, 0], kernel[0], padding="causal")
    with pytest.raises(ValueError, match="a valid window of 5 elements is larger than its input of 4"):
        form(x, kernel, dilation_rate=4)


@pytest.mark.parametrize("form", [separable_conv, definition.separable_conv])
@pytest.mark.parametrize("shape", [(6, 4), (1, 6, 4), (1, 1, 5, 4), (1, 2, 6, 4), (1, 1, 6, 0)])
def test_a_pointwise_kernel_of_another_shape_is_refused(form: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"the pointwise kernel must have shape \(1, 1, 6, filters\), got "):
        form(np.ones((1, 4, 4, 3)), np.ones((2, 2, 3, 2)), np.ones(shape))


def test_an_upstream_gradient_of_another_shape_is_refused() -> None:
    x, kernel = np.ones((1, 4, 4, 3)), np.ones((2, 2, 3, 2))
    with pytest.raises(ValueError, match=r"the upstream gradient must have the output's shape \(1, 3, 3, 6\)"):
        depthwise_conv_gradients(x, kernel, np.ones((1, 3, 3, 5)))
    with pytest.raises(ValueError, match=r"the upstream gradient must have the output's shape \(1, 3, 3, 5\)"):
        separable_conv_gradients(x, kernel, np.ones((1, 1, 6, 5)), np.ones((1, 3, 3, 6)))
