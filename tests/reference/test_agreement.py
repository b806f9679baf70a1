"""Unlike derivations of one thing agree exactly: same shape, same type, every element equal, over every geometry of the grid.

The counts are asserted, so that a geometry that is silently left out fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from itertools import combinations, product
from math import prod
from typing import Any

import numpy as np
import pytest

from reference import convolution_matrix, definition, kronecker, overlap_add, taps, zero_insertion
from reference.arguments import Array
from reference.geometry import convolution_axis, convolution_size, transposed_axis
from tests.reference.geometries import Geometry, counts, geometries, integers

Form = Callable[..., Array]

CONV: dict[str, Form] = {
    "definition": definition.conv,
    "taps": taps.conv,
    "matrix": convolution_matrix.conv,
    "sparse matrix": partial(convolution_matrix.conv, sparse=True),
    "overlap-add": overlap_add.conv,
    "padded window": zero_insertion.conv,
}
TRANSPOSED: dict[str, Form] = {
    "definition": definition.conv_transpose,
    "taps": taps.conv_transpose,
    "matrix": convolution_matrix.conv_transpose,
    "sparse matrix": partial(convolution_matrix.conv_transpose, sparse=True),
    "overlap-add": overlap_add.conv_transpose,
    "zero insertion": zero_insertion.conv_transpose,
}


def result(form: Form, geometry: Geometry, x: Array, kernel: Array) -> Array | str:
    """What a form gives for a geometry: the array, or the message of its ValueError."""
    try:
        return form(x, kernel, **geometry.options())
    except ValueError as error:
        return str(error)


def equal(one: Array | str, other: Array | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str) and one == other
    return one.shape == other.shape and one.dtype == other.dtype and np.array_equal(one, other)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("grid", ["smoke", "standard"])
def test_all_forms_agree_pairwise_over_the_grid(grid: str, transposed: bool, agreed: Callable[[str], None]) -> None:
    forms = TRANSPOSED if transposed else CONV
    given, refused = counts(grid, transposed)
    agreements: Counter[tuple[str, str]] = Counter()
    kinds: Counter[bool] = Counter()
    wrong = []
    for geometry in geometries(grid, transposed):
        x, kernel = geometry.operands(channels=2, filters=1)
        results = {name: result(form, geometry, x, kernel) for name, form in forms.items()}
        kinds[isinstance(results["definition"], str)] += 1
        assert (results["definition"] if geometry.error else None) == geometry.error
        for pair in combinations(forms, 2):
            if equal(results[pair[0]], results[pair[1]]):
                agreements[pair] += 1
            else:
                wrong.append((*pair, geometry))
    assert not wrong, f"{len(wrong)} disagreements, the first: {wrong[0]}"
    assert (kinds[False], kinds[True]) == (given, refused)
    assert agreements == dict.fromkeys(combinations(forms, 2), given + refused)
    name = "conv_transpose" if transposed else "conv"
    agreed(
        f"{name}, {grid} grid: {given} geometries equal and {refused} refused alike, in each of the {len(agreements)} pairs of"
        f" {len(forms)} forms"
    )


def test_all_forms_agree_on_causal_padding(agreed: Callable[[str], None]) -> None:
    """Over one axis, within the bounds of the standard grid; and no output sees what comes after its own element."""
    axes = list(product(range(1, 10), range(1, 6), range(1, 5), range(1, 4)))
    for n, k, s, d in axes:
        rng = np.random.default_rng(n)
        x, kernel = integers(rng, (1, n, 2)), integers(rng, (k, 2, 1))
        results = {name: form(x, kernel, strides=s, dilation_rate=d, padding="causal") for name, form in CONV.items()}
        for one, other in combinations(results, 2):
            assert equal(results[one], results[other]), (one, other, n, k, s, d)
        for i in range(results["definition"].shape[1]):
            blind = x.copy()
            blind[:, i * s + 1 :] = 0
            y = definition.conv(blind, kernel, strides=s, dilation_rate=d, padding="causal")
            assert np.array_equal(y[:, i], results["definition"][:, i])
    agreed(f"conv, causal: {len(axes)} geometries of one axis equal in all forms")


@pytest.mark.parametrize("form", CONV)
def test_causal_padding_is_for_one_axis(form: str) -> None:
    with pytest.raises(ValueError, match=r"^padding must be one of valid, same, got 'causal'$"):
        CONV[form](np.ones((1, 2, 2, 1)), np.ones((1, 1, 1, 1)), padding="causal")


def test_kronecker_form_agrees_where_it_exists_and_declines_where_not(agreed: Callable[[str], None]) -> None:
    equals = declines = 0
    for geometry in geometries("standard", transposed=True):
        x, kernel = geometry.operands()
        expected = taps.conv_transpose(x, kernel, **geometry.options())
        blocks = tuple(n * s for n, s in zip(geometry.size, geometry.strides, strict=True))
        solid = all(k == 1 or d == 1 for k, d in zip(geometry.kernel_size, geometry.dilation_rate, strict=True))
        got = result(kronecker.conv_transpose, geometry, x, kernel)
        if geometry.kernel_size == geometry.strides and solid and expected.shape[1:-1] == blocks:
            assert equal(got, expected), geometry
            equals += 1
        else:
            assert isinstance(got, str)
            assert got.startswith("the Kronecker form"), geometry
            declines += 1
    assert equals + declines == sum(counts("standard", transposed=True))
    assert min(equals, declines) > 0
    agreed(f"conv_transpose, standard grid: {equals} geometries equal to the Kronecker form, which declines the other {declines}")


def test_kronecker_form_is_the_kronecker_product() -> None:
    rng = np.random.default_rng(0)
    x, kernel = integers(rng, (2, 3)), integers(rng, (4, 5))
    y = kronecker.conv_transpose(x[None, ..., None], kernel[..., None, None], strides=(4, 5))
    assert np.array_equal(y[0, ..., 0], np.kron(x, kernel))


LAYOUTS = list(product((1, 2, 3), ("valid", "same"), ("channels_last", "channels_first"), (True, False)))


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_conv_forms_agree_in_every_rank_layout_and_grouping(groups: int, agreed: Callable[[str], None]) -> None:
    rng = np.random.default_rng(groups)
    for rank, padding, data_format, with_bias in LAYOUTS:
        size, kernel_size = (5, 4, 3)[:rank], (2, 3, 2)[:rank]
        strides, dilation = (2, 1, 1)[:rank], (1, 1, 2)[:rank]
        channels, filters = 2 * groups, 3 * groups
        x = integers(rng, (2, *size, channels) if data_format == "channels_last" else (2, channels, *size))
        kernel = integers(rng, (*kernel_size, 2, filters))
        bias = integers(rng, (filters,)) if with_bias else None
        options: dict[str, Any] = {"strides": strides, "dilation_rate": dilation, "padding": padding, "groups": groups}
        results = {name: form(x, kernel, bias, **options, data_format=data_format) for name, form in CONV.items()}
        assert results["definition"].shape[1 if data_format == "channels_first" else -1] == filters
        for one, other in combinations(results, 2):
            assert equal(results[one], results[other]), (one, other, rank, padding, data_format)
    agreed(f"conv, {groups} group(s): {len(LAYOUTS)} combinations of rank, padding, data format and bias equal in all forms")


def test_transposed_forms_agree_in_every_rank_and_layout(agreed: Callable[[str], None]) -> None:
    rng = np.random.default_rng(0)
    for rank, padding, data_format, with_bias in LAYOUTS:
        size, kernel_size = (3, 4, 2)[:rank], (2, 3, 2)[:rank]
        strides, dilation = (2, 1, 3)[:rank], (1, 2, 1)[:rank]
        x = integers(rng, (2, *size, 2) if data_format == "channels_last" else (2, 2, *size))
        kernel = integers(rng, (*kernel_size, 3, 2))
        bias = integers(rng, (3,)) if with_bias else None
        for output_padding in (None, (1, 0, 2)[:rank]):
            options: dict[str, Any] = {"strides": strides, "dilation_rate": dilation, "padding": padding, "output_padding": output_padding}
            results = {name: form(x, kernel, bias, **options, data_format=data_format) for name, form in TRANSPOSED.items()}
            for one, other in combinations(results, 2):
                assert equal(results[one], results[other]), (one, other, rank, padding, data_format, output_padding)
    agreed(f"conv_transpose: {2 * len(LAYOUTS)} combinations of rank, padding, output_padding, data format and bias equal in all forms")


def test_two_dimensional_names_are_the_general_forms_of_rank_2() -> None:
    rng = np.random.default_rng(0)
    x, kernel, back = integers(rng, (2, 5, 4, 2)), integers(rng, (3, 2, 2, 3)), integers(rng, (3, 2, 3, 2))
    bias = integers(rng, (3,))
    for room in (definition, taps):
        y = room.conv2d(x, kernel, bias, strides=(2, 1), padding="same")
        assert equal(y, room.conv(x, kernel, bias, strides=(2, 1), padding="same"))
        y = room.conv2d_transpose(x, back, bias, strides=(2, 1), padding="same", output_padding=(1, 0))
        assert equal(y, room.conv_transpose(x, back, bias, strides=(2, 1), padding="same", output_padding=(1, 0)))


@pytest.mark.parametrize("make", [lambda v: v * 10**30, lambda v: Fraction(v, 7)], ids=["big integers", "fractions"])
def test_loop_is_exact_in_integers_of_any_size_and_in_fractions(make: Callable[[int], Any], agreed: Callable[[str], None]) -> None:
    """Scaling both operands scales the result by the product of the scales, to the last digit; NumPy's own types could not hold it."""
    lift = np.frompyfunc(make, 1, 1)
    scale = make(1) * make(1)
    compared = 0
    for transposed, forms in ((False, CONV), (True, TRANSPOSED)):
        for geometry in geometries("smoke", transposed):
            if geometry.error:
                continue
            x, kernel = geometry.operands(channels=1, filters=1)
            expected = forms["definition"](x, kernel, **geometry.options()).astype(object) * scale
            big_x, big_kernel = lift(x.astype(object)), lift(kernel.astype(object))
            for name, form in forms.items():
                if name == "sparse matrix":  # SciPy knows NumPy's own number types only
                    continue
                got = form(big_x, big_kernel, **geometry.options())
                assert got.dtype == object
                assert np.array_equal(got, expected), (name, geometry)
            compared += 1
    assert compared == counts("smoke", transposed=False)[0] + counts("smoke", transposed=True)[0]
    agreed(f"{type(scale).__name__}: {compared} geometries of the smoke grid exact in the loop and in all forms of NumPy objects")


