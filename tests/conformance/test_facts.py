"""What is said of a case, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.cases import parse
from conformance.facts import AXIS_FACTS, CASE_FACTS, axis_facts, case_facts

CASES: dict[str, dict[str, Any]] = {
    "conv2d-same-in1x4x3x8-k1x2-f3-s3x1": {
        "strided": True, "overhangs_alike": False, "least_kernel": 1, "refused_for": None, "refused": False, "filters_match_width": True,
    },
    "conv2d-same-in1x4x3x8-k2x2-f2-s1x1": {"strided": False, "overhangs_alike": True, "least_kernel": 2, "filters_match_width": False},
    "conv2d-valid-in1x4x1x8-k1x2-f1-s1x1": {"refused": True, "refused_for": "window", "overhangs_alike": False, "empty": False},
    "conv2d-valid-in1x4x1x8-k1x2-f1-s2x1-d1x2": {"refused": True, "refused_for": "strides_with_dilation"},
    "conv2d_transpose-same-in1x4x1x8-k1x2-f1-s1x2-op0x2": {"refused": True, "refused_for": "output_padding"},
    "conv2d_transpose-same-in1x4x1x8-k1x2-f1-s1x2-op0x0": {"refused": False, "empty": True, "output_padding_given": True},
}  # fmt: skip
AXES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # height: windows start at 0 and 3 and reach one element each, of 5 one is left; width: 1 before, 1 after
    "conv2d-same-in1x5x4x1-k1x3-f1-s3x1": (
        {"overhang": 0, "rest": 1, "output": 2, "output_with_other_overhang": 3},
        {"overhang": 2, "rest": 0, "output": 4, "output_with_other_overhang": 2},
    ),
    # height: stamps reach 2 * 2 + 3 = 7, the output is 6; width: stamps of 2 at 0 and 3 reach 5, the output is 6
    "conv2d_transpose-same-in1x3x2x1-k3x2-f1-s2x3": (
        {"overhang": 1, "rest": 0, "output": 6, "kernel_minus_stride": 1},
        {"overhang": 0, "rest": 1, "output": 6, "kernel_minus_stride": -1},
    ),
    # a window of 5 over 4 fits nowhere
    "conv2d-valid-in1x4x4x1-k3x1-f1-s1x1-d2x1": (
        {"overhang": None, "rest": None, "output": None, "output_with_other_overhang": None, "windows_per_phase": 0},
        {"overhang": None, "rest": None, "output": None, "output_with_other_overhang": None, "windows_per_phase": 4},
    ),
    # width padded by the height's nothing: a window of 4 over 1 fits nowhere
    "conv2d-same-in1x1x1x1-k1x4-f1-s2x1": (
        {"overhang": 0, "rest": 0, "output_with_other_overhang": 2},
        {"overhang": 3, "rest": 0, "output_with_other_overhang": 0},
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
