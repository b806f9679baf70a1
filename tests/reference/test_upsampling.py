"""Up-sampling without weights: by hand, by the laws that its filters are chosen for, and by its kinship with transposed convolution."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

from reference import upsampling
from reference.arguments import Array
from reference.taps import conv_transpose
from tests.reference.geometries import integers

X = np.array([[1, 2], [3, 4]])


def plane(y: Array) -> Any:
    return y[0, ..., 0].tolist()


def exact(values: list[Any]) -> Array:
    """A signal of one axis in Fractions, as (1, n, 1)."""
    return np.array([Fraction(v) for v in values], dtype=object)[None, :, None]


# by hand ---------------------------------------------------------------------------------------------------------------------------


def test_nearest_by_hand() -> None:
    y = upsampling.up_sample(X[None, ..., None], (2, 3))
    assert plane(y) == [[1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2], [3, 3, 3, 4, 4, 4], [3, 3, 3, 4, 4, 4]]
    assert y.dtype == X.dtype


def test_nearest_to_any_size_by_hand() -> None:
    """5 elements over 3: their centres lie over 0.3, 0.9, 1.5, 2.1 and 2.7 of 3; over 2 elements, one centre lies on the border."""
    assert upsampling.resize(exact([1, 2, 3]), (5,), "nearest")[0, :, 0].tolist() == [1, 1, 2, 3, 3]
    assert upsampling.resize(exact([1, 2, 3, 4, 5, 6]), (3,), "nearest")[0, :, 0].tolist() == [2, 4, 6]
    assert upsampling.resize(exact([1, 2]), (1,), "nearest")[0, :, 0].tolist() == [2]


def test_bilinear_by_hand() -> None:
    """Positions -1/4, 1/4, 3/4, 5/4: the outer two are nearest to one element alone."""
    y = upsampling.up_sample(exact([4, 8]), 2, "bilinear")
    assert y[0, :, 0].tolist() == [4, 5, 7, 8]
    y = upsampling.up_sample(X[None, ..., None], 2, "bilinear")
    assert plane(y)[:2] == [[1, 1.25, 1.75, 2], [1.5, 1.75, 2.25, 2.5]]
    assert y.dtype == np.float64


def test_bicubic_by_hand() -> None:
    """Half-way between two elements the cubic filter of Keys has -1, 9, 9, -1 sixteenths; a quarter off, -3, 29, 111, -9 of 128."""
    assert upsampling.weights(4, 2, "bicubic").tolist() == [
        [Fraction(v, 17) for v in (9, 9, -1, 0)],  # position 1/2: the element at -1 is absent, the rest has its share
        [Fraction(v, 17) for v in (0, -1, 9, 9)],
    ]
    w = upsampling.weights(8, 16, "bicubic")
    assert w[6, 1:5].tolist() == [Fraction(v, 128) for v in (-3, 29, 111, -9)]
    other = upsampling.weights(4, 2, "bicubic", coefficient=Fraction(-3, 4), border="repeated")
    assert other[0].tolist() == [Fraction(v, 32) for v in (16, 19, -3, 0)]  # -3/32 for the element at -1 go to the first


def test_lanczos_by_hand() -> None:
    """Half-way, sin(pi / 2) sin(pi / 6) 3 / (pi / 2)^2 = 6 / pi^2; the weights are symmetric and sum to one."""
    middle = upsampling.samples(6, 3, "lanczos3")[1]
    assert abs(middle[2] - 6 / np.pi**2) <= 12 * 2.0**-53  # not more than 12 roundings of numbers that are at most 1
    assert middle.tolist() == middle[::-1].tolist()


def test_bed_of_nails_by_hand() -> None:
    y = upsampling.bed_of_nails(X[None, ..., None], 2)
    assert plane(y) == [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]


def test_max_pooling_and_unpooling_by_hand() -> None:
    x = np.array([[1, 2, 6, 3], [3, 5, 2, 1], [1, 2, 2, 1], [7, 3, 4, 8]])[None, ..., None]
    values, positions = upsampling.max_pool(x, 2)
    assert plane(values) == [[5, 6], [7, 8]]
    assert plane(positions) == [[5, 2], [12, 15]]
    y = upsampling.max_unpool(values, positions, (4, 4))
    assert plane(y) == [[0, 0, 6, 0], [0, 5, 0, 0], [0, 0, 0, 0], [7, 0, 0, 8]]


def test_first_of_equal_maxima_is_taken() -> None:
    x = np.array([[-1, 0], [0, 0]])[None, ..., None]
    assert plane(upsampling.max_pool(x, 2)[1]) == [[1]]
    assert plane(upsampling.max_pool(-np.ones_like(x), 2, strides=1, padding="same")[1]) == [[0, 1], [2, 3]]


# laws ------------------------------------------------------------------------------------------------------------------------------

SIZES = list(product(range(1, 9), range(1, 12)))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_constants_stay(interpolation: str) -> None:
    for n, o in SIZES:
        assert upsampling.weights(n, o, interpolation).sum(axis=1).tolist() == [1] * o


@pytest.mark.parametrize(("interpolation", "degree", "reach"), [("bilinear", 1, 1), ("bicubic", 2, 2)])
def test_polynomials_stay_away_from_the_border(interpolation: str, degree: int, reach: int) -> None:
    """The linear filter reproduces straight lines, the cubic one with Keys's coefficient parabolas; with another it does not."""
    n, s = 9, 5
    positions = [(i + Fraction(1, 2)) / s - Fraction(1, 2) for i in range(n * s)]
    inside = [i for i, u in enumerate(positions) if reach - 1 <= u <= n - reach]
    assert inside
    y = upsampling.up_sample(exact([j**degree for j in range(n)]), s, interpolation)[0, :, 0]
    assert [y[i] for i in inside] == [positions[i] ** degree for i in inside]
    if degree == 2:
        other = upsampling.resize(exact([j**2 for j in range(n)]), (n * s,), "bicubic", coefficient=Fraction(-3, 4))[0, :, 0]
        assert [other[i] for i in inside] != [positions[i] ** 2 for i in inside]


