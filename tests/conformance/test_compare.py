"""Two runs are compared as rules, and the exit code says whether something got worse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.__main__ import main
from conformance.cases import Case
from conformance.compare import FORMATS, Comparison, compare
from conformance.grids import grid
from conformance.outcomes import Outcome, Verdict
from conformance.records import Writer, case_record
from conformance.results import read

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a run of the smallest grid: ``outcome`` of each case, ``more`` fields of its record, ``environment`` that differs."""

    def writer(
        name: str,
        outcome: Callable[[Case], Outcome | None] = lambda case: Outcome.CONFORMS,
        more: Callable[[Case], dict[str, Any]] = lambda case: {},
        **environment: Any,
    ) -> Path:
        path = tmp_path / f"{name}.jsonl"
        results = Writer(path, "smoke", ("eager",))
        results.environment(
            {"keras": "3.11.3", "backend": "torch", "versions": {"keras": "3.11.3", "torch": "2.13.0"}, "flags": {}, **environment}
        )
        for case in grid("smoke"):
            found = outcome(case)
            if found is not None:
                results.case({**case_record(case, "forward", "eager", Verdict(found), None, 0.1), **more(case)})
        results.close(complete=True)
        return path

    return writer


def bug(case: Case) -> Outcome:
    return Outcome.WRONG_VALUE if case.layer == "conv2d_transpose" and max(case.dilation_rate) > 1 else Outcome.CONFORMS


def compared(old: Path, new: Path) -> Comparison:
    return compare(read(old), read(new))


def test_a_fix_is_one_sentence_and_no_failure(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = write("old", bug), write("new", keras="3.15.1", versions={"keras": "3.15.1", "torch": "2.13.0"})
    number = sum(bug(case) == Outcome.WRONG_VALUE for case in grid("smoke"))
    assert main(["compare", str(old), str(new)]) == 0
    shown = capsys.readouterr().out
    assert "keras: 3.11.3 -> 3.15.1" in shown
    assert f"wrong_value -> conforms, {number} cases" in shown
    assert "  Conv2DTranspose where an axis has dilation > 1 (all of them, and no case that stayed)" in shown
    assert f"0 of {len(grid('smoke'))} cases in both runs no longer conform, {number} conform now" in shown


def test_what_no_longer_conforms_comes_first_and_is_exit_code_1(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    old = write("old", lambda case: Outcome.DECLINED if case.data_format == "channels_first" else Outcome.CONFORMS)
    new = write("new", lambda case: Outcome.WRONG_SHAPE if case.data_format == "channels_last" and case.batch == 3 else Outcome.CONFORMS)
    assert main(["compare", str(old), str(new)]) == 1
    shown = capsys.readouterr().out
    assert "the environments are the same" in shown
    assert shown.index("NO LONGER CONFORMS: conforms -> wrong_shape") < shown.index("declined -> conforms")


def test_the_same_run_twice_has_nothing_to_say(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(write("old", bug)), str(write("new", bug))]) == 0
    assert "->" not in capsys.readouterr().out


def test_cases_on_one_side_only_are_counted_and_no_regression(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    old = write("old", lambda case: None if case.transposed else Outcome.CONFORMS)
    new = write("new", lambda case: None if case.padding == "same" else bug(case))
    comparison = compared(old, new)
    assert comparison.regressed == 0
    assert len(comparison.only_old) == sum(not case.transposed and case.padding == "same" for case in grid("smoke"))
    assert len(comparison.only_new) == sum(case.transposed and case.padding == "valid" for case in grid("smoke"))
    main(["compare", str(old), str(new)])
    assert f"only in the new run: {len(comparison.only_new)} cases, for instance conv2d_transpose-valid" in capsys.readouterr().out


def test_runs_without_a_common_case_say_so(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    old = write("old", lambda case: None if case.transposed else Outcome.CONFORMS)
    new = write("new", lambda case: Outcome.CONFORMS if case.transposed else None)
    assert main(["compare", str(old), str(new)]) == 0
    assert "the two runs have no case in common" in capsys.readouterr().out


def test_characteristics_are_compared_whatever_they_are(write: Write) -> None:
    old = write("old", more=lambda case: {"characteristics": {"subnormals": "kept"}})
    new = write(
        "new",
        more=lambda case: {
            "characteristics": {"subnormals": "flushed" if case.layer == "conv2d" and case.groups > 1 else "kept", "new one": True}
        },
    )
    comparison = compared(old, new)
    found = {(change.what, change.old, change.new): [rule.statement for rule in change.rules] for change in comparison.characteristics}
    assert found["subnormals", "kept", "flushed"] == ["Conv2D with groups > 1"]
    assert set(found) == {("subnormals", "kept", "flushed"), ("new one", "not recorded", "True")}
    assert comparison.regressed == 0
    assert "subnormals: kept -> flushed" in FORMATS["text"](comparison)


@pytest.mark.parametrize(
    ("old", "new", "moved"),
    [
        (0.4, 0.9, ("smaller", "larger")),
        (0.9, 0.4, ("larger", "smaller")),
        (0.5, 0.9, None),  # less than twice
        (0.01, 0.04, None),  # many times nothing
        (0.4, None, None),
        (0.4, float("inf"), ("smaller", "larger")),
    ],
)
def test_accuracy_that_moved_more_than_noise_is_said(
    write: Write, old: float | None, new: float | None, moved: tuple[str, str] | None
) -> None:
    def more(error: float | None) -> Callable[[Case], dict[str, Any]]:
        return lambda case: {"error_in_bounds": error if case.padding == "same" else 0.1}

    comparison = compared(write("old", more=more(old)), write("new", more=more(new)))
    assert [(change.old, change.new) for change in comparison.accuracy] == ([moved] if moved else [])
    if moved:
        assert comparison.accuracy[0].rules[0].statement == "any layer with padding same"
        assert f"median {old:.3g} -> {new:.3g}" in FORMATS["text"](comparison)
    assert comparison.regressed == 0


def test_json_says_it_for_machines(write: Write) -> None:
    comparison = compared(write("old"), write("new", bug))
    told = json.loads(FORMATS["json"](comparison))
    assert told["regressed"] == comparison.regressed > 0
    (change,) = told["changes"]
    assert (change["old"], change["new"], change["worse"]) == ("conforms", "wrong_value", True)
    assert len(change["cases"]) == comparison.regressed
    assert change["rules"][0]["any_axis"] == {"dilation": ">= 2"}


def test_markdown_is_a_table_that_text_cannot_break(write: Write) -> None:
    evil = "a|b `c` <script>\n# d"
    new = write("new", bug, versions={"keras": evil, "torch": "2.13.0"}, more=lambda case: {"deviation": evil})
    shown = FORMATS["markdown"](compared(write("old"), new))
    assert "| ❌ conforms → wrong\\_value |" in shown
    assert "<script>" not in shown
    row = next(line for line in shown.splitlines() if line.startswith("| keras |"))
    assert row == "| keras | 3.11.3 | a\\|b \\`c\\` &lt;script&gt; \\# d |"


def test_a_bad_file_is_a_usage_error_in_one_line(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write("old")
    assert main(["compare", str(good), str(tmp_path / "missing.jsonl")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "cannot read results file" in error


def test_notes_of_a_reader_are_shown(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = write("old"), write("new")
    new.write_text("".join(new.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    main(["compare", str(old), str(new)])
    assert f"note: {new}: the run was interrupted (no summary)" in capsys.readouterr().out
