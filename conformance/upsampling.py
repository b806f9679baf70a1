"""What up-sampling is asked, how far a correct answer may be from the exact one, and where answers are known to be others.

The exact answer is `reference.upsampling`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from conformance.outcomes import Outcome, Verdict
from reference import upsampling
from reference.arguments import DATA_FORMATS, Array

U = 2.0**-24
"""u of float32."""
POSITION_ROUNDINGS = 6
"""Roundings on the way from two sizes to the distance of an element from its position, see `bound`."""
SLACK = 1 + 2.0**-10
"""Covers the products of errors that a bound to first order leaves out."""

POSITIONS = {"tensorflow": ("valid", "same"), "torch": ("valid",), "jax": ()}
"""The paddings with which each backend's max pooling tells positions. Keras itself tells none; PyTorch pads both sides alike only."""


class Filter(NamedTuple):
    """What the bound has to know of a filter: how steep it is at most, how many u its evaluation loses at most, and its reach."""

    steepness: float
    evaluation: float
    reach: int


FILTERS = {
    "bilinear": Filter(1, 1, 1),  # 1 - |v|: one subtraction
    # steepest at |v| = 5/9; the powers of v with the absolute values of their coefficients sum to 24 at most, each with 8 roundings at most
    "bicubic": Filter(1.5, 8 * 24, 2),
    # the product of two sinc, each no steeper than 1.4 (and 1.4 / r) and wrong by 10 u at most: 2 for the rounded argument, 8 for a sine
    # good to 4 units in the last place; both are at most 1, and 8 roundings join them
    "lanczos3": Filter(2, 28, 3),
    "lanczos5": Filter(2, 28, 5),
}


class Resampling(NamedTuple):
    """One call of ``UpSampling2D`` or of ``ops.image.resize``. ``shape`` is (batch, height, width, channels) for both data formats."""

    layer: str
    interpolation: str
    shape: tuple[int, int, int, int]
    size: tuple[int, int]
    """A factor an axis for ``upsampling2d``, the shape of the result for ``resize``."""
    data_format: str

    def __str__(self) -> str:
        parts = [self.layer, self.interpolation, f"in{'x'.join(map(str, self.shape))}", f"s{self.size[0]}x{self.size[1]}"]
        return "-".join(parts if self.data_format == DATA_FORMATS[0] else [*parts, self.data_format])

    @property
    def target(self) -> tuple[int, int]:
        """The spatial shape of the result."""
        height, width = self.size
        return (height * self.shape[1], width * self.shape[2]) if self.layer == "upsampling2d" else self.size

    def input(self) -> Array:
        """Odd integers from -99 to 99 as float32, in the data format: always the same for the same configuration."""
        rng = np.random.default_rng(zlib.crc32(str(self).encode()))
        x = (2 * rng.integers(-50, 50, self.shape) + 1).astype("float32")
        return x if self.data_format == "channels_last" else np.ascontiguousarray(np.moveaxis(x, -1, 1))


class Deviation(NamedTuple):
    """Where an answer is known to be another than the exact one, which outcome that is, and what is computed instead."""

    id: str
    backend: str
    interpolations: tuple[str, ...]
    harmless: Fraction | None
    """Cases all of whose positions are multiples of this are not covered: there both answers are the same. None covers all."""
    outcome: Outcome
    reason: str


CUBIC_TABLE = Deviation(
    "resize-bicubic-table",
    "tensorflow",
    ("bicubic",),
    Fraction(1, 1024),
    Outcome.WRONG_VALUE,
    "TensorFlow takes bicubic weights from a table of 1024 positions between two elements: every other position is off by up to 1/2048",
)
OTHER_CUBIC = Deviation(
    "resize-bicubic-coefficient",
    "torch",
    ("bicubic",),
    Fraction(1),
    Outcome.WRONG_VALUE,
    "PyTorch's bicubic filter has the coefficient -3/4, and repeats the first and last element beyond the border",
)
NO_LANCZOS = Deviation(
    "resize-lanczos-declined", "torch", ("lanczos3", "lanczos5"), None, Outcome.DECLINED, "Keras declines lanczos filters on PyTorch"
)
KNOWN = (CUBIC_TABLE, OTHER_CUBIC, NO_LANCZOS)


def known_deviation(backend: str, case: Resampling) -> Deviation | None:
    """The deviation that covers a case, if any. Strict both ways: a covered case must come out as it says."""
    for known in KNOWN:
        covered = known.backend == backend and case.interpolation in known.interpolations
        if covered and (known.harmless is None or not _positions_are_multiples_of(known.harmless, case)):
            return known
    return None


def _positions_are_multiples_of(step: Fraction, case: Resampling) -> bool:
    """Whether ``(i + 1/2) n / o - 1/2`` is one for all i of both axes, or does not matter, on an axis of one element."""
    return all(
        n == 1 or (((i + Fraction(1, 2)) * n / o - Fraction(1, 2)) / step).denominator == 1
        for n, o in zip(case.shape[1:3], case.target, strict=True)
        for i in range(o)
    )


def grid() -> Iterator[Resampling]:
    """Every interpolation; ``UpSampling2D`` with factors 1-5, ``resize`` up and down, either axis beside an unlike one, both formats."""
    for interpolation in upsampling.INTERPOLATIONS:
        for layer, sizes, numbers in (("upsampling2d", (1, 2, 5), (1, 2, 3, 4, 5)), ("resize", (1, 3, 6), (1, 4, 9))):
            for i, n in enumerate(sizes):
                for j, s in enumerate(numbers):
                    other_n, other_s = sizes[(i + 2) % len(sizes)], numbers[(j + 1) % len(numbers)]
                    yield Resampling(layer, interpolation, (2, n, other_n, 3), (s, other_s), DATA_FORMATS[(i + j) % 2])


