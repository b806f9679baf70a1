"""Facts that are worked out are worked out right, and kept for the case that they belong to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.cases import parse
from conformance.facts import AXIS_FACTS, CASE_FACTS, axis_facts, case_facts
from conformance.grids import grid


def test_every_fact_has_its_name_and_no_other() -> None:
    for case in grid("smoke")[::50]:
        assert tuple(case_facts(case, "eager", "forward")) == CASE_FACTS
        assert all(tuple(facts) == AXIS_FACTS for facts in axis_facts(case))


def test_total_padding_is_what_same_adds_or_cuts() -> None:
    # 5 elements, kernel 4, stride 2: 3 windows span 8
    assert [axis["total_padding"] for axis in axis_facts(parse("conv2d-same-in1x5x5x1-k4x1-f1-s2x2"))] == [3, 0]
    # 3 elements overlap-add to 7, of which 6 stay
    assert [axis["total_padding"] for axis in axis_facts(parse("conv2d_transpose-same-in1x3x3x1-k3x2-f1-s2x2"))] == [1, 0]
    assert [axis["total_padding"] for axis in axis_facts(parse("conv2d-valid-in1x5x5x1-k4x1-f1-s2x2"))] == [0, 0]
    refused = axis_facts(parse("conv2d-same-in1x5x5x1-k4x1-f1-s2x2-d2x1"))
    assert [axis["total_padding"] for axis in refused] == [None, None]


def test_a_kernel_is_compared_with_input_and_stride() -> None:
    height, width = axis_facts(parse("conv2d_transpose-valid-in1x4x9x1-k3x2-f1-s1x1-d2x1"))
    assert (height["kernel_minus_size"], width["kernel_minus_size"]) == (1, -7)
    assert (height["kernel_minus_stride"], width["kernel_minus_stride"]) == (2, 1)


def test_cases_that_share_geometry_share_no_other_fact() -> None:
    one, other = (parse(f"conv2d-valid-in1x4x4x1-k2x2-f{filters}-s1x1") for filters in (3, 2))
    assert case_facts(one, "eager", "forward")["filters_match_width"]
    assert not case_facts(other, "eager", "forward")["filters_match_width"]
    transposed = parse("conv2d_transpose-valid-in1x4x4x1-k2x2-f3-s1x1")
    assert [axis["output"] for axis in axis_facts(transposed)] == [5, 5]
    assert [axis["output"] for axis in axis_facts(one)] == [3, 3]
    assert np.all([facts is axis_facts(one)[0] for facts in axis_facts(other)])


CASES: dict[str, dict[str, Any]] = {
    "conv2d-same-in1x4x3x8-k1x2-f3-s3x1": {
        "strided": True, "paddings_alike": False, "least_kernel": 1, "refused_for": None, "refused": False, "filters_match_width": True,
        "positions": 6, "window_channels": 8,
    },
    "conv2d-same-in1x4x3x8-k2x2-f2-s1x1": {"strided": False, "paddings_alike": True, "least_kernel": 2, "filters_match_width": False},
    "conv2d-valid-in1x4x1x8-k1x2-f1-s1x1": {"refused": True, "refused_for": "window", "paddings_alike": False, "empty": False},
    "conv2d-valid-in1x4x1x8-k1x2-f1-s2x1-d1x2": {"refused": True, "refused_for": "strides_with_dilation"},
    "conv2d_transpose-same-in1x4x1x8-k1x2-f1-s1x2-op0x2": {"refused": True, "refused_for": "output_padding"},
    "conv2d_transpose-same-in1x4x1x8-k1x2-f1-s1x2-op0x0": {
        "refused": False, "empty": True, "output_padding_given": True, "positions": 4, "window_channels": 1,
    },
}  # fmt: skip
AXES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # height: windows start at 0 and 3 and reach one element each, of 5 one is left; width: 1 before, 1 after
    "conv2d-same-in1x5x4x1-k1x3-f1-s3x1": (
        {"total_padding": 0, "rest": 1, "output": 2, "places": 2, "output_with_other_padding": 3},
        {"total_padding": 2, "rest": 0, "output": 4, "output_with_other_padding": 2},
    ),
    # height: stamps reach 2 * 2 + 3 = 7, the output is 6; width: stamps of 2 at 0 and 3 reach 5, the output is 6
    "conv2d_transpose-same-in1x3x2x1-k3x2-f1-s2x3": (
        {"total_padding": 1, "rest": 0, "output": 6, "places": 3, "kernel_minus_stride": 1},
        {"total_padding": 0, "rest": 1, "output": 6, "places": 2, "kernel_minus_stride": -1},
    ),
    # a window of 5 over 4 fits nowhere
    "conv2d-valid-in1x4x4x1-k3x1-f1-s1x1-d2x1": (
        {"total_padding": None, "rest": None, "output": None, "places": None, "windows_per_phase": 0, "windows_cut": 0},
        {"total_padding": None, "rest": None, "output": None, "output_with_other_padding": None, "windows_per_phase": 4},
    ),
    # width padded by the height's nothing: a window of 4 over 1 fits nowhere
    "conv2d-same-in1x1x1x1-k1x4-f1-s2x1": (
        {"total_padding": 0, "rest": 0, "output_with_other_padding": 2},
        {"total_padding": 3, "rest": 0, "output_with_other_padding": 0},
    ),
}


@pytest.mark.parametrize("text", CASES)
def test_facts_of_the_case(text: str) -> None:
    facts = case_facts(parse(text), "eager", "forward")
    assert tuple(sorted(facts)) == tuple(sorted(CASE_FACTS))
    assert {name: facts[name] for name in CASES[text]} == CASES[text]
    assert (facts["mode"], facts["claim"]) == ("eager", "forward")


@pytest.mark.parametrize("text", AXES)
def test_facts_of_the_axes(text: str) -> None:
    for facts, wanted in zip(axis_facts(parse(text)), AXES[text], strict=True):
        assert tuple(sorted(facts)) == tuple(sorted(AXIS_FACTS))
        assert {name: facts[name] for name in wanted} == wanted
