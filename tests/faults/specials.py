"""Faults with special values: right on all numbers that are numbers."""

from __future__ import annotations

import numpy as np

from conformance.cases import Case
from conformance.formats import FORMATS
from conformance.probes import Probe
from reference.arguments import Array
from tests.faults.layers import NOTHING, Layers, Side
from tests.faults.planting import planted

OPERANDS = ("input", "kernel", "bias")


class OfOneOperand(Layers):
    """A fault that does something to one operand."""

    operand: str

    def made_of(self, case: Case, values: Array) -> Array:
        raise NotImplementedError

    def channels_last(self, case: Case, x: Array) -> Array:
        x = super().channels_last(case, x)
        return self.made_of(case, x) if self.operand == "input" else x

    def weights(self, case: Case, probe: Probe) -> tuple[Array, Array | None]:
        kernel, bias = super().weights(case, probe)
        if self.operand == "kernel":
            return self.made_of(case, kernel), bias
        return kernel, self.made_of(case, bias) if self.operand == "bias" and bias is not None else bias


@planted("specials", operand=OPERANDS)
class NanTakenForZero(OfOneOperand):
    """NaN in one operand is taken for 0."""

    def made_of(self, case: Case, values: Array) -> Array:
        return np.where(np.isnan(values), values.dtype.type(0), values)


@planted("specials", operand=OPERANDS)
class InfCut(OfOneOperand):
    """Inf in one operand is cut to 1."""

    def made_of(self, case: Case, values: Array) -> Array:
        return np.where(np.isinf(values), np.sign(values), values)


@planted("specials")
class SaturatedAtOverflow(Layers):
    """A result that overflows is the largest number instead of Inf."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        largest = FORMATS[case.compute_dtype].largest
        y = super().add_bias(case, y, bias)
        return np.where(np.isinf(y), np.sign(y) * largest, y).astype(y.dtype)


@planted("specials")
class SignOfInfLost(Layers):
    """Every infinity is positive."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        y = super().add_bias(case, y, bias)
        return np.where(np.isinf(y), abs(y), y)


@planted("specials")
class NanDroppedByMaximum(Layers):
    """The result is cut from below by a maximum that prefers numbers to NaN."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        y = super().add_bias(case, y, bias)
        return np.asarray(np.fmax(y, y.dtype.type(-np.inf)))


@planted("specials")
class ZeroWeightsSkipped(Layers):
    """What is multiplied with a weight of 0 is skipped, Inf too."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        if np.isfinite(rows).all() or (columns != 0).all():
            return super().multiply(rows, columns)
        terms = np.where(columns == 0, columns.dtype.type(0), rows[..., None] * columns)
        return np.asarray(terms.sum(axis=-2, dtype=rows.dtype))


@planted("specials")
class MatrixWithZeros(Layers):
    """A layer is a matrix with zeros where an output does not see an input: NaN and Inf reach every output of their item."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        y = super().layer(case, x, kernel)
        spoilt = ~np.isfinite(x).all(axis=tuple(range(1, x.ndim)))
        y[spoilt] += np.where(np.isfinite(y[spoilt]), y.dtype.type(np.nan), y.dtype.type(0))
        return y


@planted("specials")
class ItemsMixed(Layers):
    """An item with NaN or Inf spoils all items of its batch."""

    def channels_last(self, case: Case, x: Array) -> Array:
        x = super().channels_last(case, x)
        return np.asarray(x + (x * 0).sum(axis=0, keepdims=True))


@planted("specials")
class GroupsAreBlocksOfOneKernel(Layers):
    """Groups are blocks of one large kernel that is zero elsewhere: what is in the others is multiplied with 0."""

    def grouped(self, case: Case, met: Array, kernel: Array) -> Array:
        y = super().grouped(case, met, kernel)
        others = (met * 0).sum(axis=tuple(range(case.rank + 1, met.ndim)))
        return y + others[..., None] if case.groups > 1 else y


@planted("specials")
class FiltersMixed(Layers):
    """NaN or Inf in the kernel of one filter reaches all filters."""

    def with_strange_weights(self, case: Case, y: Array, met: Array, there: Array, kernel: Array) -> Array:
        y = super().with_strange_weights(case, y, met, there, kernel)
        return np.asarray(y + (y * 0).sum(axis=-1, keepdims=True))


@planted("specials")
class ZerosInserted(Layers):
    """A transposed convolution inserts zeros between the elements of its input and multiplies them, with NaN and Inf as well."""

    def with_strange_weights(self, case: Case, y: Array, met: Array, there: Array, kernel: Array) -> Array:
        return super().with_strange_weights(case, y, met, there | case.transposed, kernel)


@planted("specials")
class StrangeWeightLostAtTheBorder(Layers):
    """A row that has a zero of the padding beside an element loses the NaN or Inf of a weight."""

    def with_strange_weights(self, case: Case, y: Array, met: Array, there: Array, kernel: Array) -> Array:
        whole = there.all(axis=tuple(range(case.rank + 1, there.ndim)), keepdims=True)
        return super().with_strange_weights(case, y, met, there & whole, kernel)


@planted("specials")
class SubnormalsRoundedUp(Layers):
    """A result below the normal numbers becomes the smallest of them."""

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        y, least = super().add_bias(case, y, bias), 2.0 ** FORMATS[case.compute_dtype].least
        return np.where((y != 0) & (abs(y) < least), np.sign(y) * least, y).astype(y.dtype)


@planted("specials")
class SkippedElementsRead(Layers):
    """Elements that a stride skips are read all the same, and multiplied with 0."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        y = super().layer(case, x, kernel)
        if case.transposed:
            return y
        for axis, (stride, table) in enumerate(zip(case.strides, (self.table(Side(case, axis)) for axis in range(case.rank)), strict=True)):
            skipped = np.setdiff1d(np.arange(case.size[axis]), table[table != NOTHING])
            if stride > 1 and skipped.size:
                y = y + (np.take(x, skipped, axis + 1) * 0).sum(axis=tuple(range(1, x.ndim)), keepdims=True)
        return y


class OrderByTurns(Layers):
    """Sums run forwards in one call and backwards in the next, as where threads add in the order in which they end."""

    def __init__(self) -> None:
        self._calls = 0

    def turned(self) -> slice:
        self._calls += 1
        return slice(None, None, -1 if self._calls % 2 else 1)


def summed(terms: Array) -> Array:
    """One term after the other along the last axis but one, each partial sum rounded."""
    return np.asarray(np.add.accumulate(terms, axis=-2, dtype=terms.dtype)[..., -1, :])


@planted("specials")
class OutputByTurns(OrderByTurns):
    """Every other call sums in the other order: right within rounding, and not the same bits."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        turn = self.turned()
        return summed(rows[..., turn, None] * columns[turn])


@planted("specials")
class KernelGradientByTurns(OrderByTurns):
    """Every other kernel's gradient is summed in the other order: right within rounding, and not the same bits."""

    def correlation(self, case: Case, met: Array, upstream: Array) -> Array:
        taps = met.shape[case.rank + 1 :]
        rows, columns = met.reshape(upstream[..., 0].size, -1).T, upstream.reshape(-1, upstream.shape[-1])
        if not len(columns):
            return super().correlation(case, met, upstream)
        turn = self.turned()
        return summed(rows[:, turn, None] * columns[turn]).reshape(*taps, -1)
