"""Right implementations that sum in other orders, fuse, compensate or carry more bits: on exact data all must pass."""

from __future__ import annotations

from typing import Any

import numpy as np

import reference
from conformance.cases import Case
from conformance.probes import Probe
from conformance.subjects import Observed
from reference import definition
from reference.arguments import Array
from tests.faults.arithmetic import BFLOAT16, rounded
from tests.faults.layers import Layers
from tests.faults.modes import InModes


class Forwards(Layers):
    """One term after the other, every partial sum rounded to float32."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        total = np.zeros((*rows.shape[:-1], columns.shape[-1]), rows.dtype)
        for term in self.order(len(columns)):
            total = total + rows[..., term, None] * columns[term]
        return total

    def order(self, terms: int) -> list[int]:
        return list(range(terms))


class Backwards(Forwards):
    """The last term first."""

    def order(self, terms: int) -> list[int]:
        return super().order(terms)[::-1]


class EvenBeforeOdd(Forwards):
    """All even terms, then all odd ones, as two lanes of a vector would have them."""

    def order(self, terms: int) -> list[int]:
        return [*range(0, terms, 2), *range(1, terms, 2)]


class Pairwise(Layers):
    """Neighbours are added, then neighbouring sums, and so on."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        terms = rows[..., None] * columns
        while terms.shape[-2] > 1:
            odd = terms[..., -1:, :] if terms.shape[-2] % 2 else terms[..., :0, :]
            paired = terms[..., 0 : terms.shape[-2] // 2 * 2, :]
            terms = np.concatenate([paired[..., ::2, :] + paired[..., 1::2, :], odd], axis=-2)
        return np.asarray(terms[..., 0, :])


class InBlocks(Layers):
    """Blocks of eight terms are summed on their own, then the blocks."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        blocks = [rows[..., at : at + 8] @ columns[at : at + 8] for at in range(0, len(columns), 8)]
        return np.asarray(sum(blocks[1:], start=blocks[0]))


class Compensated(Layers):
    """Kahan's summation, which carries along what was rounded away. Nothing is carried beside an infinite sum, where inf - inf would be."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        total = np.zeros((*rows.shape[:-1], columns.shape[-1]), rows.dtype)
        lost = np.zeros_like(total)
        for term, column in enumerate(columns):
            y = rows[..., term, None] * column - lost
            t = total + y
            with np.errstate(invalid="ignore"):
                lost = np.where(np.isfinite(t), (t - total) - y, 0).astype(rows.dtype)
            total = t
        return total


class Fused(Layers):
    """Fused multiply-add: the product is not rounded before it is added. Float64 holds a product of two float32 exactly."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        total = np.zeros((*rows.shape[:-1], columns.shape[-1]), rows.dtype)
        for term, column in enumerate(columns):
            total = (total + rows[..., term, None].astype(np.float64) * column).astype(rows.dtype)
        return total


class Wide(Layers):
    """Summed in float64 and rounded once."""

    def multiply(self, rows: Array, columns: Array) -> Array:
        return np.asarray((rows.astype(np.float64) @ columns).astype(rows.dtype))


class BiasFirst(Layers):
    """The sum starts with the bias, in a separable layer that of the second stage."""

    def __init__(self) -> None:
        self._bias: Array | None = None

    def weights(self, case: Case, probe: Probe) -> tuple[Array, Array | None]:
        kernel, self._given = super().weights(case, probe)
        self._bias, self._group = None if case.separable else self._given, 0
        return kernel, None

    def second_stage(self, case: Case, y: Array, pointwise: Array) -> Array:
        self._bias, self._group = self._given, 0
        return super().second_stage(case, y, pointwise)

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        self._bias = None
        return super().add_bias(case, y, bias)

    def multiply(self, rows: Array, columns: Array) -> Array:
        filters = columns.shape[-1]
        total = np.zeros((*rows.shape[:-1], filters), rows.dtype)
        if self._bias is not None:
            total += self._bias[self._group : self._group + filters]
        self._group += filters
        for term, column in enumerate(columns):
            total = total + rows[..., term, None] * column
        return total


class InThreeTerms(Layers):
    """Operands are split into three bfloat16 terms, which hold all 24 bits, and all nine products are summed, the smallest first.

    What has no three terms, an infinity, is multiplied whole.
    """

    def multiply(self, rows: Array, columns: Array) -> Array:
        with np.errstate(invalid="ignore"):
            products = [a @ b for a in _in_three(rows) for b in _in_three(columns)]
            total = sum(products[1:], start=products[0])
            return np.where(np.isfinite(total), total, rows @ columns)


class ByTheReference(Layers):
    """The reference's fast form in float32, tap by tap."""

    forms: Any = reference

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        self.refuse(case)
        given: dict[str, Any] = {name: getattr(case, name) for name in ("strides", "padding", "dilation_rate", "data_format")}
        if case.transposed:
            y = self.forms.conv_transpose(probe.x, probe.kernel, probe.bias, output_padding=case.output_padding, **given)
        elif case.separable:
            y = self.forms.separable_conv(probe.x, probe.kernel, probe.pointwise, probe.bias, **given)
        elif case.depthwise:
            y = self.forms.depthwise_conv(probe.x, probe.kernel, probe.bias, **given)
        else:
            y = self.forms.conv(probe.x, probe.kernel, probe.bias, groups=case.groups, **given)
        return Observed(y, str(y.dtype))


class ByTheDefinition(ByTheReference):
    """The reference's plain loops in float32, one product at a time."""

    forms = definition


RIGHT = (
    Layers, Forwards, Backwards, EvenBeforeOdd, Pairwise, InBlocks, Compensated, Fused, Wide, BiasFirst, InThreeTerms,
    ByTheReference, ByTheDefinition, InModes,
)  # fmt: skip


def _in_three(values: Array) -> list[Array]:
    """Low, middle and high part."""
    high = rounded(values, BFLOAT16)
    middle = rounded(values - high, BFLOAT16)
    return [values - high - middle, middle, high]
