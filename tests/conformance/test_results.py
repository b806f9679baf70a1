"""A reader gives what can be read and says what cannot; no file makes it stumble."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.cases import parse
from conformance.outcomes import Outcome, Verdict
from conformance.records import Writer, case_record
from conformance.results import LONGEST_LINE, Entry, ResultsError, Run, plain, read

IDS = [f"conv2d-same-in1x{n}x2x1-k1x1-f1-s1x1" for n in range(1, 6)]
SUBJECT = {"keras": "3.15.1", "backend": "jax", "device": "cpu", "versions": {"jax": "0.10.2"}, "flags": {"x": 1}}


def written(path: Path, complete: bool = True) -> list[str]:
    """The lines of a run of five cases, the last of which is wrong."""
    writer = Writer(path, "smoke", ("eager",))
    writer.environment(SUBJECT)
    for text in IDS:
        verdict = Verdict(Outcome.WRONG_VALUE, "no", (0, 1, 0, 0), 2.5) if text == IDS[-1] else Verdict(Outcome.CONFORMS)
        writer.case(case_record(parse(text), "forward", "eager", verdict, None, 0.25))
    writer.close(complete=complete)
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def rewritten(path: Path, lines: list[str]) -> Run:
    path.write_text("".join(lines), encoding="utf-8")
    return read(path)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    written(tmp_path / "run.jsonl")
    run = read(tmp_path / "run.jsonl")
    assert run.complete
    assert run.notes == ()
    assert run.label == "Keras 3.15.1, jax 0.10.2"
    assert run.counts == {Outcome.CONFORMS: 4, Outcome.WRONG_VALUE: 1}
    assert [str(key[0]) for key in run.entries] == IDS
    last = run.entries[parse(IDS[-1]), "eager", "forward"]
    assert last == Entry(parse(IDS[-1]), "eager", "forward", Outcome.WRONG_VALUE, None, 2.5, 0.25, "no", (0, 1, 0, 0), {}, passes=False)


def test_an_interrupted_run_is_used_and_it_is_said(tmp_path: Path) -> None:
    written(tmp_path / "run.jsonl", complete=False)
    run = read(tmp_path / "run.jsonl")
    assert (len(run.entries), run.complete) == (5, False)
    assert [note.partition(": ")[2] for note in run.notes] == ["the run was interrupted (no summary); the 5 cases it had are used"]


def test_a_file_cut_within_a_line_loses_that_line_alone(tmp_path: Path) -> None:
    lines = written(tmp_path / "run.jsonl")
    run = rewritten(tmp_path / "run.jsonl", [*lines[:4], lines[4][:40]])
    assert len(run.entries) == 3
    assert "1 of 5 lines cannot be read and are left out; line 5 is cut off" in run.notes[0]
    assert "the 3 cases it had are used" in run.notes[1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": "conv2d-same"}, "line 3: case id 'conv2d-same' lacks its part 'in'"),
        ({"id": 7}, "line 3: a case without 'id'"),
        ({"outcome": "fine"}, "line 3: unknown outcome 'fine'"),
        ({"outcome": ["conforms"]}, "line 3: a case without 'outcome'"),
        ({"kind": "cake"}, "line 3 is of an unknown kind"),
    ],
)
def test_a_line_that_makes_no_sense_is_left_out_and_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    lines = written(tmp_path / "run.jsonl")
    lines[2] = json.dumps({**json.loads(lines[2]), **change}) + "\n"
    run = rewritten(tmp_path / "run.jsonl", lines)
    assert len(run.entries) == 4
    assert len(run.notes) == 1
    assert says in run.notes[0]


@pytest.mark.parametrize(
    ("first", "says"),
    [
        ("", "is empty: its run was interrupted before the first case"),
        ("hello\n", "is not a results file: its first line is no JSON"),
        ("[1]\n", "is not a results file: its first line is no JSON object"),
        ('{"kind": "summary"}\n', "is not a results file: its first line is no environment"),
        ('{"kind": "environment"}\n', "is not a results file: its environment has no schema version"),
        ('{"kind": "environment", "schema": 2}\n', "has schema version 2, and this convformance reads 1"),
        ("[" * 100_000 + "\n", "is not a results file: its first line is no JSON"),
        (" " * LONGEST_LINE, "is not a results file: its first line is too long"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_in_one_line(tmp_path: Path, first: str, says: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(first, encoding="utf-8")
    with pytest.raises(ResultsError) as error:
        read(path)
    assert says in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_opened_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"cannot read results file .*: No such file"):
        read(tmp_path / "missing.jsonl")
    with pytest.raises(ResultsError, match=r"cannot read results file .*: Is a directory"):
        read(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ResultsError, match="its first line is no UTF-8 text"):
        read(tmp_path / "binary")


def shards(path: Path, complete: tuple[bool, ...] = (True, True), **second: Any) -> list[list[str]]:
    """The lines of two halves of one run of five cases; ``second`` changes the environment of the other half."""
    halves = []
    for number, texts in enumerate((IDS[:2], IDS[2:])):
        writer = Writer(path, "smoke", ("eager",))
        writer.environment({**SUBJECT, "checks": 5, **(second if number else {})})
        for text in texts:
            verdict = Verdict(Outcome.WRONG_VALUE, "no") if text == IDS[-1] else Verdict(Outcome.CONFORMS)
            writer.case(case_record(parse(text), "forward", "eager", verdict, None, 0.25))
        writer.close(complete=complete[number])
        halves.append(path.read_text(encoding="utf-8").splitlines(keepends=True))
    return halves


def test_parts_of_a_run_put_one_behind_the_other_are_that_run(tmp_path: Path) -> None:
    one, other = shards(tmp_path / "run.jsonl")
    for lines in (one + other, other + one):
        run = rewritten(tmp_path / "run.jsonl", lines)
        assert run.complete
        assert [note.partition(": ")[2] for note in run.notes] == ["2 runs of one environment, taken together"]
        assert run.counts == {Outcome.CONFORMS: 4, Outcome.WRONG_VALUE: 1}
        assert {str(key[0]) for key in run.entries} == set(IDS)
        assert run.environment["modes"] == ["eager"]


def test_a_part_that_is_missing_is_missed(tmp_path: Path) -> None:
    one, _ = shards(tmp_path / "run.jsonl")
    run = rewritten(tmp_path / "run.jsonl", one)
    assert not run.complete
    assert [note.partition(": ")[2] for note in run.notes] == [
        "2 of 5 planned checks are here; the others were deselected, or their files are missing"
    ]


def test_what_a_subject_does_not_offer_is_not_missed(tmp_path: Path) -> None:
    one, other = shards(tmp_path / "run.jsonl")
    said = '{"kind": "not_offered", "claim": "forward", "mode": "xla", "reason": "mode xla", "cases": %d}\n'
    run = rewritten(
        tmp_path / "run.jsonl", [*one[:-1], said % 2, one[-1], other[0].replace('"checks": 5', '"checks": 6'), said % 1, other[-1]]
    )
    assert "forward in mode xla not offered (mode xla): 3 cases not checked" in run.notes[0]


def test_parts_of_unlike_environments_are_refused_in_one_line(tmp_path: Path) -> None:
    one, other = shards(tmp_path / "run.jsonl", versions={"jax": "0.10.3"})
    with pytest.raises(ResultsError) as error:
        rewritten(tmp_path / "run.jsonl", one + other)
    assert str(error.value) == (
        f"{tmp_path / 'run.jsonl'} holds runs of unlike environments, from line 1 and from line 5 (jax: 0.10.2 and 0.10.3):"
        " give them as files of their own"
    )


def test_parts_from_machines_of_other_names_are_taken_together_and_it_is_said(tmp_path: Path) -> None:
    one, other = shards(tmp_path / "run.jsonl")
    record = {**json.loads(other[0]), "processor": "another", "modes": ["eager", "graph"]}
    run = rewritten(tmp_path / "run.jsonl", [*one, json.dumps(record) + "\n", *other[1:]])
    assert "the parts were run on unlike machines (processor: " in run.notes[0]
    assert run.environment["processor"].endswith(" | another")
    assert run.environment["modes"] == ["eager", "graph"]


def test_a_part_that_was_interrupted_is_named(tmp_path: Path) -> None:
    one, other = shards(tmp_path / "run.jsonl", complete=(True, False))
    run = rewritten(tmp_path / "run.jsonl", one + other)
    assert (len(run.entries), run.complete) == (5, False)
    assert "1 of 2 runs were interrupted (no summary), the first begins at line 5" in run.notes[1]


def test_of_a_check_in_two_parts_the_worse_outcome_is_kept(tmp_path: Path) -> None:
    one, other = shards(tmp_path / "run.jsonl")
    better = [line.replace("wrong_value", "conforms") for line in other]
    for lines in (one + other + better, one + better + other):
        run = rewritten(tmp_path / "run.jsonl", lines)
        assert run.counts == {Outcome.CONFORMS: 4, Outcome.WRONG_VALUE: 1}
        assert "3 checks are in more than one run; 1 came out otherwise, and what does not conform is kept" in run.notes[1]


def test_a_part_without_environment_is_used_and_it_is_said(tmp_path: Path) -> None:
    one, other = shards(tmp_path / "run.jsonl")
    run = rewritten(tmp_path / "run.jsonl", one + other[1:])
    assert len(run.entries) == 5
    assert "says nothing of its environment" in run.notes[1]


def test_a_run_whose_first_worker_died_has_no_environment(tmp_path: Path) -> None:
    lines = written(tmp_path / "run.jsonl")
    run = rewritten(tmp_path / "run.jsonl", lines[1:])
    assert len(run.entries) == 5
    assert "says nothing of its environment" in run.notes[0]
    assert run.label == "run.jsonl"


def test_text_from_a_file_reaches_no_terminal_as_control(tmp_path: Path) -> None:
    lines = written(tmp_path / "run.jsonl")
    record = {**json.loads(lines[5]), "message": "\x1b[2Jgone\nnext\ud800\u202e", "characteristics": {"sign\x07": "\x00", "n": 1}}
    run = rewritten(tmp_path / "run.jsonl", [lines[0].replace("3.15.1", "3\\u001b[31m"), *lines[1:5], json.dumps(record) + "\n", lines[6]])
    entry = run.entries[parse(IDS[-1]), "eager", "forward"]
    assert entry.message == "\N{REPLACEMENT CHARACTER}[2Jgone\nnext\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    assert entry.characteristics == {"sign\N{REPLACEMENT CHARACTER}": "\N{REPLACEMENT CHARACTER}", "n": 1}
    assert "\x1b" not in run.label
    assert plain("tab\tnewline\n") == "tab\N{REPLACEMENT CHARACTER}newline\n"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["case", "environment", "summary", *IDS]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=6,
)
FIELDS = ("kind", "id", "claim", "mode", "outcome", "deviation", "error_in_bounds", "seconds", "message", "at", "characteristics")
ENVIRONMENT = ("kind", "schema", "keras", "backend", "versions", "flags", "modes", "grid")


@st.composite
def almost_lines(draw: st.DrawFn) -> bytes:
    """A line that may be right, may have any value in any field, or may be any bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=60))
    fields = draw(st.sampled_from([FIELDS, ENVIRONMENT]))
    record: dict[str, Any] = {"kind": "case" if fields is FIELDS else "environment", "schema": 1, "mode": "eager", "outcome": "conforms"}
    record["id"] = draw(st.sampled_from(IDS))
    for field in draw(st.lists(st.sampled_from(fields), max_size=3)):
        record[field] = draw(JSON)
    return json.dumps(record).encode("utf-8", "surrogatepass") + draw(st.sampled_from([b"\n", b"\n", b"\n", b"", b"}\n"]))


@settings(deadline=None, max_examples=150)
@given(st.lists(almost_lines(), max_size=6), st.booleans())
def test_no_file_makes_the_reader_stumble(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], ours: bool) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "run.jsonl"
    environment = json.dumps({"kind": "environment", "schema": 1, **SUBJECT}).encode() + b"\n"
    path.write_bytes(b"".join([environment, *lines] if ours else lines))
    try:
        run = read(path)
    except ResultsError as error:
        assert "\n" not in str(error)
        assert not ours or "unlike environments" in str(error) or "schema" in str(error)
        return
    assert all("\n" not in note for note in run.notes)
    assert run.label
    assert run.counts.total() == len(run.entries)
    for key, entry in run.entries.items():
        assert entry.key == key
        # what is handed on can be printed, and written as UTF-8
        assert not any("\n" in text for text in (entry.mode, entry.claim, entry.deviation or "", *entry.characteristics))
        "".join([entry.message, entry.mode, entry.claim, str(entry.characteristics), str(run.environment)]).encode("utf-8")
