"""Input data for a case. Exact data: integers so small that no arithmetic of the tested type can round.

With p significand bits, hidden bit included, every integer up to 2^p is a number of the type. If all operands are integers and the
same map on absolute values, S, stays within 2^p, then so does every partial sum in every order and blocking, with or without fused
multiply-add: whoever only multiplies and adds gets the very same bits. That makes equality the verdict, with no tolerance.

The data are odd, so that a lost product is seen; small integers survive a loss of precision, so the amplitude lies on both operands, on
the input, or on the kernel, case by case: a wide float32 operand has more bits than bfloat16 and TF32 keep.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isqrt, prod
from typing import NamedTuple

import numpy as np

from conformance.cases import Case
from conformance.contract import axes, compute, compute_gradients, output_shape, reached_by_gradients
from reference.arguments import Array

SIGNIFICAND_BITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}
"""p of each type, hidden bit included."""


ATTEMPTS = 1024
"""Draws of an input before a case is given up. Nearly always one is enough; 16 pixels in a row with one channel need some hundred."""


class UntrustedCaseError(Exception):
    """The data of a case would prove nothing, or break the condition that makes equality the verdict: a fault of this project."""


@dataclass(frozen=True, slots=True)
class Draw:
    """How one operand is made, as data: odd integers of magnitude below ``2 half`` and, if ``keep < 1``, some of them zeroed.

    ``array`` and ``code`` are the same recipe, once to run and once to print in a repro script.
    """

    seed: int
    half: int
    shape: tuple[int, ...]
    dtype: str
    keep: float = 1.0

    def array(self) -> Array:
        rng = np.random.default_rng(self.seed)
        values = (2 * rng.integers(-self.half, self.half, self.shape) + 1).astype(self.dtype)
        return values if self.keep == 1.0 else np.asarray(values * (rng.random(self.shape) < self.keep))

    def code(self, name: str) -> list[str]:
        """Lines of Python that make ``name`` the same array, given ``numpy`` as ``np``."""
        lines = [
            f"rng = np.random.default_rng({self.seed})",
            f"{name} = (2 * rng.integers({-self.half}, {self.half}, {self.shape}) + 1).astype({self.dtype!r})",
        ]
        return lines if self.keep == 1.0 else [*lines, f"{name} *= rng.random({self.shape}) < {self.keep}"]


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """The operands of one case, and how they were drawn. Arrays hold the numbers exactly, whatever the type under test.

    Shapes: ``x`` as ``case.in_layout(case.input_shape)``, ``kernel`` as ``case.kernel_shape``, ``bias`` (filters,) or None.
    """

    x: Array
    kernel: Array
    bias: Array | None
    draws: dict[str, Draw]
    weights: str = "forward"
    """What the weights were made for: probes of one `Case.configuration` and one such name have the same kernel and bias."""
    upstream: Array | None = None
    """For gradients: g, what the output's elements are weighted with, in the output's shape."""


def exact(case: Case) -> Probe:
    """Odd integers whose every partial sum is a number of the case's type.

    Input and kernel share the budget 2^p as ``case.data`` says. The kernel and the bias depend on the layer alone, as they do for a
    user, and so serve every input size; the input depends on the whole case.

    Raises:
        UntrustedCaseError: no data were found whose sums of absolute values stay within 2^p.
    """
    weights = _weights(case.configuration)
    seed, keep = _seed(str(case), "x"), weights.x_keep
    for attempt in range(ATTEMPTS):
        draw = Draw(seed + attempt, weights.x_half, case.in_layout(case.input_shape), storage(case.dtype), keep)
        x = draw.array()
        if keep == 1.0 and not _neighbours_differ(x):
            continue
        if _within_budget(case, x, weights):
            return Probe(x, weights.kernel, weights.bias, {"x": draw, **weights.draws})
        keep /= 2
    raise UntrustedCaseError(f"{case}: found no exact data within the budget of {case.dtype}")


def exact_gradients(case: Case) -> Probe:
    """Odd integers for input, kernel and upstream gradient g, such that every partial sum of every gradient is a number of the type.

    With M the pairs of positions that one tap joins, and K the terms of one element of the input's gradient, the amplitudes keep
    ``K |w| |g|``, ``M |x| |g|`` and the sum of ``|g|`` within 2^p. ``case.data`` says which operand is wide: g, beside small x and w, for
    ``wide_input``; x and w, beside a small g, for ``wide_kernel``. What the data come to is then checked on the data.

    Raises:
        UntrustedCaseError: no data were found within the budget whose gradients deserve trust.
    """
    budget = 2 ** SIGNIFICAND_BITS[case.dtype]
    weights = _gradient_weights(case.configuration)
    output = output_shape(case)
    joined, positions = case.batch * prod(axis.small for axis in axes(case)), prod(output) // case.filters
    share = max(budget // joined, 1) if joined else budget
    w_most = 2 * weights.draws["kernel"].half - 1
    g_most = min(max(budget // (weights.terms * w_most), 1), max(budget // max(positions, 1), 1))
    least = 3 if share >= 9 else 1
    g_most = min(g_most, {"symmetric": isqrt(share), "wide_input": share // least, "wide_kernel": 1}[case.data])
    x_most = min(share // g_most, least if case.data == "wide_input" else share)
    seed, kind, reached = _seed(str(case), "gradients"), storage(case.dtype), reached_by_gradients(case)
    keep, doubt = 1.0, "not within the budget"
    for attempt in range(ATTEMPTS):
        draws = {
            "x": Draw(seed + 2 * attempt, (x_most + 1) // 2, case.in_layout(case.input_shape), kind),
            "upstream": Draw(seed + 2 * attempt + 1, (g_most + 1) // 2, output, kind, keep),
        }
        probe = Probe(draws["x"].array(), weights.kernel, weights.bias, {**draws, **weights.draws}, "gradients", draws["upstream"].array())
        if not _gradients_within_budget(case, probe):
            keep /= 2
            continue
        operands = (("x", probe.x), ("upstream", draws["upstream"].array()))
        # small numbers have too few unlike neighbours in a long row; the sums over a row tell its moves apart all the same
        if (
            keep == 1.0
            and attempt < ATTEMPTS // 2
            and any(made.size and draws[name].half > 1 and not _neighbours_differ(made) for name, made in operands)
        ):
            continue
        expected = exact_gradients_result(case, probe)
        doubts = [f"{name}: {said}" for name, wanted in expected.items() if (said := mistrusted(wanted, reached[name], keep))]
        if not doubts:
            return probe
        doubt = doubts[0]
    raise UntrustedCaseError(f"{case}: found no exact data for gradients of {case.dtype}, {doubt}")


def exact_gradients_result(case: Case, probe: Probe) -> dict[str, Array]:
    """The defined gradients on exact data, as integers held without rounding: ``input``, ``kernel`` and, if there is one, ``bias``."""
    kind = np.int64 if case.dtype == "float64" else np.float64
    upstream = np.zeros(0) if probe.upstream is None else probe.upstream
    found = compute_gradients(case, probe.x.astype(kind), probe.kernel.astype(kind), upstream.astype(kind))
    return {"input": found.x, "kernel": found.kernel, **({} if probe.bias is None else {"bias": found.bias})}


def error_probe(case: Case) -> Probe:
    """Operands for a case that must be refused: an input of ones, since no result is compared.

    Kernel and bias are those of the layer all the same: a subject may keep it for the other cases that share it.
    """
    weights = _weights(case.configuration)
    return Probe(np.ones(case.in_layout(case.input_shape), storage(case.dtype)), weights.kernel, weights.bias, {})


def terms(case: Case) -> int:
    """An upper bound for the number of products that one output element sums, and one more for the bias."""
    channels = case.channels // case.groups
    if not case.transposed:
        return prod(case.kernel_size) * channels + case.use_bias
    return prod(_met(case)) * channels + case.use_bias


def _met(case: Case) -> tuple[int, ...]:
    """How many taps of each axis meet one element of the big side, at most: with stride s, every s-th of an undilated kernel."""
    return tuple(-(-k // s) if d == 1 else k for k, s, d in zip(case.kernel_size, case.strides, case.dilation_rate, strict=True))


def mistrusted(expected: Array, reached: Array, keep: float = 1.0) -> str | None:
    """Why an expected result proves little, in a few words: it is mostly zeros, or the same everywhere. None if it is neither.

    Only elements that some tap contributes to are judged: where a definition puts zeros or the plain bias, those are right. At least
    half of them must be nonzero and, if there are four or more, two must differ. ``keep`` is the share of the data that was not zeroed to
    stay within the budget: so much less is asked for then.
    """
    judged = expected[reached]
    if 2 * np.count_nonzero(judged) < keep * judged.size:
        return f"most of the expected result is zero ({np.count_nonzero(judged)} of {judged.size} are not)"
    if judged.size >= 4 and np.ptp(judged) == 0:
        return f"all {judged.size} elements of the expected result are {judged[0]:g}"
    return None


def storage(dtype: str) -> str:
    """The NumPy type that holds the numbers of a tested type exactly; NumPy has no bfloat16."""
    return "float32" if dtype == "bfloat16" else dtype


def exact_result(case: Case, x: Array, kernel: Array, bias: Array | None) -> Array:
    """The defined result on exact data, as integers that float64 (for a float64 case: int64) holds without rounding."""
    kind = np.int64 if case.dtype == "float64" else np.float64
    return compute(case, x.astype(kind), kernel.astype(kind), None if bias is None else bias.astype(kind))


@dataclass(frozen=True, slots=True, eq=False)
class _Weights:
    """What belongs to a layer and not to one input: kernel, bias, and the amplitude that is left for the input."""

    kernel: Array
    bias: Array | None
    draws: dict[str, Draw]
    x_half: int
    x_keep: float
    kernel_sum: float
    """The largest sum of ``|kernel|`` over all taps and channels of one filter."""


class _GradientWeights(NamedTuple):
    """Kernel and bias for gradients. ``terms`` is an upper bound for the products that one element of the input's gradient sums."""

    kernel: Array
    bias: Array | None
    draws: dict[str, Draw]
    terms: int


