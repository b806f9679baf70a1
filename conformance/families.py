"""Random floating-point data for a case, in families that strain sums in unlike ways.

- ``uniform``, ``normal``: of either sign, zero mean. Magnitudes are kept above 1/64, so that products are normal numbers in every type;
- ``coherent``: all of one sign, the sum grows;
- ``wide``: magnitudes over many powers of two;
- ``cancelling``: an input near 1 and kernels whose sum is 0: results far below the sum of absolute values;
- ``small_onto_large``: few large terms among many that are smaller by the precision of the type.

A layer has one family, chosen by a hash of its id, and its weights serve every input size. All operands have every bit that the type
holds, and are numbers of the type in which the layer computes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log2, prod
from typing import NamedTuple

import numpy as np

from conformance.cases import Case
from conformance.contract import output_shape
from conformance.formats import FORMATS
from conformance.probes import Probe, seed_of, storage, terms
from reference.arguments import Array

Rng = np.random.Generator
Shape = tuple[int, ...]


class Recipe(NamedTuple):
    """How numbers are drawn: once to run, ``make(rng, shape, amount)``, and once to print, where ``SHAPE`` and ``AMOUNT`` are filled in."""

    make: Callable[[Rng, Shape, int], Array]
    text: str


def _normal(rng: Rng, shape: Shape, amount: int) -> Array:
    z = rng.standard_normal(shape)
    return np.copysign(np.maximum(np.abs(z), 1 / 64), z)


RECIPES = {
    "uniform": Recipe(
        lambda rng, shape, amount: rng.choice((-1, 1), shape) * rng.uniform(1 / 64, 1, shape),
        "rng.choice((-1, 1), SHAPE) * rng.uniform(1 / 64, 1, SHAPE)",
    ),
    "normal": Recipe(_normal, "np.copysign(np.maximum(np.abs(z := rng.standard_normal(SHAPE)), 1 / 64), z)"),
    "coherent": Recipe(lambda rng, shape, amount: rng.uniform(0.5, 1, shape), "rng.uniform(0.5, 1, SHAPE)"),
    "wide": Recipe(
        lambda rng, shape, amount: rng.choice((-1, 1), shape) * 2.0 ** rng.uniform(-amount, amount, shape),
        "rng.choice((-1, 1), SHAPE) * 2.0 ** rng.uniform(-AMOUNT, AMOUNT, SHAPE)",
    ),
    "near_one": Recipe(lambda rng, shape, amount: 1 + rng.uniform(-1, 1, shape) / 64, "1 + rng.uniform(-1, 1, SHAPE) / 64"),
    "spiked": Recipe(
        lambda rng, shape, amount: rng.uniform(0.5, 1, shape) * np.where(rng.random(shape) < 1 / 8, 1, 2.0**-amount),
        "rng.uniform(0.5, 1, SHAPE) * np.where(rng.random(SHAPE) < 1 / 8, 1, 2.0 ** -AMOUNT)",
    ),
}


class Family(NamedTuple):
    """The recipes of the input and of the weights. ``balanced``: of the weights the mean is taken away, so that they sum to 0."""

    input: str
    weights: str
    zero_mean: bool = False
    """Products are as often negative as positive, and independent: rounding errors average out."""
    balanced: bool = False


FAMILIES = {
    "uniform": Family("uniform", "uniform", zero_mean=True),
    "normal": Family("normal", "normal", zero_mean=True),
    "coherent": Family("coherent", "coherent"),
    "wide": Family("wide", "wide"),
    "cancelling": Family("near_one", "uniform", balanced=True),
    "small_onto_large": Family("spiked", "coherent"),
}


@dataclass(frozen=True, slots=True)
class FloatDraw:
    """How one operand is made, as data; ``array`` and ``code`` are the same recipe, see `conformance.probes.Draw`.

    ``balanced`` are the axes over which the mean is taken away. ``dtype`` is the type that must hold the numbers.
    """

    seed: int
    recipe: str
    shape: Shape
    dtype: str
    amount: int
    balanced: Shape = ()

    def array(self) -> Array:
        values = RECIPES[self.recipe].make(np.random.default_rng(self.seed), self.shape, self.amount)
        if self.balanced:
            values = values - values.mean(self.balanced, keepdims=True)
        values = values.astype(storage(self.dtype))
        if self.dtype == "bfloat16":
            values = (values.view(np.uint32) & 0xFFFF0000).view(np.float32)
        return values

    def code(self, name: str) -> list[str]:
        """Lines of Python that make ``name`` the same array, given ``numpy`` as ``np``."""
        text = RECIPES[self.recipe].text.replace("SHAPE", str(self.shape)).replace("AMOUNT", str(self.amount))
        rng = f"rng = np.random.default_rng({self.seed}); "
        if self.balanced:
            rng, text = f"{rng}{name} = {text}; ", f"{name} - {name}.mean({self.balanced}, keepdims=True)"
        if self.dtype == "bfloat16":  # cut off where its numbers end
            return [f'{rng}{name} = (({text}).astype("float32").view("uint32") & 0xffff0000).view("float32")']
        return [f"{rng}{name} = ({text}).astype({storage(self.dtype)!r})"]


def family_of(case: Case) -> str:
    """The name of the family of a case, the same for all cases of one layer."""
    return tuple(FAMILIES)[seed_of(str(case.configuration), "family") % len(FAMILIES)]


def floats(case: Case) -> Probe:
    """Random floats of the family of the case, for input, kernels and bias."""
    draw = _draw(case, "x", FAMILIES[family_of(case)].input, case.in_layout(case.input_shape), terms(case))
    return _with_weights(case, draw)


def float_gradients(case: Case) -> Probe:
    """Random floats as for `floats`, and an upstream gradient of the family's weights."""
    output, family = output_shape(case), FAMILIES[family_of(case)]
    longest = max(terms(case), prod(output) // case.filters, 1)
    channel_axis = len(output) - 1 if case.data_format == "channels_last" else 1
    upstream = _draw(case, "upstream", family.weights, output, longest, channel_axis if family.balanced else None)
    return _with_weights(case, _draw(case, "x", family.input, case.in_layout(case.input_shape), longest), upstream)


def _with_weights(case: Case, x: FloatDraw, upstream: FloatDraw | None = None) -> Probe:
    weights = _weights(case.configuration)
    arrays = {name: values for name, (_, values) in weights.items()}
    draws = {"x": x, **({} if upstream is None else {"upstream": upstream}), **{name: draw for name, (draw, _) in weights.items()}}
    return Probe(
        x=x.array(),
        kernel=arrays["kernel"],
        bias=arrays.get("bias"),
        draws=draws,
        weights="floats",
        upstream=None if upstream is None else upstream.array(),
        pointwise=arrays.get("pointwise"),
    )


@lru_cache(maxsize=256)
def _weights(configuration: Case) -> dict[str, tuple[FloatDraw, Array]]:
    """Kernels and bias of a layer; a kernel's mean is taken over everything that one filter sums."""
    family, longest, rank = FAMILIES[family_of(configuration)], terms(configuration), configuration.rank
    filter_axis = rank if configuration.transposed else rank + 1
    draws = {"kernel": _draw(configuration, "kernel", family.weights, configuration.kernel_shape, longest,
                             filter_axis if family.balanced else None)}  # fmt: skip
    if configuration.separable:
        draws["pointwise"] = _draw(configuration, "pointwise", family.weights, configuration.pointwise_shape, longest,
                                   rank + 1 if family.balanced else None)  # fmt: skip
    if configuration.use_bias:
        draws["bias"] = _draw(configuration, "bias", family.weights, (configuration.filters,), longest)
    return {name: (draw, draw.array()) for name, draw in draws.items()}


def _draw(case: Case, operand: str, recipe: str, shape: Shape, longest: int, kept: int | None = None) -> FloatDraw:
    """The draw of an operand; ``longest`` is the longest sum it is part of. ``kept`` is the axis over which no mean is taken.

    Where the mean would be of one number, which leaves 0, none is taken.
    """
    number = FORMATS[case.compute_dtype]
    amount = number.bits
    if recipe == "wide":
        # products of two stay normal, and sums of all of them below the largest number
        room = min(number.most - 1 - ceil(log2(longest)), -number.least - 1)
        amount = max(min(20, room // (3 if case.separable or operand == "upstream" else 2)), 1)
    others = () if kept is None else tuple(axis for axis in range(len(shape)) if axis != kept)
    balanced = others if prod(shape[axis] for axis in others) > 1 else ()
    return FloatDraw(seed_of(str(case), f"float {operand}"), recipe, shape, case.compute_dtype, amount, balanced)