def test_sparse_matrix_serves_images() -> None:
    """64 x 64 pixels: the dense C would have 16 million elements a channel pair."""
    rng = np.random.default_rng(0)
    x, kernel = integers(rng, (1, 64, 64, 3)), integers(rng, (5, 5, 3, 8))
    y = convolution_matrix.conv(x, kernel, padding="same", strides=2, sparse=True)
    assert equal(y, taps.conv(x, kernel, padding="same", strides=2))
    back = kernel.swapaxes(-2, -1)  # (5, 5, filters 8, channels 3)
    y = convolution_matrix.conv_transpose(x, back, padding="same", strides=2, sparse=True)
    assert equal(y, taps.conv_transpose(x, back, padding="same", strides=2))
    assert y.shape == (1, 128, 128, 8)


def test_matrices_are_each_other_transposed() -> None:
    """The matrix of a transposed convolution is the transpose of the matrix of the convolution that leads back, same kernel array."""
    rng = np.random.default_rng(0)
    kernel = integers(rng, (3, 2, 2, 4))
    c = convolution_matrix.matrix(kernel, (8, 6), strides=2, padding="same")
    c_t = convolution_matrix.transposed_matrix(kernel, (4, 3), strides=2, padding="same")
    assert c.shape == (4 * 3 * 4, 8 * 6 * 2)
    assert np.array_equal(c.T, c_t)


