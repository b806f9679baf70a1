"""Special values for a case: NaN, infinities, zeros with a sign, subnormals, overflow; what must come out, and what may.

A layer has one kind of special value in one place, chosen by a hash of its id, and a case one element that carries it. The other operands
are exact, so every element that does not see the special one must be the defined number, to the last bit: a NaN that reaches its
neighbours, another item of the batch, another filter or group is seen, and so is one that is lost.

What correct implementations may differ in is not judged but told, as a characteristic:

- *padding*: the zeros around an input are multiplied with a NaN or Inf of the kernel, or skipped. (Those that a transposed convolution may
  be thought to insert between its input's elements are no part of its definition: a NaN made there is wrong.)
- *subnormals* are kept, or taken for zero;
- a sum whose *partial sums* overflow and whose end does not: its value, or Inf or NaN;
- the *sign of zero*, of a sum of negative zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from conformance.cases import Case
from conformance.contract import axes, compute, output_shape
from conformance.formats import FORMATS
from conformance.probes import Probe, exact, exact_result, seed_of, storage
from conformance.spread import part
from reference.arguments import Array

INPUT, BORDER, KERNEL, BIAS, PRODUCT = "input", "border", "kernel", "bias", "product"
"""Where a special value stands: anywhere in the input, in a corner of it, in the kernel, in the bias, or first in a product."""

NOT_FINITE = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}
INF_TIMES_ZERO, OVERFLOW, CANCELLING, ZERO, SUBNORMAL = "inf times zero", "overflow", "cancelling overflow", "negative zero", "subnormal"

KINDS: tuple[tuple[str, str], ...] = (
    *((value, place) for value in NOT_FINITE for place in (INPUT, BORDER, KERNEL, BIAS)),
    *((SUBNORMAL, place) for place in (INPUT, KERNEL, BIAS, PRODUCT)),
    (INF_TIMES_ZERO, INPUT),
    (OVERFLOW, INPUT),
    (CANCELLING, INPUT),
    (ZERO, INPUT),
)
"""Every value in every place where it says something."""


@dataclass(frozen=True, slots=True, eq=False)
class Allowance:
    """What else a result may be, by element: ``values`` where ``where``."""

    where: Array
    values: Array | float


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """A characteristic: the first of ``words`` for the elements ``where``, the second for those of them that ``is_second`` says so of."""

    name: str
    where: Array
    words: tuple[str, str]
    is_second: Callable[[Array], Array]

    def word(self, values: Array) -> str | None:
        """What is to be told of a result, ``mixed`` if both; None where it shows nothing."""
        seen = self.is_second(values)[self.where]
        if not seen.size:
            return None
        return self.words[int(seen[0])] if seen.all() or not seen.any() else "mixed"


@dataclass(frozen=True, slots=True, eq=False)
class Special:
    """The operands of a case with a special value, and what may come of them."""

    kind: str
    probe: Probe
    values: Array
    allowed: Sequence[Allowance] = ()
    told: Told | None = None

    def wrong(self, values: Array) -> Array:
        """The elements that are neither what is defined nor what is allowed; NaN is equal to NaN here."""
        right = _same(values, self.values)
        for allowance in self.allowed:
            right |= allowance.where & _same(values, allowance.values)
        return np.asarray(~right)


def kind_of(case: Case) -> tuple[str, str]:
    """Which value, and where: the same for all cases of one layer, so that they share its weights."""
    kinds = [kind for kind in KINDS if case.use_bias or kind[1] != BIAS]
    return kinds[part(case.configuration, len(kinds), "special value")]


def special(case: Case) -> Special:
    """The special value of a case, its operands, and what may come out."""
    value, place = kind_of(case)
    if value == ZERO:
        return _zeros(case)
    if value == CANCELLING:
        return _cancelling(case)
    if place == BIAS:
        return _in_bias(case, value)
    return _in_kernel(case, value) if place == KERNEL else _in_input(case, value, place)


def _in_input(case: Case, value: str, place: str) -> Special:
    """One element of the input. An output sees it through at most one tap, and so through one product."""
    probe, number = exact(case), FORMATS[case.compute_dtype]
    at = _input_element(case, place)
    mark = np.zeros(probe.x.shape, np.int64)
    mark[at] = 1
    sees = compute(case, mark, np.ones(probe.kernel.shape, np.int64), None) != 0
    if value == SUBNORMAL:
        small, factor = (3 * number.smallest, 1.0) if place == INPUT else (2.0 ** (number.least // 2), 2.0 ** (number.least // 2 - 1))
        signs = np.sign(probe.kernel)
        values = compute(case, mark, signs.astype(np.int64), None) * (small * factor)
        return _subnormal(case, mark * small, signs * factor, _no_bias(probe), values, sees, place)
    if value == OVERFLOW:  # nothing but zeros beside it, which cannot bring the largest number back from Inf, nor move it
        met = compute(case, mark, probe.kernel.astype(np.float64), None)
        with np.errstate(over="ignore"):
            values = np.where(np.abs(met) > 1, np.copysign(np.inf, met), met * number.largest)
        x = (mark * number.largest).astype(probe.x.dtype)
        return Special(OVERFLOW, replace(probe, x=x, bias=_no_bias(probe), weights="special"), values)
    x, kernel = probe.x.copy(), probe.kernel
    if value == INF_TIMES_ZERO:
        kernel = kernel.copy()
        np.moveaxis(kernel, _filter_axis(case), 0)[0] = 0
    x[at] = NOT_FINITE.get(value, np.inf)
    values = exact_result(case, probe.x, kernel, probe.bias).astype(np.float64)
    met = compute(case, mark, kernel.astype(np.float64), None)  # the kernel element that each output sees it through
    with np.errstate(invalid="ignore"):
        values[sees] = met[sees] * x[at]
    return Special(f"{value} in the {place}", replace(probe, x=x, kernel=kernel, weights="special"), values)


def _in_kernel(case: Case, value: str) -> Special:
    """One element of the kernel: all outputs of its filter have it as a weight, of an input element or of a zero around or between them."""
    probe, number = exact(case), FORMATS[case.compute_dtype]
    at = tuple(int(i) for i in _rng(case.configuration).integers(0, probe.kernel.shape))
    mark = np.zeros(probe.kernel.shape, np.int64)
    mark[at] = 1
    met = compute(case, np.sign(probe.x).astype(np.int64), mark, None)
    sees = compute(case, np.ones(probe.x.shape, np.int64), mark, None) != 0
    if value == SUBNORMAL:
        small = 3 * number.smallest
        return _subnormal(case, np.sign(probe.x), mark * small, _no_bias(probe), met * small, sees, KERNEL)
    kernel = probe.kernel.copy()
    kernel[at] = NOT_FINITE[value]
    without = np.where(mark == 1, 0, probe.kernel)
    values = exact_result(case, probe.x, without, probe.bias).astype(np.float64)
    padding = _filter_of(case, at) & _in_step(case, at) & ~sees
    with np.errstate(invalid="ignore"):
        values[sees] = met[sees] * NOT_FINITE[value]
    made = replace(probe, kernel=kernel, weights="special")
    told = Told(f"padding times {value.lstrip('-')} of the kernel", padding, ("skipped", "multiplied"), np.isnan)
    return Special(f"{value} in the {KERNEL}", made, values, [Allowance(padding, np.nan)], told)


def _in_bias(case: Case, value: str) -> Special:
    """One element of the bias: a term of every output of its filter."""
    probe, number = exact(case), FORMATS[case.compute_dtype]
    assert probe.bias is not None  # noqa: S101 - a kind for layers that have one
    at = int(_rng(case.configuration).integers(0, case.filters))
    of_filter = _of_filters(case, np.arange(case.filters) == at)
    if value == SUBNORMAL:
        small = 3 * number.smallest
        bias = np.where(np.arange(case.filters) == at, small, 0)
        return _subnormal(case, probe.x, np.zeros_like(probe.kernel), bias, of_filter * small, of_filter, BIAS)
    bias = probe.bias.copy()
    bias[at] = NOT_FINITE[value]
    values = exact_result(case, probe.x, probe.kernel, probe.bias).astype(np.float64)
    values[of_filter] = NOT_FINITE[value]
    return Special(f"{value} in the {BIAS}", replace(probe, bias=bias, weights="special"), values)


def _subnormal(case: Case, x: Array, kernel: Array, bias: Array | None, values: Array, sees: Array, place: str) -> Special:
    """A product, or a bias, below the normal numbers: its value, or zero."""
    kind = storage(case.compute_dtype)
    probe = Probe(x.astype(kind), kernel.astype(kind), None if bias is None else bias.astype(kind), {}, weights="special")
    told = Told(f"subnormals ({place})", sees, ("kept", "flushed"), lambda result: result == 0)
    return Special(f"{SUBNORMAL} ({place})", probe, values, [Allowance(sees, 0.0)], told)


def _zeros(case: Case) -> Special:
    """Negative zeros times positive numbers: a sum of negative zeros, which is negative unless it begins with a positive one."""
    probe = exact(case)
    bias = None if probe.bias is None else np.full_like(probe.bias, -0.0)
    made = replace(probe, x=np.full_like(probe.x, -0.0), kernel=np.abs(probe.kernel), bias=bias, weights="special")
    shape = output_shape(case)
    return Special(ZERO, made, np.zeros(shape), told=Told("sign of zero", np.ones(shape, bool), ("+", "-"), np.signbit))


def _cancelling(case: Case) -> Special:
    """The largest number L with either sign times ones: k L with p positive and n negative terms.

    A sum may be Inf on its way if p > 1 and then stays so, -Inf if n > 1, and NaN if both. Where |k| < 2 its end is a number all the same.
    """
    probe, largest = exact(case), FORMATS[case.compute_dtype].largest
    signs, ones = np.sign(probe.x), np.ones_like(probe.kernel)
    k = compute(case, signs.astype(np.int64), ones.astype(np.int64), None)
    terms = compute(case, np.ones(signs.shape, np.int64), ones.astype(np.int64), None)
    positive, negative = (terms + k) // 2 > 1, (terms - k) // 2 > 1
    number = np.abs(k) < 2
    values = np.where(number, np.clip(k, -1, 1) * largest, np.copysign(np.inf, k))
    allowed = [Allowance(positive, np.inf), Allowance(negative, -np.inf), Allowance(positive & negative, np.nan)]
    made = replace(probe, x=(signs * largest).astype(probe.x.dtype), kernel=ones, bias=_no_bias(probe), weights="special")
    told = Told("partial sums that overflow", number & (positive | negative), ("numbers", "overflow"), lambda result: ~np.isfinite(result))
    return Special(CANCELLING, made, values, allowed, told)


def _no_bias(probe: Probe) -> Array | None:
    return None if probe.bias is None else np.zeros_like(probe.bias)


def _input_element(case: Case, place: str) -> tuple[int, ...]:
    """An element of the input, of any item and channel."""
    rng = _rng(case)
    position = [int(rng.integers(0, n)) if place != BORDER else int(rng.integers(0, 2)) * (n - 1) for n in case.size]
    item, channel = int(rng.integers(0, case.batch)), int(rng.integers(0, case.channels))
    return (item, *position, channel) if case.data_format == "channels_last" else (item, channel, *position)


def _filter_axis(case: Case) -> int:
    """The axis of the kernel that the filters lie along; of a depthwise kernel, that of each channel's own."""
    return -2 if case.transposed else -1


