"""What rounding may do to a convolution: bounds for any order of summation, and what its errors look like in number.

Write u for the unit roundoff of the type that sums are carried in, eta for its smallest subnormal. One element is a sum of n products
(and a bias, a product with 1: then n counts one more); S is the same sum of absolute values.

**Bound.** Rounding to nearest turns the exact result z of an operation into ``z (1 + d)`` with ``|d| <= u / (1 + u)``, a product below
the normal numbers into one that is off by at most eta / 2; sums there are exact. Whatever the order, blocking or use of fused
multiply-add, each product passes through at most n roundings, and Jeannerod and Rump (*Improved error bounds for inner products in
floating-point arithmetic*, SIAM J. Matrix Anal. Appl. 34, 2013) show that the factors add up to no more than n, with no term in u^2 and no
condition on n u::

    |computed - exact| <= n u S + (n + 1) eta / 2

Higham's classical ``gamma_n = n u / (1 - n u)`` (*Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 3.1) is larger, and has
no meaning for bfloat16 sums of 256 terms. One half eta more than there are products is for a result that is rounded once more.

**Two stages.** A separable convolution sums a first time, rounds, and sums again; so do the gradients of its kernels. With a terms in
the first sums and b in the second, errors of the first pass through the second: ``(a + b + a b u) u S``.

**Probable error.** If rounding errors are random, with mean 0 whatever came before, an error is a martingale of n steps, each at most
u S, and Azuma's inequality gives ``|computed - exact| <= l sqrt(n) u S`` but with probability ``2 exp(-l^2 / 2)`` (Higham and Mary, *A new
approach to probabilistic rounding error analysis*, SIAM J. Sci. Comput. 41, 2019). This asks for data of zero mean.

**Statistics.** Over many elements of such data the normalised errors ``e = (computed - exact) / (u S)`` must not be too large in the
mean, nor lean to one side: the rules for dot products of TOSA (*Tensor Operator Set Architecture*, section on floating-point
compliance), ``sum of e^2 <= 1.6 sum of n`` and ``|sum of e| <= sqrt(10 * 1.6 * sum of n) = 4 sqrt(sum of n)``. By the same inequality the
second fails for a correct implementation with a probability of at most ``2 exp(-8)``, 1 in 1,500, were every partial sum as large as S;
those of zero mean are of the order of ``S / sqrt(n)``, which leaves nothing of it. ``e`` times the sign of the exact result is held to the
same limit: a sum that is cut off instead of rounded leans towards zero, to either side alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log, prod, sqrt

import numpy as np

from conformance.cases import Case
from conformance.contract import compute, compute_gradients, output_shape, positions_joined, taps_met
from conformance.formats import FORMATS, Format
from conformance.probes import Probe
from reference.arguments import Array

OUTPUTS = 1_000
"""Elements that a statistical verdict needs."""

IMPROBABLE = 1e-6
"""The probability with which the probable bound of one result, over all its elements together, fails a correct implementation."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """The exact elements of a result, and the sums that they are. Arrays have the shape of the result, or one that broadcasts to it:
    what is alike in all channels, as how many terms there are, is held and worked out once.

    The exact value is ``value + rest``, but for an error of ``computed_with`` roundoff: 0 where it was computed in integers.
    ``stages`` are the numbers of terms that each element sums, one array a stage; ``gain`` is by how much the second stage multiplies an
    error of the first, at most.
    """

    value: Array
    rest: Array
    magnitude: Array
    stages: tuple[Array, ...]
    computed_with: float
    gain: float = 1.0
    bias: Array | None = None

    def roundings(self, roundoff: float) -> Array:
        """n, or a + b + a b u: the bound without its underflow is so many times u S."""
        if len(self.stages) == 1:
            return self.stages[0].astype(np.float64)
        first, second = (stage.astype(np.float64) for stage in self.stages)
        return first + second + first * second * roundoff

    def error(self, values: Array) -> Array:
        """``values`` minus the exact ones; values that are not finite give what they are."""
        with np.errstate(invalid="ignore", over="ignore"):
            error = values.astype(np.float64)
            error -= self.value
            if self.rest.any():
                error -= self.rest
        return error

    def bound(self, number: Format) -> Array:
        """The largest error of any order of summation in this format, see the module; with the error of the exact value itself.

        Of the sum it is ``times * S + underflow``; ``own`` is the relative error of the exact value, and of S.
        """
        u, eta = number.roundoff, number.smallest
        *first, last = self.stages
        underflow = (last + 1) * eta / 2
        for stage in first:
            underflow = underflow + (1 + last * u) * self.gain * (stage + 1) * eta / 2
        times, underflow = (np.where(last > 0, part, 0.0) for part in (self.roundings(u) * u, underflow))
        own = 2 * self.roundings(self.computed_with) * self.computed_with
        bound = self.magnitude * (times * (1 + own) + own)
        bound += underflow * (1 + own)
        return np.asarray(bound)

    def rounded_once(self, wide: Format, number: Format) -> Array:
        """The largest error if products are summed in ``wide`` and the sum is rounded to ``number``; then a bias added, and rounded again.

        With D the error of the wide sum c, and R that of the first rounding: ``R = D + u (|c| + D) + eta / 2``, and behind a bias
        ``R + u (|y| + R)``. Of one stage only.
        """
        u, eta = number.roundoff, number.smallest
        bias = 0.0 if self.bias is None else self.bias
        products = replace(self, magnitude=self.magnitude - np.abs(bias), stages=(np.maximum(self.stages[0] - (self.bias is not None), 0),))
        wide_error = products.bound(wide)
        error = wide_error + u * (np.abs(self.value - bias) + wide_error) + eta / 2
        if self.bias is not None:
            error = error + u * (np.abs(self.value) + error)
        return np.where(self.stages[0] > 0, error, 0.0)


def probable(sums: Sums, number: Format) -> Array:
    """The error that all elements together stay below but with probability `IMPROBABLE`, for data of zero mean."""
    roundings = sums.roundings(number.roundoff)
    factor = sqrt(2 * log(2 * max(sums.value.size, 1) / IMPROBABLE))
    times = np.minimum(roundings, factor * np.sqrt(roundings)) / np.maximum(roundings, 1)
    return np.asarray(times * sums.bound(number))


def suspicious(sums: Sums, values: Array, number: Format) -> str | None:
    """Why the errors of many elements of zero-mean data, each within its bound, are not those of rounding; None if they may be."""
    u = number.roundoff
    counted = (sums.stages[-1] > 0) & (sums.magnitude > 0)
    elements = np.count_nonzero(counted)
    if elements < OUTPUTS:
        return None
    e = np.zeros(counted.shape)
    np.divide(sums.error(values), u * sums.magnitude, out=e, where=counted)
    terms = float(np.sum(np.broadcast_to(sums.roundings(u), counted.shape), where=counted))
    leaning = e * np.sign(sums.value)
    for name, found, limit in (
        ("the sum of squares", float((e * e).sum()), 1.6 * terms),
        ("the sum", abs(float(e.sum())), 4 * sqrt(terms)),
        ("the sum in the direction of the result", abs(float(leaning.sum())), 4 * sqrt(terms)),
    ):
        if not found <= limit:
            return (
                f"over {elements:,} elements {name} of the errors in units of u S is {found:.4g}, more than {limit:.4g} that rounding makes"
            )
    return None


FALSE_ALARM = 2 * exp(-8)
"""The probability with which `suspicious` flags a correct implementation, at most."""


def forward_sums(case: Case, probe: Probe) -> Sums:
    """The sums of a layer's result on the operands of the probe."""
    met = taps_met(case, 1, of_output=True)  # alike in all channels
    channels = case.channels // case.groups
    bias, last = probe.bias, case.use_bias
    if case.separable:
        stages: tuple[Array, ...] = (met, np.where(met > 0, case.channels * case.depth_multiplier + last, 0))
    else:
        terms = met * (1 if case.depthwise else channels)
        stages = (np.where(terms > 0, terms + last, 0),)
    spread = None if bias is None else _along_filters(case, bias).astype(np.float64)
    gain = 1.0 if probe.pointwise is None else float(np.abs(probe.pointwise, dtype=np.float64).reshape(-1, case.filters).sum(axis=0).max())
    operands = [operand.astype(np.float64) for operand in (probe.x, *probe.kernels)]

    def result(operands: list[Array], bias: Array | None) -> Array:
        x, kernel, *pointwise = operands
        return compute(case, x, kernel, bias, *pointwise)

    if case.compute_dtype == "float64":
        scaled = [_Whole.of(operand) for operand in operands]
        exact = _Whole(result([each.numbers for each in scaled], None), sum(each.exponent for each in scaled))
        if bias is not None:
            exact = exact + _Whole.of(_along_filters(case, bias))
        (value, rest), computed_with = exact.floats(), 0.0
    else:
        value, rest = result(operands, None if bias is None else bias.astype(np.float64)), np.zeros(())
        computed_with = FORMATS["float64"].roundoff
    # in place: these copies have served
    absolute = [np.abs(operand, out=operand) for operand in operands]
    magnitude = result(absolute, None if bias is None else np.abs(bias).astype(np.float64))
    return Sums(value, rest, magnitude, stages, computed_with, gain, spread)


