"""Faults of arithmetic: precision lost in the operands, the sum or the result, and algorithms that need more than they are given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from conformance.cases import Case
from conformance.outcomes import Outcome
from reference.arguments import Array
from tests.faults.layers import Layers, Side
from tests.faults.planting import planted

BFLOAT16, TF32 = 8, 11
"""Significand bits, hidden bit included."""

OPERANDS = ("input", "kernel", "both")


def rounded(values: Array, bits: int) -> Array:
    """The nearest numbers with so many significand bits, ties to even."""
    fraction, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.round(np.ldexp(fraction, bits)), exponent - bits), values.dtype)


@planted("arithmetic", bits=(BFLOAT16, TF32, 16, 20), operand=OPERANDS)
class OperandsRounded(Layers):
    """Operands are rounded to fewer bits (8 are bfloat16, 11 are TF32) and then multiplied and summed as they should be."""

    bits: int
    operand: str

    def multiply(self, rows: Array, columns: Array) -> Array:
        if self.operand != "kernel":
            rows = rounded(rows, self.bits)
        if self.operand != "input":
            columns = rounded(columns, self.bits)
        return super().multiply(rows, columns)


@planted("arithmetic", bits=(BFLOAT16, TF32))
class OperandsCut(Layers):
    """The last bits of both operands are cut off, not rounded (8 are left for bfloat16, 11 for TF32)."""

    bits: int

    def multiply(self, rows: Array, columns: Array) -> Array:
        return super().multiply(_cut(rows, self.bits), _cut(columns, self.bits))


@planted("arithmetic", bits=(BFLOAT16, TF32, 16, 20))
class ResultRounded(Layers):
    """The result is rounded to fewer bits."""

    bits: int

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        return rounded(super().add_bias(case, y, bias), self.bits)


@planted("arithmetic")
class BiasRounded(Layers):
    """The bias alone is rounded to bfloat16."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        return super().add_bias(case, y, None if bias is None else rounded(bias, BFLOAT16))


@planted("arithmetic", bits=(BFLOAT16, 11, 16))
class SumRounded(Layers):
    """Every partial sum is rounded to fewer bits (8 are bfloat16, 11 are half precision and TF32)."""

    bits: int

    def multiply(self, rows: Array, columns: Array) -> Array:
        total = np.zeros((*rows.shape[:-1], columns.shape[-1]), rows.dtype)
        for term, column in enumerate(columns):
            total = rounded(total + rows[..., term, None] * column, self.bits)
        return total


@planted("arithmetic")
class SumCutOff(Layers):
    """Products are exact, and every sum is cut off at the 24 bits of float32 instead of rounded, as some matrix units do."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        total = np.zeros((*rows.shape[:-1], columns.shape[-1]), np.float64)
        for term, column in enumerate(columns):
            total = _cut(total + rows[..., term, None].astype(np.float64) * column, 24)
        return total.astype(rows.dtype)


@planted("arithmetic")
class SmallestTapLost(Layers):
    """Of every filter the smallest weight is lost."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        columns = columns.copy()
        columns[np.abs(columns).argmin(axis=0), np.arange(columns.shape[1])] = 0
        return super().multiply(rows, columns)


@planted("arithmetic")
class HalfPrecision(Layers):
    """Operands, products and sums are in half precision, which overflows past 65504."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            half = rows.astype(np.float16) @ columns.astype(np.float16)
        return np.asarray(half.astype(rows.dtype))


@planted("arithmetic")
class SumInSixteenBitIntegers(Layers):
    """Sums wrap around at 2^15, as in integers of 16 bits."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        exact = rows.astype(np.int64) @ columns.astype(np.int64)
        return np.asarray(exact.astype(np.int16).astype(rows.dtype))


@planted("arithmetic")
class SumSaturates(Layers):
    """Sums stop at 2^20."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        return np.clip(super().multiply(rows, columns), -(2.0**20), 2.0**20).astype(rows.dtype)


@planted("arithmetic")
class QuantisedToEightBits(Layers):
    """The input is quantised to 255 steps of its largest element."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        step = np.abs(rows).max(initial=0) / 127 or 1.0
        return super().multiply((np.round(rows / step) * step).astype(rows.dtype), columns)


@planted("arithmetic")
class SplitInTwoTerms(Layers):
    """Operands are split into two bfloat16 terms, whose 16 bits do not hold the 24 of float32."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        return super().multiply(_in_two(rows), _in_two(columns))


@planted("arithmetic")
class LowProductsDropped(Layers):
    """Operands are split into high and low parts, and the products of the two low parts are left out."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        low = (rows - rounded(rows, BFLOAT16)) @ (columns - rounded(columns, BFLOAT16))
        return np.asarray(super().multiply(rows, columns) - low)


@planted("arithmetic")
class SmallProductsFlushed(Layers):
    """Elements of the result below a ten-thousandth of its largest are zero."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        y = super().multiply(rows, columns)
        return np.where(np.abs(y) < 1e-4 * np.abs(y).max(initial=0), 0, y).astype(y.dtype)


@planted("arithmetic")
class OneUnitInTheLastPlace(Layers):
    """The largest element of the result is one unit in the last place too large."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        y = np.array(super().add_bias(case, y, bias))
        if y.size:
            at = np.unravel_index(np.argmax(y), y.shape)
            y[at] = np.nextafter(y[at], np.float32(np.inf))
        return y


