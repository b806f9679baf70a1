"""Facts that are worked out are worked out right, and kept for the case that they belong to."""

from __future__ import annotations

import numpy as np

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