@pytest.mark.parametrize("interpolation", upsampling.INTERPOLATIONS)
def test_factor_1_changes_nothing_but_lanczos_noise(interpolation: str) -> None:
    rng = np.random.default_rng(0)
    x = integers(rng, (2, 4, 3, 2))
    y = upsampling.up_sample(x, 1, interpolation)
    if interpolation.startswith("lanczos"):
        # sin(pi j) is not 0 in floats but below j pi 2^-52, and a weight below 2^-52; beside the one there are 3 and 2 of them, which add,
        # and take as much from the one; sums of 4 and 3 terms; data up to 9
        assert np.abs(y - x).max() <= (2 * (3 + 2) + (4 + 3)) * 9 * 2.0**-52
    else:
        assert np.array_equal(y, x)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_axes_are_independent_in_both_data_formats(interpolation: str) -> None:
    """Exactly, in Fractions: the filters with sines are not among them."""
    rng = np.random.default_rng(1)
    x = integers(rng, (1, 3, 4, 2)).astype(object)
    y = upsampling.up_sample(x, (2, 3), interpolation)
    one_by_one = upsampling.up_sample(upsampling.up_sample(x, (1, 3), interpolation), (2, 1), interpolation)
    assert np.array_equal(y, one_by_one)
    first = upsampling.up_sample(np.moveaxis(x, -1, 1), (2, 3), interpolation, data_format="channels_first")
    assert np.array_equal(first, np.moveaxis(y, -1, 1))


# kinship with transposed convolution -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("s", [1, 2, 3, 4, 5])
def test_some_are_transposed_convolutions(s: int) -> None:
    """Nearest: a kernel of ones, as large as the stride. Bed of nails: a kernel of one 1. Bilinear inside, s even: a triangle of 2 s."""
    rng = np.random.default_rng(s)
    x = integers(rng, (1, 4, 5, 1))
    nails = np.zeros((s, s, 1, 1), int)
    nails[0, 0] = 1
    assert np.array_equal(upsampling.up_sample(x, s), conv_transpose(x, np.ones((s, s, 1, 1), int), strides=s))
    assert np.array_equal(upsampling.bed_of_nails(x, s), conv_transpose(x, nails, strides=s))
    if s % 2 == 0:
        tent = np.array([Fraction(1, 2) + t if t < s else 2 * s - t - Fraction(1, 2) for t in range(2 * s)], dtype=object) / s
        y = conv_transpose(x.astype(object), np.multiply.outer(tent, tent)[..., None, None], strides=s, padding="same")
        inside = (slice(None), slice(s, -s), slice(s, -s))
        assert np.array_equal(y[inside], upsampling.up_sample(x.astype(object), s, "bilinear")[inside])