@lru_cache(maxsize=256)
def _gradient_weights(configuration: Case) -> _GradientWeights:
    filters = configuration.filters // configuration.groups
    terms = prod(configuration.kernel_size if configuration.transposed else _met(configuration)) * filters
    share = max(2 ** SIGNIFICAND_BITS[configuration.dtype] // terms, 1)
    most = {"symmetric": isqrt(share), "wide_input": 1, "wide_kernel": share}[configuration.data]
    kind, name = storage(configuration.dtype), str(configuration)
    draws = {"kernel": Draw(_seed(name, "gradients kernel"), (most + 1) // 2, configuration.kernel_shape, kind)}
    if configuration.use_bias:
        draws["bias"] = Draw(_seed(name, "gradients bias"), 2, (configuration.filters,), kind)
    arrays = {operand: draw.array() for operand, draw in draws.items()}
    return _GradientWeights(arrays["kernel"], arrays.get("bias"), draws, terms)


@lru_cache(maxsize=256)
def _weights(configuration: Case) -> _Weights:
    budget = 2 ** SIGNIFICAND_BITS[configuration.dtype]
    n = terms(configuration)
    share = budget // min(n, budget)
    least = 3 if share >= 9 else 1  # an input of 1 and -1 alone has too few unlike neighbours if it is long and thin
    x_most, kernel_most = {
        "symmetric": (isqrt(share), isqrt(share)),
        "wide_input": (share, 1),
        "wide_kernel": (least, share // least),
    }[configuration.data]
    kind, name = storage(configuration.dtype), str(configuration)
    draws = {"kernel": Draw(_seed(name, "kernel"), (kernel_most + 1) // 2, configuration.kernel_shape, kind)}
    if configuration.use_bias:
        draws["bias"] = Draw(_seed(name, "bias"), (x_most * kernel_most + 1) // 2, (configuration.filters,), kind)
    arrays = {operand: draw.array() for operand, draw in draws.items()}
    filter_axis = -2 if configuration.transposed else -1
    sums = np.abs(np.moveaxis(arrays["kernel"], filter_axis, -1)).reshape(-1, configuration.filters).sum(axis=0)
    return _Weights(
        kernel=arrays["kernel"],
        bias=arrays.get("bias"),
        draws=draws,
        x_half=(x_most + 1) // 2,
        x_keep=min(1.0, budget / n),
        kernel_sum=float(sums.max()),
    )


def _within_budget(case: Case, x: Array, weights: _Weights) -> bool:
    """Whether S, the map on absolute values, stays within 2^p for every output element. Random signs hide what S shows.

    First by a bound that needs no geometry, ``max |x|`` times the sum of a whole filter; only if that is too large, by S itself.
    """
    budget = 2 ** SIGNIFICAND_BITS[case.dtype]
    largest_bias = 0.0 if weights.bias is None else float(np.abs(weights.bias).max())
    if float(np.abs(x).max()) * weights.kernel_sum + largest_bias <= budget:
        return True
    magnitude = exact_result(case, np.abs(x), np.abs(weights.kernel), None if weights.bias is None else np.abs(weights.bias))
    return not magnitude.size or bool(magnitude.max() <= budget)


def _gradients_within_budget(case: Case, probe: Probe) -> bool:
    """Whether the gradients of the absolute values stay within 2^p, every element of all three."""
    assert probe.upstream is not None  # noqa: S101 - a probe for gradients has it
    absolute = replace(probe, x=np.abs(probe.x), kernel=np.abs(probe.kernel), upstream=np.abs(probe.upstream))
    budget = 2 ** SIGNIFICAND_BITS[case.dtype]
    return all(not sums.size or sums.max() <= budget for sums in exact_gradients_result(case, absolute).values())


def _neighbours_differ(x: Array) -> bool:
    """Along every axis, no slice equals the next one: a result moved by one is another result."""
    for axis in range(x.ndim):
        if x.shape[axis] > 1:
            moved = np.moveaxis(x, axis, 0)
            same = (moved[1:] == moved[:-1]).reshape(len(moved) - 1, -1).all(axis=1)
            if same.any():
                return False
    return True


def _seed(name: str, operand: str) -> int:
    """A stable hash of the case id: the same data on every machine, in every order."""
    return int.from_bytes(hashlib.blake2b(f"{name} {operand}".encode(), digest_size=6).digest())