def gradient_sums(case: Case, probe: Probe) -> dict[str, Sums]:
    """The sums of the gradients on the operands of the probe: ``input``, kernels by name and, if there is one, ``bias``."""
    upstream = np.zeros(0) if probe.upstream is None else probe.upstream
    operands = {"x": probe.x, "upstream": upstream, **dict(zip(("kernel", "pointwise"), probe.kernels, strict=False))}
    wide = {name: operand.astype(np.float64) for name, operand in operands.items()}
    stages, second = _gradient_stages(case), {"input": "kernel", case.kernel_names[0]: "x", case.kernel_names[-1]: "upstream"}
    names = [name for name in stages if name != "bias" or case.use_bias]
    magnitudes = _gradients(case, {name: np.abs(operand) for name, operand in wide.items()})
    gains = {name: float(np.abs(wide[second[name]]).sum()) if case.separable and name in second else 1.0 for name in names}
    if case.compute_dtype != "float64":
        values = _gradients(case, wide)
        roundoff, rest = FORMATS["float64"].roundoff, np.zeros(())
        return {name: Sums(values[name], rest, magnitudes[name], stages[name], roundoff, gains[name]) for name in names}
    scaled = {name: _Whole.of(operand) for name, operand in wide.items()}
    exact = _gradients(case, {name: each.numbers for name, each in scaled.items()})
    total = sum(each.exponent for each in scaled.values())
    # a gradient is a product of all operands but the one that it belongs to
    without = {"input": "x", **dict(zip(case.kernel_names, ("kernel", "pointwise"), strict=False))}
    exponents = {name: total - scaled[operand].exponent for name, operand in without.items()} | {"bias": scaled["upstream"].exponent}
    return {name: Sums(*_Whole(exact[name], exponents[name]).floats(), magnitudes[name], stages[name], 0.0, gains[name]) for name in names}


