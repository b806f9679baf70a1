"""A subject in a process of its own: the verdicts are those of this process, and a process that brings none is a verdict, too."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from conformance import isolated
from conformance.cases import Case, parse
from conformance.claims import CLAIMS
from conformance.isolated import Asked, InProcess, Isolated
from conformance.outcomes import Outcome
from conformance.process import Limits, Process, Reply
from conformance.subjects import NotOfferedError, SubjectError
from tests.conformance.perils import PERILS, perilous

SUBJECTS = "tests.conformance.subjects"
PERILOUS = "tests.conformance.perils"
CASE = parse("conv2d_transpose-valid-in1x3x2x1-k2x3-f1-s1x1")
SIZES = [parse(f"conv2d-same-in1x{n}x2x1-k1x2-f1-s1x1") for n in (1, 2, 3, 4)]
FORWARD = CLAIMS["forward"]
LIMITS = Limits(seconds=5.0, start=300.0, memory=1 << 29)


@pytest.fixture(scope="module")
def host() -> Iterator[Isolated]:
    made = Isolated(f"{PERILOUS}:Perilous", LIMITS)
    yield made
    made.close()


def test_a_function_is_called_where_the_subject_lives() -> None:
    apart, here = Isolated(f"{SUBJECTS}:Right", LIMITS), InProcess(f"{SUBJECTS}:Right", LIMITS)
    assert here.call("os:getpid") == os.getpid()
    assert apart.call("os:getpid") != os.getpid()
    with pytest.raises(ValueError, match="invalid literal"):
        apart.call("builtins:int", "x")
    assert apart.close() is None


def test_whatever_is_asked_first_there_is_one_process() -> None:
    host = Isolated(f"{SUBJECTS}:Right", LIMITS)
    process = host.call("os:getpid")
    assert host.environment
    assert host.judge(CASE, "eager", FORWARD)[0].outcome == Outcome.CONFORMS
    assert host.call("os:getpid") == process
    host.close()


@pytest.mark.skipif(sys.platform != "linux", reason="mappings are counted as Linux tells them")
def test_a_process_with_many_mappings_is_followed_by_another_before_the_kernel_gives_it_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "WEIGHED", 4)
    host = Isolated(f"{PERILOUS}:Mapping", LIMITS._replace(mappings=10_000))
    processes = [_process_of(host) for _ in range(12)]  # 1,000 more mappings with each
    assert len(set(processes[:7])) == len(set(processes[7:])) == 1
    assert processes[6] != processes[7]
    assert host.renewed() == "half of the mappings that a process may have"
    assert host.renewed() is None
    assert host.close() is None


def test_a_process_with_half_of_the_memory_it_may_have_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "WEIGHED", 2)
    monkeypatch.setattr(Process, "memory", 3)
    host = Isolated(f"{PERILOUS}:Perilous", LIMITS._replace(memory=None))
    assert len({_process_of(host) for _ in range(4)}) == 1
    host.close()
    monkeypatch.setattr(Process, "memory", LIMITS.memory)
    host = Isolated(f"{PERILOUS}:Perilous", LIMITS)
    processes = [_process_of(host) for _ in range(4)]
    assert processes[0] != processes[1] == processes[2] != processes[3]
    assert host.close() is None


def _process_of(host: Isolated) -> int:
    """The process that has judged a case."""
    assert host.judge(CASE, "eager", FORWARD)[0].outcome == Outcome.CONFORMS
    return int(host.call("os:getpid"))


def test_a_process_that_ends_badly_when_it_is_followed_by_another_is_told_of_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "WEIGHED", 2)
    monkeypatch.setattr(Process, "mappings", 2)
    host = Isolated(f"{PERILOUS}:DyingAtItsEnd", LIMITS._replace(mappings=1))
    for _ in range(2):
        assert host.judge(CASE, "eager", FORWARD)[0].outcome == Outcome.CONFORMS
    said = host.close()
    assert said is not None
    assert said.count("killed by SIGABRT when it was told to end") == said.count(f"its last cases were {CASE} [eager] (forward)") == 2
    assert host.close() is None


@pytest.mark.parametrize(("name", "outcome"), [("Right", Outcome.CONFORMS), ("Shifted", Outcome.WRONG_VALUE)])
def test_the_verdict_is_that_of_this_process(name: str, outcome: Outcome) -> None:
    apart, here = Isolated(f"{SUBJECTS}:{name}", LIMITS), InProcess(f"{SUBJECTS}:{name}", LIMITS)
    verdict, seconds = apart.judge(CASE, "eager", FORWARD)
    assert apart.close() is None
    assert verdict == here.judge(CASE, "eager", FORWARD)[0] == here.alone(CASE, "eager", FORWARD)[0]
    assert apart.environment == here.environment
    assert verdict.outcome == outcome
    assert 0 < seconds < 60


@pytest.mark.parametrize("name", PERILS)
def test_every_peril_is_a_verdict_and_the_next_case_is_judged(name: str, host: Isolated) -> None:
    verdict, _ = host.judge(parse(perilous(name)), "eager", FORWARD)
    assert verdict.outcome == PERILS[name].outcome
    assert PERILS[name].says in verdict.message
    assert host.judge(CASE, "eager", FORWARD)[0].outcome == Outcome.CONFORMS


@pytest.mark.parametrize("name", PERILS)
def test_a_peril_among_cases_judged_together_is_the_verdict_on_its_own_case(name: str, host: Isolated) -> None:
    cases = [SIZES[0], parse(perilous(name)), SIZES[1], CASE]
    verdicts = [host.judge(case, "eager", FORWARD, _asked(*cases[n + 1 :]))[0] for n, case in enumerate(cases)]
    assert [verdict.outcome for verdict in verdicts] == [Outcome.CONFORMS, PERILS[name].outcome, Outcome.CONFORMS, Outcome.CONFORMS]
    assert PERILS[name].says in verdicts[1].message


def _asked(*cases: Case) -> list[Asked]:
    return [(case, "eager", FORWARD) for case in cases]


@pytest.mark.parametrize("name", ["Right", "Shifted"])
def test_what_follows_is_judged_with_the_first_and_told_when_it_is_asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    apart, here = Isolated(f"{SUBJECTS}:{name}", LIMITS), InProcess(f"{SUBJECTS}:{name}", LIMITS)
    requests = []
    ask = Process.ask_together

    def counted(process: Process, seconds: float, function: str, calls: Sequence[tuple[Any, ...]], most: float) -> list[Reply]:
        requests.append(len(calls))
        return ask(process, seconds, function, calls, 60.0 if most else 0.0)

    monkeypatch.setattr(Process, "ask_together", counted)
    assert apart.environment
    for n, case in enumerate(SIZES):
        following = iter(_asked(*SIZES[n + 1 :], *[CASE] * isolated.TOGETHER))
        assert apart.judge(case, "eager", FORWARD, following)[0] == here.judge(case, "eager", FORWARD, following)[0]
    assert requests == [1, isolated.TOGETHER]
    assert apart.judge(CASE, "eager", FORWARD)[0].outcome == here.judge(CASE, "eager", FORWARD)[0].outcome
    assert requests == [1, isolated.TOGETHER]  # it had followed, too
    assert apart.judge(SIZES[0], "eager", FORWARD)[0].outcome == here.judge(SIZES[0], "eager", FORWARD)[0].outcome
    assert requests == [1, isolated.TOGETHER, 1]
    assert apart.close() is None


def test_no_case_is_begun_in_advance_when_those_before_took_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "TOGETHER_SECONDS", 0.5)
    host = Isolated(f"{PERILOUS}:Slow", LIMITS)
    for case in SIZES[:2]:
        assert host.judge(case, "eager", FORWARD, _asked(*SIZES[2:]))[0].outcome == Outcome.CONFORMS
        assert not host._ahead
    assert host.close() is None


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_death_in_advance_that_no_check_asks_for_is_told_in_the_end(goes_on: bool) -> None:
    host = Isolated(f"{PERILOUS}:Perilous", LIMITS)
    dies = parse(perilous("abort"))
    for following in ([CASE], [CASE, dies]):
        assert host.judge(SIZES[0], "eager", FORWARD, _asked(*following))[0].outcome == Outcome.CONFORMS
    if goes_on:
        assert host.judge(SIZES[1], "eager", FORWARD)[0].outcome == Outcome.CONFORMS
        assert not host._ahead
    said = host.close()
    assert said is not None
    assert said.startswith(f"{dies} [eager] (forward), judged in advance: the process was killed by SIGABRT")
    assert host.close() is None


@pytest.mark.parametrize("together", [False, True])
def test_a_crash_that_an_earlier_case_prepared_names_those_before(together: bool) -> None:
    host, cases = Isolated(f"{PERILOUS}:Spoiling", LIMITS), SIZES
    verdicts = [host.judge(case, "eager", FORWARD, _asked(*cases[n + 1 :] * together))[0] for n, case in enumerate(cases)]
    assert host.close() is None
    assert [verdict.outcome for verdict in verdicts] == ["conforms", "conforms", "conforms", "crashed"]
    assert "killed by SIGABRT" in verdicts[-1].message
    assert "in a new process this case comes to conforms: one of those before it may have done the damage" in verdicts[-1].message
    assert f"{cases[1]} [eager] (forward), {cases[2]} [eager] (forward)" in verdicts[-1].message
    assert host.alone(cases[-1], "eager", FORWARD)[0].outcome == Outcome.CONFORMS


def test_a_crash_at_the_end_of_the_process_is_said() -> None:
    host = Isolated(f"{PERILOUS}:DyingAtItsEnd", LIMITS)
    assert host.judge(CASE, "eager", FORWARD)[0].outcome == Outcome.CONFORMS
    said = host.close()
    assert said is not None
    assert "the process was killed by SIGABRT when it was told to end" in said
    assert str(CASE) in said
    verdict, _ = host.alone(CASE, "eager", FORWARD)
    assert verdict.outcome == Outcome.CRASHED


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (f"{SUBJECTS}:Absent", "has no 'Absent'"),
        (f"{PERILOUS}:DyingWhenLoaded", "cannot be loaded: the process was killed by SIGABRT"),
        (f"{PERILOUS}:ExitingWhenLoaded", "cannot be loaded: the process ended with exit code 5"),
    ],
)
def test_a_subject_that_cannot_be_loaded_is_said_at_once_for_every_case(name: str, says: str) -> None:
    host = Isolated(name, LIMITS)
    for _ in range(2):
        with pytest.raises(SubjectError, match=says):
            host.judge(CASE, "eager", FORWARD)
    started = time.perf_counter()
    for _ in range(100):
        with pytest.raises(SubjectError):
            host.judge(CASE, "eager", FORWARD)
    assert time.perf_counter() - started < 1
    host.close()


def test_what_is_not_offered_is_no_verdict_there_either() -> None:
    host = Isolated(f"{SUBJECTS}:Right", LIMITS)
    with pytest.raises(NotOfferedError, match="mode graph"):
        host.judge(CASE, "graph", FORWARD)
    assert host.judge(CASE, "eager", FORWARD, [(CASE, "graph", FORWARD), *_asked(SIZES[0])])[0].outcome == Outcome.CONFORMS
    with pytest.raises(NotOfferedError, match="mode graph"):
        host.judge(CASE, "graph", FORWARD)
    assert host.judge(SIZES[0], "eager", FORWARD)[0].outcome == Outcome.CONFORMS
    assert host.close() is None


@pytest.mark.parametrize("together", [False, True])
def test_what_a_subject_prints_comes_here(together: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """With the case that it was printed for, also where another was judged after it."""
    host = Isolated(f"{PERILOUS}:Talkative", LIMITS)
    for n, case in enumerate(SIZES[:3]):
        host.judge(case, "eager", FORWARD, _asked(*SIZES[n + 1 : 3] * together))
        said = capsys.readouterr().err
        assert sorted(said.splitlines()) == ["said to stderr", "said to stdout"]
    host.close()
