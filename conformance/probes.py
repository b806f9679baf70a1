"""Input data for a case. Exact data: integers so small that no arithmetic of the tested type can round.

With p significand bits, hidden bit included, every integer up to 2^p is a number of the type. If all operands are integers and the
same map on absolute values, S, stays within 2^p, then so does every partial sum in every order and blocking, with or without fused
multiply-add: whoever only multiplies and adds gets the very same bits. That makes equality the verdict, with no tolerance.

The data are odd, so that a lost product is seen; small integers survive a loss of precision, so the amplitude lies on both operands, on
the input, or on the kernel, case by case: a wide float32 operand has more bits than bfloat16 and TF32 keep.

A separable layer has two stages, and S is that of both: since no kernel holds a zero, it is also at least that of the first alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isqrt, prod
from typing import NamedTuple, Protocol

import numpy as np

from conformance.cases import Case
from conformance.contract import axes, compute, compute_gradients, output_shape, reached, reached_by_gradients
from conformance.formats import FORMATS
from reference.arguments import Array

SIGNIFICAND_BITS = {name: number.bits for name, number in FORMATS.items()}
"""p of each type, hidden bit included."""


ATTEMPTS = 1024
"""Draws of an input before a case is given up. Nearly always one is enough; 16 pixels in a row with one channel need some hundred."""


LENIENT, ALIKE = 64, 3 / 4
"""Further draws that may have this share of equal neighbours: of the hundreds of channels of one pixel some are alike whatever is drawn."""


CANCELLING = 64
"""Draws of a pointwise kernel, at most, in search of one with which few products over the depth multiplier cancel."""


class UntrustedCaseError(Exception):
    """The data of a case would prove nothing, or break the condition that makes equality the verdict: a fault of this project."""


class Drawn(Protocol):
    """How one operand was made."""

    def array(self) -> Array:
        """The numbers."""
        ...

    def code(self, name: str) -> list[str]:
        """Lines of Python that make ``name`` the same array, given ``numpy`` as ``np``."""
        ...


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
        integers = f"integers({-self.half}, {self.half}, {self.shape})"
        if self.keep == 1.0:
            return [f"{name} = (2 * np.random.default_rng({self.seed}).{integers} + 1).astype({self.dtype!r})"]
        return [
            f"rng = np.random.default_rng({self.seed})",
            f"{name} = (2 * rng.{integers} + 1).astype({self.dtype!r}) * (rng.random({self.shape}) < {self.keep})",
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """The operands of one case, and how they were drawn. Arrays hold the numbers exactly, whatever the type under test.

    Shapes: ``x`` as ``case.in_layout(case.input_shape)``, ``kernel`` as ``case.kernel_shape``, ``bias`` (filters,) or None.
    """

    x: Array
    kernel: Array
    bias: Array | None
    draws: Mapping[str, Drawn]
    weights: str = "forward"
    """What the weights were made for: probes of one `Case.configuration` and one such name have the same kernel and bias."""
    upstream: Array | None = None
    """For gradients: g, what the output's elements are weighted with, in the output's shape."""
    pointwise: Array | None = None
    """The second kernel of a separable layer, shape ``case.pointwise_shape``; ``kernel`` is its depthwise one."""

    @property
    def kernels(self) -> tuple[Array, ...]:
        """In the order of `Case.kernel_names`."""
        return (self.kernel,) if self.pointwise is None else (self.kernel, self.pointwise)


def exact(case: Case) -> Probe:
    """Odd integers whose every partial sum is a number of the case's type.

    Input and kernel share the budget 2^p as ``case.data`` says. The kernel and the bias depend on the layer alone, as they do for a
    user, and so serve every input size; the input depends on the whole case.

    Raises:
        UntrustedCaseError: no data were found whose sums of absolute values stay within 2^p.
    """
    weights = _weights(case.configuration)
    seed, keep = seed_of(str(case), "x"), weights.x_keep
    narrow = SIGNIFICAND_BITS[case.compute_dtype] < SIGNIFICAND_BITS["float32"]
    for attempt in range(ATTEMPTS + LENIENT):
        draw = Draw(seed + attempt, weights.x_half, case.in_layout(case.input_shape), storage(case.compute_dtype), keep)
        x = draw.array()
        if keep == 1.0 and not _neighbours_differ(x, alike=0.0 if attempt < ATTEMPTS else ALIKE):
            continue
        if not _within_budget(case, x, weights):
            keep /= 2
            continue
        probe = Probe(x, weights.kernel, weights.bias, {"x": draw, **weights.draws}, pointwise=weights.pointwise)
        # signs alone may cancel where few terms are summed, and so may the few small integers of a narrow type
        if (narrow or weights.x_half == 1) and attempt < ATTEMPTS + LENIENT - 1:
            result = exact_result(case, x, weights.kernel, weights.bias, weights.pointwise)
            if mistrusted(result, reached(case), keep):
                continue
        return probe
    raise UntrustedCaseError(f"{case}: found no exact data within the budget of {case.dtype}")


def exact_gradients(case: Case) -> Probe:
    """Odd integers for input, kernel and upstream gradient g, such that every partial sum of every gradient is a number of the type.

    With M the pairs of positions that one tap joins, and K the terms of one element of the input's gradient, the amplitudes keep
    ``K |w| |g|``, ``M |x| |g|`` and the sum of ``|g|`` within 2^p. ``case.data`` says which operand is wide: g, beside small x and w, for
    ``wide_input``; x and w, beside a small g, for ``wide_kernel``. What the data come to is then checked on the data. In a separable layer
    w is the product of both kernels, and each element of a kernel's gradient sums over the other kernel, too.

    Raises:
        UntrustedCaseError: no data were found within the budget whose gradients deserve trust.
    """
    budget = 2 ** SIGNIFICAND_BITS[case.compute_dtype]
    weights = _gradient_weights(case.configuration)
    output = output_shape(case)
    joined, positions = case.batch * prod(axis.small for axis in axes(case)), prod(output) // case.filters
    share = max(budget // (joined * weights.other_kernel), 1) if joined else budget
    g_most = min(max(budget // (weights.terms * weights.most), 1), max(budget // max(positions, 1), 1))
    least = 3 if share >= 9 else 1
    wide = {"symmetric": isqrt(share), "wide_input": share // least, "wide_kernel": 1, "wide_pointwise": 1}
    g_most = min(g_most, wide[case.data])
    x_most = min(share // g_most, least if case.data == "wide_input" else share)
    seed, kind, contributed = seed_of(str(case), "gradients"), storage(case.compute_dtype), reached_by_gradients(case)
    keep, doubt = 1.0, "not within the budget"
    for attempt in range(ATTEMPTS):
        draws = {
            "x": Draw(seed + 2 * attempt, (x_most + 1) // 2, case.in_layout(case.input_shape), kind),
            # where signs alone cancel, whatever they are, 3 is let in
            "upstream": Draw(seed + 2 * attempt + 1, max((g_most + 1) // 2, 1 + (attempt > ATTEMPTS // 2)), output, kind, keep),
        }
        made = {name: draw.array() for name, draw in draws.items()}
        probe = Probe(made["x"], weights.kernel, weights.bias, {**draws, **weights.draws}, "gradients", made["upstream"], weights.pointwise)
        if not _gradients_within_budget(case, probe):
            keep /= 2
            continue
        # small numbers have too few unlike neighbours in a long row; the sums over a row tell its moves apart all the same
        if (
            keep == 1.0
            and attempt < ATTEMPTS // 2
            and any(values.size and draws[name].half > 1 and not _neighbours_differ(values) for name, values in made.items())
        ):
            continue
        expected = exact_gradients_result(case, probe)
        doubts = [f"{name}: {said}" for name, wanted in expected.items() if (said := mistrusted(wanted, contributed[name], keep))]
        if not doubts:
            return probe
        doubt = doubts[0]
    raise UntrustedCaseError(f"{case}: found no exact data for gradients of {case.dtype}, {doubt}")


def exact_gradients_result(case: Case, probe: Probe) -> dict[str, Array]:
    """The defined gradients on exact data, as integers held without rounding: ``input``, kernels by name and, if there is one, ``bias``."""
    kind = np.int64 if case.dtype == "float64" else np.float64
    upstream = np.zeros(0) if probe.upstream is None else probe.upstream
    pointwise = None if probe.pointwise is None else probe.pointwise.astype(kind)
    found = compute_gradients(case, probe.x.astype(kind), probe.kernel.astype(kind), upstream.astype(kind), pointwise)
    kernels = (found.kernel,) if found.pointwise_kernel is None else (found.kernel, found.pointwise_kernel)
    named = dict(zip(case.kernel_names, kernels, strict=True))
    return {"input": found.x, **named, **({} if probe.bias is None else {"bias": found.bias})}


def error_probe(case: Case) -> Probe:
    """Operands for a case that must be refused: an input of ones, since no result is compared.

    Kernel and bias are those of the layer all the same: a subject may keep it for the other cases that share it.
    """
    weights = _weights(case.configuration)
    x = np.ones(case.in_layout(case.input_shape), storage(case.compute_dtype))
    return Probe(x, weights.kernel, weights.bias, {}, pointwise=weights.pointwise)


def terms(case: Case) -> int:
    """An upper bound for the number of products that one output element sums, and one more for the bias."""
    if case.separable or case.depthwise:
        return prod(case.kernel_size) * (case.channels * case.depth_multiplier if case.separable else 1) + case.use_bias
    channels = case.channels // case.groups
    return prod(_met(case) if case.transposed else case.kernel_size) * channels + case.use_bias


def _met(case: Case) -> tuple[int, ...]:
    """How many taps of each axis meet one element of the big side, at most: with stride s, every s-th of an undilated kernel."""
    return tuple(-(-k // s) if d == 1 else k for k, s, d in zip(case.kernel_size, case.strides, case.dilation_rate, strict=True))


def mistrusted(expected: Array, reached: Array, keep: float = 1.0) -> str | None:
    """Why an expected result proves little, in a few words: it is mostly zeros, or the same everywhere. None if it is neither.

    Only elements that some tap contributes to are judged: where a definition puts zeros or the plain bias, those are right. At least
    half of them must be nonzero and, if there are four or more, two must differ. ``keep`` is the share of the data that was not zeroed to
    stay within the budget: so much less is asked for then.
    """
    judged = expected if reached.all() else expected[reached]
    if 2 * np.count_nonzero(judged) < keep * judged.size:
        return f"most of the expected result is zero ({np.count_nonzero(judged)} of {judged.size} are not)"
    if judged.size >= 4 and np.ptp(judged) == 0:
        return f"all {judged.size} elements of the expected result are {judged.flat[0]:g}"
    return None


def storage(dtype: str) -> str:
    """The NumPy type that holds the numbers of a tested type exactly; NumPy has no bfloat16."""
    return "float32" if dtype == "bfloat16" else dtype


def exact_result(case: Case, x: Array, kernel: Array, bias: Array | None, pointwise: Array | None = None) -> Array:
    """The defined result on exact data, as integers that float64 (for a float64 case: int64) holds without rounding."""
    kind = np.int64 if case.dtype == "float64" else np.float64
    optional = [None if operand is None else operand.astype(kind) for operand in (bias, pointwise)]
    return compute(case, x.astype(kind), kernel.astype(kind), *optional)


_LEAST_POINTWISE = {False: 1, True: 3}
"""The least amplitude of a pointwise kernel, by whether there is a depth multiplier, over which products of 1 and -1 cancel too often."""


@dataclass(frozen=True, slots=True, eq=False)
class _Weights:
    """What belongs to a layer and not to one input: kernel, bias, and the amplitude that is left for the input."""

    kernel: Array
    bias: Array | None
    draws: dict[str, Draw]
    x_half: int
    x_keep: float
    kernel_sum: float
    """The largest sum of ``|kernel|`` over all taps and channels of one filter; in a separable layer, of the product of both kernels."""
    pointwise: Array | None = None


class _GradientWeights(NamedTuple):
    """Kernel and bias for gradients. ``terms`` is an upper bound for the products that one element of the input's gradient sums.

    ``most`` is the largest magnitude of the kernel, or of the product of both. ``other_kernel`` is the most that a sum of ``|x| |g|`` is
    multiplied with in the gradient of a kernel: the sum over the other kernel of a separable layer, 1 of all others.
    """

    kernel: Array
    bias: Array | None
    draws: dict[str, Draw]
    terms: int
    most: int
    other_kernel: int
    pointwise: Array | None


@lru_cache(maxsize=256)
def _gradient_weights(configuration: Case) -> _GradientWeights:
    taps, filters = prod(configuration.kernel_size), configuration.filters // configuration.groups
    each = filters * configuration.depth_multiplier if configuration.separable else configuration.depth_multiplier
    terms = prod(configuration.kernel_size if configuration.transposed else _met(configuration))
    terms *= each if configuration.separable or configuration.depthwise else filters
    budget = 2 ** SIGNIFICAND_BITS[configuration.compute_dtype]
    share = max(budget // terms, 1)
    if configuration.separable:
        small = 3 if share >= 81 else 1
        # a wide kernel multiplies every product in the gradient of the other: room is left for 256 pairs of positions, g is thinned beyond
        depthwise_most, pointwise_most = {
            "symmetric": (_root(share, 3), _root(share, 3)),
            "wide_input": (small, small),
            "wide_kernel": (max(min(share, budget // (256 * taps)), 1), 1),
            "wide_pointwise": (1, max(min(share, budget // (256 * filters)), 1)),
        }[configuration.data]
        pointwise_most = max(pointwise_most, _LEAST_POINTWISE[configuration.depth_multiplier > 1])
        most = {"kernel": depthwise_most, "pointwise": pointwise_most}
        other_kernel = max(taps * _odd(depthwise_most), filters * _odd(pointwise_most))
    else:
        most = {"kernel": {"symmetric": isqrt(share), "wide_input": 1, "wide_kernel": share}[configuration.data]}
        other_kernel = 1
    draws, arrays = _drawn(configuration, {**most, **({"bias": 3} if configuration.use_bias else {})}, "gradients ")
    return _GradientWeights(
        kernel=arrays["kernel"],
        bias=arrays.get("bias"),
        draws=draws,
        terms=terms,
        most=prod(map(_odd, most.values())),
        other_kernel=other_kernel,
        pointwise=arrays.get("pointwise"),
    )


@lru_cache(maxsize=256)
def _weights(configuration: Case) -> _Weights:
    budget = 2 ** SIGNIFICAND_BITS[configuration.compute_dtype]
    n = terms(configuration)
    share = budget // min(n, budget)
    least = 3 if share >= 9 else 1  # an input of 1 and -1 alone has too few unlike neighbours if it is long and thin
    small = 3 if configuration.separable and share >= 81 else 1
    root = _root(share, 3 if configuration.separable else 2)
    x_most, kernel_most, pointwise_most = {
        "symmetric": (root, root, root if configuration.separable else 1),
        "wide_input": (share // small**2, small, small),
        "wide_kernel": (least, share // least, 1),
        "wide_pointwise": (least, 1, share // least),
    }[configuration.data]
    most = {"kernel": kernel_most}
    if configuration.separable:
        most["pointwise"] = pointwise_most = max(pointwise_most, _LEAST_POINTWISE[configuration.depth_multiplier > 1])
        x_most = min(x_most, max(share // (kernel_most * pointwise_most), 1))
    if configuration.use_bias:
        most["bias"] = x_most * kernel_most * pointwise_most
    draws, arrays = _drawn(configuration, most)
    filter_axis = -2 if configuration.transposed else -1
    kernel, pointwise = np.abs(arrays["kernel"]), arrays.get("pointwise")
    if pointwise is None:
        sums = np.moveaxis(kernel, filter_axis, -1).reshape(-1, configuration.filters).sum(axis=0, dtype=float)
    else:
        first = kernel.reshape(prod(configuration.kernel_size), -1).sum(axis=0, dtype=float)
        sums = first @ np.abs(pointwise.reshape(len(first), -1)).astype(float)
    return _Weights(
        kernel=arrays["kernel"],
        bias=arrays.get("bias"),
        draws=draws,
        x_half=(x_most + 1) // 2,
        x_keep=min(1.0, budget / n),
        kernel_sum=float(sums.max()),
        pointwise=pointwise,
    )


def _drawn(configuration: Case, most: dict[str, int], purpose: str = "") -> tuple[dict[str, Draw], dict[str, Array]]:
    """The weights of a layer with at most these magnitudes, as recipes and made.

    For gradients a kernel that is the same everywhere is drawn again. Over the depth multiplier, the product of a separable layer's kernels
    may cancel: of several pointwise kernels the one is taken with which it cancels least.
    """
    shapes = {"kernel": configuration.kernel_shape, "pointwise": configuration.pointwise_shape, "bias": (configuration.filters,)}
    kind, name = storage(configuration.compute_dtype), str(configuration)
    draws = {operand: Draw(seed_of(name, purpose + operand), (value + 1) // 2, shapes[operand], kind) for operand, value in most.items()}
    arrays = {operand: draw.array() for operand, draw in draws.items()}
    while purpose and arrays["kernel"].size >= 4 and np.ptp(arrays["kernel"]) == 0:  # of one output the input's gradient would be all alike
        draws["kernel"] = replace(draws["kernel"], seed=draws["kernel"].seed + 1)
        arrays["kernel"] = draws["kernel"].array()
    if configuration.separable and configuration.depth_multiplier > 1:
        channels, multiplier = configuration.kernel_shape[-2:]
        depthwise, best = arrays["kernel"].astype(float), None
        for attempt in range(CANCELLING):
            draw = replace(draws["pointwise"], seed=draws["pointwise"].seed + attempt)
            pointwise = draw.array()
            product = np.einsum("...cq,cqf->...cf", depthwise, pointwise.reshape(channels, multiplier, -1).astype(float))
            zeros = product.size - np.count_nonzero(product)
            if best is None or zeros < best[0]:
                best = zeros, draw, pointwise
            if not zeros:
                break
        assert best is not None  # noqa: S101 - at least one was drawn
        _, draws["pointwise"], arrays["pointwise"] = best
    return draws, arrays


def _odd(most: int) -> int:
    """The largest magnitude that is drawn for an amplitude: odd numbers alone are."""
    return 2 * ((most + 1) // 2) - 1


def _root(share: int, operands: int) -> int:
    """The largest integer whose power to the number of operands is within the share."""
    if operands == 2:
        return isqrt(share)
    root: int = round(share ** (1 / operands))
    return root if prod([root] * operands) <= share else root - 1


def _within_budget(case: Case, x: Array, weights: _Weights) -> bool:
    """Whether S, the map on absolute values, stays within 2^p for every output element. Random signs hide what S shows.

    First by a bound that needs no geometry, ``max |x|`` times the sum of a whole filter; only if that is too large, by S itself.
    """
    budget = 2 ** SIGNIFICAND_BITS[case.compute_dtype]
    largest_bias = 0.0 if weights.bias is None else float(np.abs(weights.bias).max())
    if float(np.abs(x).max()) * weights.kernel_sum + largest_bias <= budget:
        return True
    bias, pointwise = (None if operand is None else np.abs(operand) for operand in (weights.bias, weights.pointwise))
    magnitude = exact_result(case, np.abs(x), np.abs(weights.kernel), bias, pointwise)
    return not magnitude.size or bool(magnitude.max() <= budget)


def _gradients_within_budget(case: Case, probe: Probe) -> bool:
    """Whether the gradients of the absolute values stay within 2^p, every element of all of them."""
    upstream, pointwise = (None if operand is None else np.abs(operand) for operand in (probe.upstream, probe.pointwise))
    absolute = replace(probe, x=np.abs(probe.x), kernel=np.abs(probe.kernel), upstream=upstream, pointwise=pointwise)
    budget = 2 ** SIGNIFICAND_BITS[case.compute_dtype]
    return all(not sums.size or sums.max() <= budget for sums in exact_gradients_result(case, absolute).values())


def _neighbours_differ(x: Array, alike: float = 0.0) -> bool:
    """Along every axis, no slice equals the next one, or no more than this share: a result moved by one is another result."""
    for axis in range(x.ndim):
        if x.shape[axis] > 1:
            moved = np.moveaxis(x, axis, 0)
            same = (moved[1:] == moved[:-1]).reshape(len(moved) - 1, -1).all(axis=1)
            if np.count_nonzero(same) > alike * len(same):
                return False
    return True


def seed_of(name: str, operand: str) -> int:
    """A stable hash of the case id: the same data on every machine, in every order."""
    return int.from_bytes(hashlib.blake2b(f"{name} {operand}".encode(), digest_size=6).digest())
