"""Random floats: numbers of the type, of every family, the same from the printed recipe, and as unlike as their names say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from conformance.cases import DTYPES, Case, parse
from conformance.contract import error_due
from conformance.families import FAMILIES, RECIPES, family_of, float_gradients, floats
from conformance.formats import FORMATS
from conformance.grids import LONG, grid
from conformance.probes import Probe
from tests.faults.arithmetic import rounded

SMOKE = [case for case in grid("smoke") if error_due(case) is None]
SEPARABLE = parse("separable_conv2d-same-in2x5x4x3-k3x2-f4-s1x1-m2")


def operands(probe: Probe) -> dict[str, Any]:
    named = {"x": probe.x, "kernel": probe.kernel, "pointwise": probe.pointwise, "bias": probe.bias, "upstream": probe.upstream}
    return {name: values for name, values in named.items() if values is not None}


@pytest.mark.parametrize("dtype", DTYPES)
def test_operands_are_numbers_of_the_type_none_of_them_zero(dtype: str) -> None:
    for case in (replace(case, dtype=dtype) for case in (*SMOKE[::17], SEPARABLE)):
        bits = FORMATS[case.compute_dtype].bits
        for name, values in operands(float_gradients(case)).items():
            wide = values.astype(np.float64)
            assert np.array_equal(rounded(wide, bits), wide), (case, name)
            assert wide.all(), (case, name)
            if wide.size > 100:
                assert not np.array_equal(rounded(wide, bits - 1), wide), f"{case}: {name} leaves a bit of the type unused"


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_printed_recipe_makes_the_same_data(dtype: str) -> None:
    seen = set()
    for case in (replace(case, dtype=dtype) for case in (*SMOKE[::23], SEPARABLE)):
        probe = float_gradients(case)
        for name, draw in probe.draws.items():
            names: dict[str, Any] = {"np": np}
            exec("\n".join(draw.code(name)), names)  # noqa: S102 - the text is this project's own
            assert np.array_equal(names[name], operands(probe)[name]), (case, name)
            seen.add(getattr(draw, "recipe", None))
    assert seen == set(RECIPES)


def test_every_family_has_its_share_of_the_layers() -> None:
    share = Counter(family_of(case) for case in {case.configuration for case in SMOKE})
    assert set(share) == set(FAMILIES)
    assert min(share.values()) > sum(share.values()) / 20


def test_long_sums_are_of_zero_mean() -> None:
    for case in map(parse, LONG):
        assert FAMILIES[family_of(case)].zero_mean, case


def of_family(name: str) -> Case:
    return next(case for case in SMOKE if family_of(case) == name and case.kernel_size == (2, 3) and case.channels > 1 and case.use_bias)


def test_families_are_what_their_names_say() -> None:
    coherent = floats(of_family("coherent"))
    assert (coherent.x > 0).all()
    assert (coherent.kernel > 0).all()
    wide = np.abs(floats(of_family("wide")).x)
    assert wide.max() / wide.min() > 2**20
    small = floats(of_family("small_onto_large")).x
    assert 2**22 < small.max() / small.min() < 2**26
    case = of_family("cancelling")
    axes = tuple(axis for axis in range(4) if axis != (2 if case.transposed else 3))
    assert np.abs(floats(case).kernel.astype(np.float64).sum(axes)).max() < 1e-5
    for name in ("uniform", "normal"):
        both = floats(of_family(name))
        assert min(np.abs(both.x).min(), np.abs(both.kernel).min()) >= 1 / 64


@pytest.mark.parametrize("dtype", ["float16", "mixed_float16"])
def test_products_are_normal_numbers_and_sums_do_not_overflow(dtype: str) -> None:
    """A balanced kernel alone may hold a number so small that its products are not."""
    for case in (replace(case, dtype=dtype) for case in SMOKE[::11]):
        if family_of(case) == "cancelling":
            continue
        probe = float_gradients(case)
        least = [float(np.abs(values).astype(np.float64).min(initial=1)) for values in (probe.x, probe.kernel, np.asarray(probe.upstream))]
        assert all(one * other >= 2**-14 for one, other in combinations(least, 2)), case
        largest = float(np.abs(probe.x).max()) * float(np.abs(probe.kernel).reshape(-1).astype(np.float64).sum())
        assert largest < 65504, case


def test_data_depend_on_the_id_alone_and_cases_of_one_layer_share_its_weights() -> None:
    one, other = parse("conv2d-same-in1x5x4x2-k3x2-f4-s1x2"), parse("conv2d-same-in3x7x6x2-k3x2-f4-s1x2")
    assert np.array_equal(floats(one).x, floats(one).x)
    assert np.array_equal(floats(one).kernel, floats(other).kernel)
    assert np.array_equal(floats(one).kernel, float_gradients(other).kernel)
    assert not np.array_equal(floats(one).x, floats(replace(one, strides=(2, 1))).x)