def _filter_of(case: Case, at: tuple[int, ...]) -> Array:
    """True for the outputs that have a kernel element as a weight, of an element or of a zero."""
    f = at[-2] * case.depth_multiplier + at[-1] if case.depthwise else at[_filter_axis(case)]
    return _of_filters(case, np.arange(case.filters) == f)


def _in_step(case: Case, at: tuple[int, ...]) -> Array:
    """True for the outputs that a kernel element meets an input at, or where one would be if the input had no end.

    All of a convolution; of a transposed one with stride s every s-th, the others lie between two elements of the input.
    """
    steps = []
    for axis, tap in zip(axes(case), at, strict=False):
        places = np.arange(axis.big if case.transposed else axis.small)
        steps.append((places + axis.before - tap * axis.dilation) % axis.stride == 0 if case.transposed else places >= 0)
    spatial = reduce(np.logical_and.outer, steps)
    return np.broadcast_to(spatial[None, ..., None] if case.data_format == "channels_last" else spatial[None, None], output_shape(case))


def _of_filters(case: Case, chosen: Array) -> Array:
    """True for the outputs of the chosen filters, in the case's data format."""
    shape = output_shape(case)
    along = chosen if case.data_format == "channels_last" else chosen.reshape(-1, *(1,) * case.rank)
    return np.broadcast_to(along, shape)


def _rng(case: Case) -> np.random.Generator:
    return np.random.default_rng(seed_of(str(case), "special element"))


def _same(one: Array, other: Array | float) -> Array:
    return np.asarray((one == other) | (np.isnan(one) & np.isnan(other)))