def _gradients(case: Case, operands: dict[str, Array]) -> dict[str, Array]:
    found = compute_gradients(case, operands["x"], operands["kernel"], operands["upstream"], operands.get("pointwise"))
    kernels = (found.kernel,) if found.pointwise_kernel is None else (found.kernel, found.pointwise_kernel)
    return {"input": found.x, **dict(zip(case.kernel_names, kernels, strict=True)), "bias": found.bias}


def _gradient_stages(case: Case) -> dict[str, tuple[Array, ...]]:
    """The numbers of terms of every gradient's elements. In a separable layer the gradient of the depthwise result comes first."""
    met, joined = taps_met(case, 1, of_output=False), case.batch * positions_joined(case)
    positions = prod(output_shape(case)) // case.filters
    bias = np.asarray(positions)
    if case.separable:
        inside = taps_met(case, 1, of_output=True)
        depthwise, pointwise = case.kernel_names
        return {
            "input": (np.full(met.shape, case.filters), met * case.depth_multiplier),
            depthwise: (np.full(joined.shape, case.filters), joined),
            pointwise: (np.asarray(inside.max(initial=0)), np.asarray(positions)),
            "bias": (bias,),
        }
    each = case.depth_multiplier if case.depthwise else case.filters // case.groups
    return {"input": (met * each,), case.kernel_names[0]: (joined,), "bias": (bias,)}


def _along_filters(case: Case, bias: Array) -> Array:
    """The bias, to be added to a result."""
    return bias.reshape(case.in_layout((*(1,) * (case.rank + 1), case.filters)))


@dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    """Numbers as integers of any size times one power of two: sums and products of float64 numbers without rounding, on any machine."""

    numbers: Array
    exponent: int

    @classmethod
    def of(cls, values: Array) -> _Whole:
        fraction, exponent = np.frexp(values.astype(np.float64))
        least = int(exponent[values != 0].min(initial=0)) - 53
        shift = np.where(values == 0, 0, exponent - 53 - least)
        return cls(np.ldexp(fraction, 53).astype(np.int64).astype(object) << shift.astype(object), least)

    def __add__(self, other: _Whole) -> _Whole:
        least = min(self.exponent, other.exponent)
        return _Whole((self.numbers << (self.exponent - least)) + (other.numbers << (other.exponent - least)), least)

    def floats(self) -> tuple[Array, Array]:
        """The nearest float64 numbers, and the nearest ones to what they lack."""
        numbers = self.numbers.ravel()
        near = [float(number) for number in numbers]
        lack = [float(number - int(value)) for number, value in zip(numbers, near, strict=True)]
        value, rest = (np.ldexp(np.array(each, np.float64), self.exponent).reshape(self.numbers.shape) for each in (near, lack))
        return value, rest