def judge(case: Resampling, x: Array, got: Array) -> Verdict:
    """Same shape, float32, and every element within its `bound` of the exact result; where that is 0, equal."""
    expected = upsampling.resize(x, case.target, case.interpolation, data_format=case.data_format)
    if got.shape != expected.shape:
        return Verdict(Outcome.WRONG_SHAPE, f"expected shape {expected.shape}, got {got.shape}")
    if got.dtype != np.float32:
        return Verdict(Outcome.WRONG_DTYPE, f"expected dtype float32, got {got.dtype}")
    limit = bound(case, x)
    error = np.abs(got - expected)
    wrong = error > limit
    rounded = limit > 0
    in_bounds = float((error[rounded] / limit[rounded]).max()) if rounded.any() else None
    if not wrong.any():
        return Verdict(Outcome.CONFORMS, error_in_bounds=in_bounds)
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    return Verdict(
        Outcome.WRONG_VALUE,
        f"{np.count_nonzero(wrong)} of {wrong.size} elements differ, first at {list(first)}: expected {expected[first]!r}"
        f" within {limit[first]!r}, got {got[first]!r}",
        error_in_bounds=in_bounds,
    )


def bound(case: Resampling, x: Array, position: float = 0.0) -> Array:
    """``|got - y| <= |dWh| |x| |Ww|' + |Wh| |x| |dWw|' + (mh + mw) u |Wh| |x| |Ww|'``, and 0 where float32 cannot round.

    The last term is n u S for the two sums of m terms, whatever their order, S being the same map on absolute values; products of the
    errors, which are below 1e-4 of a weight, are covered by a factor of 1 + 2^-10. The first two are what the *weights* may be off, for
    float32 computes these too. One axis, n to o elements, to first order in u:

    - the position: n / o or o / n and its reciprocal, a product, a subtraction, the distance to j: at most 6 roundings of numbers that are
      at most n + 1, so ``|dv| <= 6 (n + 1) u =: d``;
    - the filter, no steeper than L, whose evaluation loses at most e u: ``|dphi| <= L d + e u =: D`` for all j within its reach, its ends
      included, for there a wrong position lets in what the true one leaves out;
    - the quotient by T, the sum of m filter values: ``|dW| <= (D + |W| (m D + m u sum|phi|)) / |T| + u |W|``.

    Nothing rounds for ``nearest``, nor, with small integers, where the factor is a power of two and the weights are sums of such (all of
    ``bilinear``, and ``bicubic`` but near the border): there the bound is 0.

    Args:
        case: what was asked.
        x: the input, in its data format.
        position: how far an implementation is known to place every element aside, beyond roundings; then nothing is exact.

    Returns:
        One number for each element of the result, in its data format.
    """
    magnitude = np.abs(x.astype(float) if case.data_format == "channels_last" else np.moveaxis(x, 1, -1).astype(float))
    if case.interpolation == "nearest":
        return np.zeros_like(upsampling.resize(x, case.target, "nearest", data_format=case.data_format))
    height, width = (_axis(n, o, case.interpolation, position) for n, o in zip(case.shape[1:3], case.target, strict=True))

    def along_both(a: Array, b: Array) -> Array:
        y: Array = np.einsum("ij,bjkc,lk->bilc", a, magnitude, b)
        return y

    limit = along_both(height.error, width.weight) + along_both(height.weight, width.error)
    limit += U * (height.terms + width.terms) * along_both(height.weight, width.weight)
    exact = np.logical_and.outer(height.exact, width.exact)
    limit = np.where(exact[None, :, :, None], 0.0, limit * SLACK)
    return limit if case.data_format == "channels_last" else np.moveaxis(limit, -1, 1)


class _Weights(NamedTuple):
    """Along one axis: ``|W|``, the bound for ``|dW|``, the largest number of terms, and which outputs cannot round."""

    weight: Array
    error: Array
    terms: int
    exact: Array


@lru_cache(maxsize=256)
def _axis(n: int, o: int, interpolation: str, position: float) -> _Weights:
    steepness, evaluation, reach = FILTERS[interpolation]
    phi, w = upsampling.samples(n, o, interpolation), upsampling.weights(n, o, interpolation)
    u = (np.arange(o) + 0.5) * n / o - 0.5
    near = np.abs(np.arange(n) - u[:, None]) <= reach + position + 2.0**-40  # generous where this very line rounds
    terms = near.sum(axis=1, keepdims=True)
    weight = np.abs(w).astype(float)
    lost = steepness * (POSITION_ROUNDINGS * (n + 1) * U + position) + evaluation * U  # D
    sum_of_phi = np.abs(phi).astype(float).sum(axis=1, keepdims=True)
    total = np.abs(phi.sum(axis=1, keepdims=True)).astype(float)
    error = near * lost / total + weight * (terms * (lost + U * sum_of_phi) / total + U)
    dyadic = interpolation in ("bilinear", "bicubic") and _is_power_of_two(Fraction(o, n)) and not position
    exact = np.array([dyadic and all(_is_power_of_two(Fraction(1, v.denominator)) for v in row) for row in w])
    return _Weights(weight, error, int(terms.max()), exact)


def _is_power_of_two(value: Fraction) -> bool:
    """2^k, k any integer."""
    return all(v & (v - 1) == 0 for v in (value.numerator, value.denominator))
