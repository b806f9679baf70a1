"""One convolution by each form that can: first that all give the same numbers, then how long each takes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from benchmarks.forms import FORMS, LIMITS, Shape, fast, pairs, products


@lru_cache(maxsize=1)
def expected(shape: Shape) -> Any:
    """What the reference gives; the tests of the reference hold it against the definition."""
    return fast(shape)()


@pytest.mark.parametrize(("shape", "name"), pairs(), ids=lambda value: str(value))
def test_form(benchmark: Any, shape: Shape, name: str) -> None:
    call = FORMS[name].make(shape)
    if name not in LIMITS:
        for one, other in zip(_each(call()), _each(expected(shape)), strict=True):
            assert np.array_equal(one, other)
    benchmark.group = str(shape)
    benchmark.extra_info.update({"shape": str(shape), "kind": shape.kind, "form": name, "flops": products(shape, name)})
    benchmark(call)


def _each(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)
