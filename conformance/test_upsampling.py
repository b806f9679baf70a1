"""Claims: ``UpSampling2D`` and ``ops.image.resize`` interpolate as they are defined to, and ``MaxPooling2D`` takes the maximum.

Equality wherever float32 does not round, a proven bound elsewhere; what is known to deviate must deviate, in the way that is recorded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest

from conformance.gate import Gate
from conformance.outcomes import Outcome, Verdict
from conformance.upsampling import CUBIC_TABLE, OTHER_CUBIC, POSITIONS, Deviation, Resampling, bound, grid, judge, known_deviation
from reference import upsampling
from reference.arguments import DATA_FORMATS, Array
from reference.geometry import PADDINGS

BACKEND = os.environ.get("KERAS_BACKEND", "tensorflow")
CASES = list(grid())
Subject = Callable[..., Any]
"""A function of `conformance.subjects.keras_upsampling`, by its name and with its arguments, in the subject's process."""


@pytest.fixture
def subject(gate: Gate) -> Subject:
    """Keras, where it lives: it is not imported here."""
    return lambda name, *arguments: gate.host.call(f"conformance.subjects.keras_upsampling:{name}", *arguments)


def run(subject: Subject, case: Resampling, x: Array) -> Array:
    """What Keras gives."""
    name = "up_sample" if case.layer == "upsampling2d" else "resize"
    return np.asarray(subject(name, x, case.size, case.interpolation, case.data_format))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_up_sampling(subject: Subject, case: Resampling) -> None:
    """The case conforms, or comes out as its known deviation says."""
    x = case.input()
    deviation = known_deviation(BACKEND, case)
    try:
        verdict = judge(case, x, run(subject, case, x))
    except Exception as error:
        verdict = Verdict(Outcome.DECLINED, f"{type(error).__name__}: {error}")
    if deviation is None:
        assert verdict.outcome is Outcome.CONFORMS, verdict.message
    else:
        assert verdict.outcome is deviation.outcome, f"{deviation.id} no longer holds: {verdict.message or verdict.outcome}"
        raise pytest.xfail.Exception(f"{deviation.id}: {deviation.reason}", pytrace=False)


def covered_by(deviation: Deviation) -> list[Resampling]:
    """The cases of the grid that deviate here in this way."""
    return [case for case in CASES if known_deviation(BACKEND, case) is deviation]


def test_bicubic_table_moves_positions_by_half_its_step_at_most(subject: Subject) -> None:
    """The deviating result lies within the bound of one whose positions are off by 1/2048."""
    cases = covered_by(CUBIC_TABLE)
    assert bool(cases) == (CUBIC_TABLE.backend == BACKEND)
    for case in cases:
        x = case.input()
        expected = upsampling.resize(x, case.target, case.interpolation, data_format=case.data_format)
        assert (np.abs(run(subject, case, x) - expected) <= bound(case, x, position=2.0**-11)).all(), case


def test_other_bicubic_is_that_of_another_coefficient_and_border(subject: Subject) -> None:
    """Exactly, where every position is a sum of few powers of two and nothing rounds."""
    cases = [
        case for case in covered_by(OTHER_CUBIC) if all(o in (n, 2 * n, 4 * n) for n, o in zip(case.shape[1:3], case.target, strict=True))
    ]
    assert bool(cases) == (OTHER_CUBIC.backend == BACKEND)
    for case in cases:
        x = case.input()
        other = upsampling.resize(x, case.target, "bicubic", data_format=case.data_format, coefficient=Fraction(-3, 4), border="repeated")
        assert np.array_equal(run(subject, case, x), other), case


class Pooling(NamedTuple):
    """One configuration of ``MaxPooling2D``."""

    padding: str
    shape: tuple[int, int, int, int]
    pool_size: tuple[int, int]
    strides: tuple[int, int]
    data_format: str

    def __str__(self) -> str:
        shape, pool, strides = ("x".join(map(str, numbers)) for numbers in (self.shape, self.pool_size, self.strides))
        return f"maxpooling2d-{self.padding}-in{shape}-k{pool}-s{strides}-{self.data_format}"

    def input(self) -> Array:
        """Integers from -3 to 3, channels last: ties in most windows."""
        rng = np.random.default_rng([*self.shape, *self.pool_size, *self.strides])
        return rng.integers(-3, 4, self.shape).astype("float32")


def poolings() -> Iterator[Pooling]:
    """Windows 1-3 and strides 1-3 on either axis beside unlike ones, both paddings, both data formats."""
    for padding, k, s in product(PADDINGS, (1, 2, 3), (1, 2, 3)):
        yield Pooling(padding, (2, 3 + s, 8 - s, 3), (k, k % 3 + 1), (s, (s + 1) % 3 + 1), DATA_FORMATS[(k + s) % 2])


POOLINGS = list(poolings())


@pytest.mark.parametrize("case", POOLINGS, ids=str)
def test_max_pooling(subject: Subject, case: Pooling) -> None:
    """Maxima are chosen, not computed: equality."""
    x = case.input() if case.data_format == "channels_last" else np.ascontiguousarray(np.moveaxis(case.input(), -1, 1))
    expected, _ = upsampling.max_pool(x, case.pool_size, strides=case.strides, padding=case.padding, data_format=case.data_format)
    got = subject("max_pool", x, case.pool_size, case.strides, case.padding, case.data_format)
    assert got.dtype == expected.dtype
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("case", POOLINGS, ids=str)
def test_max_pooling_positions(subject: Subject, case: Pooling) -> None:
    """The framework under Keras remembers the first of several maxima, where it tells what it remembers at all."""
    x = case.input()
    if case.padding not in POSITIONS[BACKEND]:
        with pytest.raises(NotImplementedError, match=f"on {BACKEND} tells no positions"):
            subject("max_pool_with_positions", x, case.pool_size, case.strides, case.padding)
        return
    maxima, positions = upsampling.max_pool(x, case.pool_size, strides=case.strides, padding=case.padding)
    got, where = subject("max_pool_with_positions", x, case.pool_size, case.strides, case.padding)
    assert np.array_equal(got, maxima)
    assert np.array_equal(where, positions)
