"""Forms say the same thing in other words, and every one of them is met on every grid; what is not the case's own is judged, too."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from conformance import grids
from conformance.cases import Case, parse
from conformance.claims.arguments import ARGUMENTS, chosen
from conformance.claims.ops import OPS
from conformance.contract import strides_with_dilation
from conformance.forms import FORMS, Form, form, softsign
from conformance.outcomes import Outcome
from tests.faults.layers import Layers

CASE = parse("conv2d_transpose-same-in2x3x4x2-k3x3-f2-s2x2-op1x0")
BY_NAME = {one.name: one for one in FORMS}


@pytest.mark.parametrize("grid", grids.BOUNDS)
def test_every_form_is_met_with_both_layers_on_every_grid(grid: str) -> None:
    met = Counter((form(case).name, case.layer) for case in grids.grid(grid) if chosen(case))
    assert {name for name, _ in met} == set(BY_NAME)
    assert len(met) >= 1.8 * len(FORMS)
    assert all(form(case).fits(case) for case in grids.grid(grid))


def test_names_are_unlike() -> None:
    assert len(BY_NAME) == len(FORMS)


@pytest.mark.parametrize("one", [one for one in FORMS if "activation" not in one.arguments(CASE)], ids=lambda one: one.name)
def test_forms_of_arguments_stand_for_the_same_layer(one: Form) -> None:
    assert Layers().understood(CASE, one.arguments(CASE)) == CASE


def test_forms_of_arguments_are_what_their_names_say() -> None:
    assert BY_NAME["lists"].arguments(CASE)["strides"] == [2, 2]
    numbers = BY_NAME["integers"].arguments(CASE)
    assert (numbers["kernel_size"], numbers["strides"], numbers["output_padding"]) == (3, 2, (1, 0))
    assert BY_NAME["upper_case"].arguments(CASE)["padding"] == "SAME"
    spelled = BY_NAME["spelled_out"].arguments(parse("conv2d-valid-in1x3x4x2-k3x1-f2-s1x1"))
    assert {**spelled, "data_format": None} == {
        "filters": 2, "kernel_size": (3, 1), "strides": 1, "padding": "valid", "dilation_rate": 1, "groups": 1, "use_bias": True,
        "activation": None, "data_format": None,
    }  # fmt: skip


def test_forms_of_the_input_hold_the_same_numbers_laid_out_as_their_names_say() -> None:
    x = np.arange(1, 49, dtype="float32").reshape(2, 3, 4, 2)
    made = {one.name: one.operand(x.copy()) for one in FORMS}
    for name, operand in made.items():
        assert np.array_equal(operand, x[[0, 0]] if name == "broadcast" else x), name
    assert not made["read_only"].flags.writeable
    assert made["fortran"].flags.f_contiguous
    assert not made["fortran"].flags.c_contiguous
    assert made["strided"].strides == (1536, 256, 32, 8)  # bytes, in an array of (4, 6, 8, 4) numbers of 4
    assert max(made["backwards"].strides) < 0
    assert made["broadcast"].strides[0] == 0
    assert [str(made[name].dtype) for name in ("float64", "int32")] == ["float64", "int32"]


def test_activations_are_defined_on_the_linear_result() -> None:
    y = np.array([-3, 0, 1, 7], dtype="float32")
    assert BY_NAME["relu"].of_result(y).tolist() == [0, 0, 1, 7]
    assert BY_NAME["relu6"].of_result(y).tolist() == [0, 0, 1, 6]
    assert softsign(y).tolist() == [-0.75, 0, 0.5, 0.875]
    assert softsign(y).dtype == np.float32


def test_functions_beside_the_layers_are_asked_for_all_but_strides_with_dilation_and_causal() -> None:
    cases = grids.grid("smoke")
    left_out = {case for case in cases if strides_with_dilation(case) or case.padding == "causal"}
    assert {case for case in cases if not OPS.speaks_of(case, "eager")} == left_out


def test_a_form_that_fails_is_named() -> None:
    class Falling(Layers):
        """Falls over."""

        def understood(self, case: Case, arguments: object) -> Case:
            raise ValueError("what is that?")

    case = next(case for case in grids.grid("smoke") if ARGUMENTS.speaks_of(case, "eager"))
    verdict = ARGUMENTS(Falling(), case, "eager")
    assert verdict.outcome == Outcome.DECLINED
    assert verdict.message == f"{form(case).name}: ValueError: what is that?"
