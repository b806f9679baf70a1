"""A case in a process of its own brings its verdict back whole, and a process that brings none is a verdict, too."""

from __future__ import annotations

import pytest

from conformance import isolated, subjects
from conformance.cases import parse
from conformance.claims import CLAIMS
from conformance.outcomes import Outcome

SUBJECTS = "tests.conformance.subjects"
CASE = parse("conv2d_transpose-valid-in1x3x2x1-k2x3-f1-s1x1")


@pytest.mark.parametrize(("name", "outcome"), [("Right", Outcome.CONFORMS), ("Shifted", Outcome.WRONG_VALUE)])
def test_the_verdict_is_that_of_this_process(name: str, outcome: Outcome) -> None:
    verdict = isolated.judge(f"{SUBJECTS}:{name}", CASE, "eager", CLAIMS["forward"])
    assert verdict == CLAIMS["forward"](subjects.load(f"{SUBJECTS}:{name}"), CASE, "eager")
    assert verdict.outcome == outcome


def test_a_process_that_dies_is_a_crash_with_its_signal() -> None:
    verdict = isolated.judge(f"{SUBJECTS}:Dying", CASE, "eager", CLAIMS["forward"])
    assert verdict.outcome == Outcome.CRASHED
    assert verdict.message.startswith("the process was killed by SIGABRT: ")


def test_a_subject_that_cannot_be_had_there_is_a_crash_that_says_why() -> None:
    verdict = isolated.judge(f"{SUBJECTS}:Absent", CASE, "eager", CLAIMS["forward"])
    assert verdict.outcome == Outcome.CRASHED
    assert "has no 'Absent'" in verdict.message


def test_a_process_that_gives_nothing_in_time_hangs() -> None:
    verdict = isolated.judge(f"{SUBJECTS}:Sleeping", CASE, "eager", CLAIMS["forward"], seconds=2)
    assert (verdict.outcome, verdict.message) == (Outcome.HUNG, "no result within 2 s")