def test_max_pool_against_looking_at_every_window() -> None:
    rng = np.random.default_rng(2)
    compared = 0
    for n, k, s in product(range(1, 7), range(1, 4), range(1, 4)):
        x = rng.integers(-2, 3, (2, n, 5, 2))
        for padding in ("valid", "same"):
            if padding == "valid" and n < k:
                with pytest.raises(ValueError, match="a valid window"):
                    upsampling.max_pool(x, (k, 2), strides=(s, 1))
                continue
            values, positions = upsampling.max_pool(x, (k, 1), strides=(s, 1), padding=padding)
            last = (len(range(0, n, s)) - 1) * s + k - n
            before = max(last, 0) // 2 if padding == "same" else 0
            for b, i, w, c in np.ndindex(values.shape):
                rows = [j for j in range(i * s - before, i * s - before + k) if 0 <= j < n]
                best = max(rows, key=lambda j: (x[b, j, w, c], -j))
                assert (values[b, i, w, c], positions[b, i, w, c]) == (x[b, best, w, c], best * 5 + w)
            back = upsampling.max_unpool(values, positions, (n, 5))
            assert np.array_equal(back != 0, (back == x) & (back != 0))  # every value stands where it stood
            assert set(np.unique(back)) <= {0, *np.unique(values)}
            compared += 1
    assert compared == 6 * 9 * 2 - 3 * 3  # the three valid windows larger than their inputs, with three strides


def test_unpooling_undoes_pooling_of_what_it_made() -> None:
    rng = np.random.default_rng(3)
    x = rng.permutation(2 * 6 * 4 * 3).reshape(2, 6, 4, 3) + 1
    values, positions = upsampling.max_pool(x, 2)
    again, where = upsampling.max_pool(upsampling.max_unpool(values, positions, (6, 4)), 2)
    assert np.array_equal(again, values)
    assert np.array_equal(where, positions)
    first = upsampling.max_pool(np.moveaxis(x, -1, 1), 2, data_format="channels_first")
    assert np.array_equal(first[0], np.moveaxis(values, -1, 1))
    assert np.array_equal(
        upsampling.max_unpool(*first, (6, 4), data_format="channels_first"),
        np.moveaxis(upsampling.max_unpool(values, positions, (6, 4)), -1, 1),
    )


# refusals --------------------------------------------------------------------------------------------------------------------------

GIVEN = np.zeros((1, 2, 2, 1))
REFUSALS = [
    (
        lambda: upsampling.up_sample(np.zeros((2, 2))),
        "expected an input of (batch, *spatial, channels), every size positive, got shape (2, 2)",
    ),
    (lambda: upsampling.up_sample(GIVEN, 0), "size must be an integer >= 1 or 2 of them, got 0"),
    (lambda: upsampling.up_sample(GIVEN, (2, 2, 2)), "size must be an integer >= 1 or 2 of them, got (2, 2, 2)"),
    (
        lambda: upsampling.up_sample(GIVEN, 2, "cubic"),
        "interpolation must be one of nearest, bilinear, bicubic, lanczos3, lanczos5, got 'cubic'",
    ),
    (lambda: upsampling.up_sample(GIVEN, data_format="NHWC"), "data_format must be one of channels_last, channels_first, got 'NHWC'"),
    (lambda: upsampling.resize(GIVEN, (2, 2), border="zero"), "border must be one of absent, repeated, got 'zero'"),
    (lambda: upsampling.bed_of_nails(GIVEN, (1, 0)), "size must be an integer >= 1 or 2 of them, got (1, 0)"),
    (lambda: upsampling.max_pool(GIVEN, 3), "a valid window of 3 elements is larger than its input of 2"),
    (lambda: upsampling.max_pool(GIVEN, 2, padding="full"), "padding must be one of valid, same, got 'full'"),
    (lambda: upsampling.max_pool(GIVEN, True), "pool_size must be an integer >= 1 or 2 of them, got True"),
    (
        lambda: upsampling.max_unpool(GIVEN, GIVEN[:, :1], (4, 4)),
        "values and positions must have one shape, got (1, 2, 2, 1) and (1, 1, 2, 1)",
    ),
    (lambda: upsampling.max_unpool(GIVEN, GIVEN.astype(int) + 16, (4, 4)), "every position must be one of the 16 elements of (4, 4)"),
]


@pytest.mark.parametrize(("call", "message"), REFUSALS)
def test_bad_arguments(call: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the whole message is compared below
        call()
    assert str(caught.value) == message
