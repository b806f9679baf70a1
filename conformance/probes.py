"""Input data for a case. Exact data: integers so small that no arithmetic of the tested type can round.

With p significand bits, hidden bit included, every integer up to 2^p is a number of the type. If all operands are integers and the
same map on absolute values, S, stays within 2^p, then so does every partial sum in every order and blocking, with or without fused
multiply-add: whoever only multiplies and adds gets the very same bits. That makes equality the verdict, with no tolerance.

The data are odd, so that a lost product is seen; small integers survive a loss of precision, so the amplitude lies on both operands, on
the input, or on the kernel, case by case: a wide float32 operand has more bits than bfloat16 and TF32 keep.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from math import isqrt, prod

import numpy as np

from conformance.cases import Case
from conformance.contract import compute
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
    # with stride s, at most every s-th tap of an undilated kernel meets one output element
    met = (-(-k // s) if d == 1 else k for k, s, d in zip(case.kernel_size, case.strides, case.dilation_rate, strict=True))
    return prod(met) * channels + case.use_bias


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