# laws ----------------------------------------------------------------------------------------------------------------------------


def test_transposed_convolution_is_the_adjoint_of_the_convolution_that_leads_back(agreed: Callable[[str], None]) -> None:
    """``sum(conv(Y) * x) == sum(Y * conv_transpose(x))`` for all x, Y.

    A convolution leads back to the input size of every transposed one, but for ``same``, an even span and ``output_padding=0``: there
    the output is so short that the convolution has one element less.
    """
    held = without = 0
    for geometry in geometries("standard", transposed=True):
        x, kernel = geometry.operands()
        y = taps.conv_transpose(x, kernel, **geometry.options())
        spans = [(k - 1) * d + 1 for k, d in zip(geometry.kernel_size, geometry.dilation_rate, strict=True)]
        if geometry.padding == "same" and any(
            e % 2 == 0 and p == 0 for e, p in zip(spans, geometry.output_padding or (None, None), strict=True)
        ):
            each = zip(y.shape[1:-1], geometry.kernel_size, geometry.strides, geometry.dilation_rate, strict=True)
            assert any(convolution_size(o, k, s, d, "same") == n - 1 for (o, k, s, d), n in zip(each, geometry.size, strict=True))
            without += 1
            continue
        big = integers(np.random.default_rng(1), y.shape)
        back = taps.conv(big, kernel, strides=geometry.strides, padding=geometry.padding, dilation_rate=geometry.dilation_rate)
        assert back.shape == x.shape, geometry
        assert np.sum(back * x) == np.sum(big * y), geometry
        held += 1
    assert held + without == sum(counts("standard", transposed=True))
    assert min(held, without) > 0
    agreed(f"adjoint identity: {held} transposed geometries of the standard grid; to the other {without} no convolution leads back")