@planted("arithmetic", every=(2, 7))
class ProductLost(Layers):
    """One product of every sum of several is lost, at a position that the number of terms decides."""

    every: int

    def multiply(self, rows: Array, columns: Array) -> Array:
        if len(columns) > 1:
            columns = columns.copy()
            columns[len(columns) // self.every] = 0
        return super().multiply(rows, columns)


@planted("arithmetic")
class RemainderOfFourLost(Layers):
    """Sums run over blocks of four terms, and the terms behind the last whole block are lost."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        whole = len(columns) // 4 * 4 or len(columns)
        return super().multiply(rows[..., :whole], columns[:whole])


@planted("arithmetic")
class Winograd(Layers):
    """Rows of 3 x 3 kernels with stride 1 go through Winograd's F(4, 3) in float32: its thirds and twenty-fourths are rounded."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        sides = [Side(case, axis) for axis in range(2)]
        if case.layer != "conv2d" or case.groups > 1 or any((side.k, side.s, side.d) != (3, 1, 1) for side in sides):
            return super().layer(case, x, kernel)
        height, width = (self.outputs(side) for side in sides)
        before = [self.before(side) for side in sides]
        tiles = -(-width // 4)
        behind = [height + 2 - case.size[0] - before[0], 4 * tiles + 2 - case.size[1] - before[1]]
        x = np.pad(x, [(0, 0), *zip(before, np.maximum(behind, 0), strict=True), (0, 0)])
        weights = np.einsum("at,ytcf->yacf", WINOGRAD_KERNEL, kernel)
        y = np.zeros((case.batch, height, 4 * tiles, case.filters), x.dtype)
        for tile in range(tiles):
            cut = x[:, :, 4 * tile : 4 * tile + 6]
            turned = np.einsum("aj,bhjc->bhac", WINOGRAD_INPUT, cut)
            summed = sum(np.einsum("bhac,acf->bhaf", turned[:, tap : tap + height], weights[tap]) for tap in range(3))
            y[:, :, 4 * tile : 4 * tile + 4] = np.einsum("ja,bhaf->bhjf", WINOGRAD_OUTPUT, summed)
        return y[:, :, :width]


def _through(points: Sequence[float], sizes: int) -> Array:
    """The values of polynomials of ``sizes`` coefficients at the points, and at infinity their last coefficient."""
    return np.array([[point**power for power in range(sizes)] for point in points] + [[0.0] * (sizes - 1) + [1.0]])


POINTS = (0.0, 1.0, -1.0, 2.0, -2.0)
WINOGRAD_KERNEL = _through(POINTS, 3).astype(np.float32)
WINOGRAD_OUTPUT = _through(POINTS, 4).T.astype(np.float32)
WINOGRAD_INPUT = np.linalg.inv(_through(POINTS, 6)).T.astype(np.float32)
"""Interpolation at five points and infinity: a product of polynomials, transposed."""


@planted("arithmetic")
class FourierTransform(Layers):
    """Direct convolutions multiply spectra in single precision."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        sides = [Side(case, axis) for axis in range(2)]
        if case.layer != "conv2d" or case.groups > 1:
            return super().layer(case, x, kernel)
        before = [self.before(side) for side in sides]
        counts = [self.outputs(side) for side in sides]
        length = [side.n + 2 * side.e + side.s * count for side, count in zip(sides, counts, strict=True)]
        spread = np.zeros((*(side.e for side in sides), *kernel.shape[2:]), x.dtype)
        spread[:: sides[0].d, :: sides[1].d] = kernel
        of_x = np.fft.fft2(x, length, axes=(1, 2)).astype(np.complex64)
        of_kernel = np.fft.fft2(spread, length, axes=(0, 1)).astype(np.complex64).conj()
        y = np.fft.ifft2(np.einsum("bhwc,hwcf->bhwf", of_x, of_kernel), axes=(1, 2)).real
        at = [(np.arange(count) * side.s - first) % size for side, count, first, size in zip(sides, counts, before, length, strict=True)]
        return np.asarray(y[:, at[0]][:, :, at[1]].astype(x.dtype))


@planted("arithmetic", Outcome.WRONG_VALUE)
class NotANumber(Layers):
    """The padding is NaN times zero: what a "same" window lacks poisons its sum."""

    def gather(self, x: Array, tables: list[Array]) -> Array:
        met = super().gather(x, tables)
        there = super().gather(np.ones_like(x), tables)
        return np.where((there == 0) & (x.shape[1] > 1), np.nan, met).astype(x.dtype)


def _cut(values: Array, bits: int) -> Array:
    fraction, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.trunc(np.ldexp(fraction, bits)), exponent - bits), values.dtype)


def _in_two(values: Array) -> Array:
    high = rounded(values, BFLOAT16)
    return high + rounded(values - high, BFLOAT16)
