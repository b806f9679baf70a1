"""What the comparison of many runs takes for the same."""

from __future__ import annotations

import pytest

from conformance.cases import Key, parse
from tests.flakiness import Found, Unlike, compare, judge

KEY = (parse("conv2d-same-in1x2x2x1-k1x1-f1-s1x1"), "eager", "forward")
RIGHT = Found("conforms", None, True, "")
KNOWN = Found("wrong_value", "either", True, "2 of 4 elements differ")


@pytest.mark.parametrize(
    ("one", "other", "unlike", "either_way"),
    [
        (RIGHT, RIGHT, 0, 0),
        (RIGHT, KNOWN, 0, 1),
        (KNOWN, KNOWN._replace(message="3 of 4 elements differ"), 0, 1),
        (RIGHT, KNOWN._replace(deviation="always"), 1, 0),  # its entry is not heuristic
        (RIGHT, KNOWN._replace(passes=False), 1, 0),
        (RIGHT, KNOWN._replace(deviation=None, passes=False), 1, 0),
        (RIGHT, RIGHT._replace(message="other"), 1, 0),
        (RIGHT, None, 1, 0),
    ],
)
def test_only_what_a_heuristic_entry_lets_pass_may_come_out_either_way(
    one: Found, other: Found | None, unlike: int, either_way: int
) -> None:
    second = {} if other is None else {KEY: other}
    parts = compare({KEY: one}, second, {"either"})
    assert (len(parts.unlike), len(parts.either_way)) == (unlike, either_way)


@pytest.mark.parametrize(
    ("found", "code", "complete", "unlike", "wrong"),
    [
        ({KEY: RIGHT}, 0, True, [], []),
        ({KEY: KNOWN}, 0, True, [], []),
        ({KEY: RIGHT._replace(passes=False)}, 1, True, [], []),  # fails every time: the same
        ({KEY: RIGHT}, 1, True, [], ["exit code 1 instead of 0"]),  # a test failed that is no check
        ({KEY: RIGHT._replace(passes=False)}, 0, True, [], ["exit code 0 instead of 1"]),
        ({KEY: RIGHT}, 3, True, [], ["exit code 3 instead of 0"]),
        ({KEY: RIGHT}, 0, False, [], ["not complete"]),
        ({KEY: RIGHT}, 0, True, ["a"], ["1 unlike the first run"]),
        ({}, 0, True, [], ["no check"]),
    ],
)
def test_a_run_is_the_same_only_if_it_is_whole_and_its_exit_code_follows_from_its_verdicts(
    found: dict[Key, Found], code: int, complete: bool, unlike: list[str], wrong: list[str]
) -> None:
    assert judge(found, code, complete, Unlike(unlike, [])) == wrong
