"""The defined shape of what is only partly known, and the claims that ask for it and ask twice."""

from __future__ import annotations

from itertools import product

import pytest

from conformance import grids
from conformance.cases import Case, parse
from conformance.claims.repeated import ONE_IN, REPEATED, chosen
from conformance.claims.shapes import SHAPES, questions
from conformance.contract import error_due, filled, output_shape, partial_output_shape
from conformance.outcomes import Outcome
from conformance.probes import Probe
from conformance.spread import part
from conformance.subjects import Announced, Observed
from tests.faults.layers import Layers

CASE = parse("conv2d-valid-in2x5x7x3-k3x2-f4-s2x3-channels_first")


def test_every_set_of_unknown_sizes_leaves_the_others_as_they_are() -> None:
    whole = output_shape(CASE)
    assert whole == (2, 4, 2, 2)
    for known in product((True, False), repeat=3):
        shape = (*(n if is_known else None for n, is_known in zip(CASE.input_shape[:3], known, strict=True)), 3)
        batch, height, width = (n if is_known else None for n, is_known in zip((2, 2, 2), known, strict=True))
        assert partial_output_shape(CASE, shape) == (batch, 4, height, width)


def test_a_size_that_is_not_known_is_no_reason_to_refuse() -> None:
    """The window is 3 high and the input 2: an error as long as that is known."""
    case = parse("conv2d-valid-in2x2x7x3-k3x2-f4-s2x3")
    with pytest.raises(ValueError, match="window of 3 elements is larger"):
        partial_output_shape(case, (None, 2, None, 3))
    assert partial_output_shape(case, (2, None, 7, 3)) == (2, None, 2, 4)
    assert error_due(filled(case, (2, None, 7, 3))) is None


def test_arguments_that_must_be_refused_are_refused_whatever_is_known() -> None:
    case = parse("conv2d_transpose-same-in1x2x2x1-k3x3-f1-s2x2-op2x0")
    assert error_due(filled(case, (None, None, None, 1)))


def test_questions_have_the_case_itself_first_and_last_and_every_size_unknown_once_alone() -> None:
    asked = list(questions(CASE))
    assert asked[0] == asked[-1] == CASE.input_shape
    assert asked[1] == (3, 6, 8, 3)
    assert asked[2] == (None, None, None, 3)
    assert asked[3:-1] == [(None, 5, 7, 3), (2, None, 7, 3), (2, 5, None, 3)]


class Telling(Layers):
    """Tells what it is given."""

    def __init__(self, said: Announced) -> None:
        self.said = said

    def output_shape(self, case: Case, input_shape: tuple[int | None, ...], function: str) -> Announced:
        return self.said


@pytest.mark.parametrize(
    ("said", "outcome", "message"),
    [
        (Announced((2, 4, 2, 3)), Outcome.WRONG_SHAPE, "the function of shapes of (2, 3, 5, 7): expected (2, 4, 2, 2), got (2, 4, 2, 3)"),
        (Announced((2, 4, 2)), Outcome.WRONG_SHAPE, "the function of shapes of (2, 3, 5, 7): expected (2, 4, 2, 2), got (2, 4, 2)"),
        (Announced((2, 4, 2, 2), "int8"), Outcome.WRONG_DTYPE, "the function of shapes of (2, 3, 5, 7): expected dtype float32, got int8"),
    ],
)
def test_what_is_wrong_is_said_with_the_question(said: Announced, outcome: Outcome, message: str) -> None:
    verdict = SHAPES(Telling(said), CASE, "eager")
    assert (verdict.outcome, verdict.message) == (outcome, message)


def test_a_shape_where_an_error_is_due_is_accepted() -> None:
    refused = parse("conv2d-valid-in1x2x2x1-k3x3-f1-s1x1")
    verdict = SHAPES(Telling(Announced((1, 0, 0, 1))), refused, "eager")
    assert verdict.outcome == Outcome.ACCEPTED
    assert "an error is due (a valid window of 3 elements" in verdict.message


def test_falling_over_is_no_refusal() -> None:
    class Falling(Layers):
        """Falls over where it should refuse."""

        def output_shape(self, case: Case, input_shape: tuple[int | None, ...], function: str) -> Announced:
            raise AttributeError("no such thing")

    refused = parse("conv2d-valid-in1x2x2x1-k3x3-f1-s1x1")
    verdict = SHAPES(Falling(), refused, "eager")
    assert verdict.outcome == Outcome.DECLINED
    assert "got an accident: AttributeError: no such thing" in verdict.message


def test_cases_are_called_again_on_every_grid_with_every_kind_of_layer() -> None:
    for name in grids.BOUNDS:
        cases = grids.grid(name)
        found = [case for case in cases if REPEATED.speaks_of(case, "eager")]
        assert len(cases) / (2 * ONE_IN) < len(found) < len(cases) / ONE_IN * 1.2
        # of the samples of the other layers, too few for every padding
        whole = {(case.layer, case.padding) for case in cases if str(case) not in grids.SAMPLES}
        assert {(case.layer, case.padding) for case in found} >= whole
        assert all(error_due(case) is None for case in found)


def test_parts_are_about_equally_large_and_unlike_for_unlike_purposes() -> None:
    cases = grids.grid("smoke")
    sizes = [sum(part(case, 4, "one") == number for case in cases) for number in range(4)]
    assert max(sizes) < 1.25 * len(cases) / 4
    assert any(part(case, 4, "one") != part(case, 4, "other") for case in cases)


def test_the_third_call_is_judged_as_the_first_is() -> None:
    class WrongInTheThird(Layers):
        """Forgets the bias from the third call on."""

        def __init__(self) -> None:
            self.calls = 0

        def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
            self.calls += 1
            observed = super().forward(case, probe, mode)
            return observed if self.calls < 3 else Observed(observed.values + 1, observed.dtype)

    case = next(case for case in grids.grid("smoke") if chosen(case))
    verdict = REPEATED(WrongInTheThird(), case, "eager")
    assert verdict.outcome == Outcome.WRONG_VALUE
    assert verdict.message.startswith("third call, on the first input again: ")