def test_every_convolution_of_one_axis_has_its_adjoint(agreed: Callable[[str], None]) -> None:
    """``sum(conv(x) * y) == sum(x * conv_transpose(y))``: output_padding makes up for what the stride has left over, wherever needed."""
    held = 0
    axes = {
        (g.padding, n, k, s, d)
        for g in geometries("standard", transposed=False)
        for n, k, s, d in zip(g.size, g.kernel_size, g.strides, g.dilation_rate, strict=True)
    }
    for padding, n, k, s, d in sorted(axes):
        span = (k - 1) * d + 1
        if padding == "valid" and n < span:
            continue
        rng = np.random.default_rng(n)
        x, kernel = integers(rng, (1, n, 2)), integers(rng, (k, 2, 3))
        y = taps.conv(x, kernel, strides=s, padding=padding, dilation_rate=d)
        other = integers(rng, y.shape)
        p = n - (y.shape[1] - 1) * s - (span if padding == "valid" else span % 2)
        given = None if p == s else p  # p = s only where n is a multiple of s, which is the size that None stands for
        back = taps.conv_transpose(other, kernel, strides=s, padding=padding, dilation_rate=d, output_padding=given)
        assert back.shape == x.shape, (padding, n, k, s, d)
        assert np.sum(y * other) == np.sum(x * back), (padding, n, k, s, d)
        held += 1
    assert held == AXES
    agreed(f"adjoint identity: {held} convolutions of one axis, every one of the standard grid")


# valid: k of 1-5 have 9 + 8 + 7 + 6 + 5 = 35 input sizes each of 4 strides; dilated by 2, 9 + 7 + 5 + 3 + 1; by 3, 9 + 6 + 3;
# same: 5 k x 9 n for each of 4 strides and 2 dilations; and k = 2 of two sizes with each of 6 strides and dilations together, twice
AXES = (35 * 4 + 25 + 18) + 45 * (4 + 2) + 2 * 6 * 2


@pytest.mark.parametrize("transposed", [False, True])
def test_linear_in_the_input_and_in_the_kernel(transposed: bool, agreed: Callable[[str], None]) -> None:
    """``f(2 x - 3 x', w) = 2 f(x, w) - 3 f(x', w)``, and the same for w."""
    form = taps.conv_transpose if transposed else taps.conv
    held = 0
    for geometry in geometries("standard", transposed):
        if geometry.error:
            continue
        x, w = geometry.operands()
        rng = np.random.default_rng(2)
        x_, w_ = integers(rng, x.shape), integers(rng, w.shape)
        y = form(x, w, **geometry.options())
        assert np.array_equal(form(2 * x - 3 * x_, w, **geometry.options()), 2 * y - 3 * form(x_, w, **geometry.options())), geometry
        assert np.array_equal(form(x, 2 * w - 3 * w_, **geometry.options()), 2 * y - 3 * form(x, w_, **geometry.options())), geometry
        held += 1
    assert held == counts("standard", transposed)[0]
    agreed(f"linearity in input and kernel: {held} {'transposed ' * transposed}geometries of the standard grid")


@pytest.mark.parametrize("transposed", [False, True])
def test_moving_the_input_moves_the_output(transposed: bool, agreed: Callable[[str], None]) -> None:
    """What lies far from the border and moves by ``s`` moves a convolution's output by 1; by 1, a transposed one's by ``s``."""
    form = taps.conv_transpose if transposed else taps.conv
    moved = 0
    windows = {(g.padding, g.kernel_size, g.strides, g.dilation_rate, g.output_padding): g for g in geometries("standard", transposed)}
    for geometry in windows.values():
        each = zip(geometry.kernel_size, geometry.strides, geometry.dilation_rate, strict=True)
        margins = [(k - 1) * d + 1 + 2 * s for k, s, d in each]
        rng = np.random.default_rng(3)
        x = np.pad(integers(rng, (1, *(s + 2 for s in geometry.strides), 1)), [(0, 0), *((m, m) for m in margins), (0, 0)])
        kernel = geometry.operands(1, 1)[1]
        y = form(x, kernel, **geometry.options())
        assert np.count_nonzero(y)
        for axis, s in enumerate(geometry.strides, start=1):
            there, here = (1, s) if transposed else (s, 1)
            after = form(np.roll(x, there, axis), kernel, **geometry.options())
            assert np.array_equal(after, np.roll(y, here, axis)), (geometry, axis)
            moved += 1
    assert moved == 2 * len(windows) > 0
    agreed(f"shift equivariance: {len(windows)} {'transposed ' * transposed}pairs of windows of the standard grid, along both axes")


def test_what_joins_small_and_big_is_the_same_in_geometry_and_matrix() -> None:
    """The taps that `Axis.taps` lists as slices are those that the tap table finds by division."""
    axes = [convolution_axis(9, 3, 2, 1, "same"), convolution_axis(7, 3, 1, 2, "same"), transposed_axis(4, 2, 3, 1, "same", None)]
    for axis in axes:
        table = np.full((axis.small, axis.big), axis.kernel)
        for tap in axis.taps():
            table[range(axis.small)[tap.small], range(axis.big)[tap.big]] = tap.tap
        assert np.array_equal(table, convolution_matrix.tap_table(axis))
        assert prod(table.shape) == axis.small * axis.big
