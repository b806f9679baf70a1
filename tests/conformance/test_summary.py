"""One screen says what happened: counts, rule, map, smallest case. Nothing is hidden, and quiet runs stay quiet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance import summary
from conformance.cases import Case, parse
from conformance.features import FEATURES, MEANINGS, features
from conformance.grids import grid
from conformance.outcomes import Outcome, Verdict
from conformance.records import case_record
from conformance.summary import Tally, screen, smallness
from tests.conformance.test_gate import CHECKOUT, SUBJECTS, gate


def tally(outcome: Callable[[Case], Outcome], deviation: Callable[[Case], str | None] = lambda case: None) -> Tally:
    """A run of the smallest grid. A case fails the run as in a real one: not as it should be, or not as it is known to be."""
    found = Tally()
    for case in grid("smoke"):
        verdict, known = Verdict(outcome(case), "why"), deviation(case)
        failed = (verdict.outcome == Outcome.CONFORMS) == (known is not None)
        found.add(case_record(case, "forward", "eager", verdict, known, 0.1), failed, f"{case} [eager]\nthe script", f"test[{case}]")
    return found


def text(found: Tally, width: int = 100) -> str:
    return "\n".join("".join(part for part, _ in line).rstrip() for line in screen(found, width))


def bug(case: Case) -> Outcome:
    return Outcome.WRONG_VALUE if case.layer == "conv2d_transpose" and case.padding == "same" and case.strides[0] == 3 else Outcome.CONFORMS


def test_the_screen_of_a_bug() -> None:
    found = tally(bug)
    lines = text(found).splitlines()
    assert len(lines) < 40
    number = len(found.failures)
    assert number == sum(bug(case) == Outcome.WRONG_VALUE for case in grid("smoke"))
    assert any(line.startswith("Conv2DTranspose with padding same where the first axis has stride") for line in lines)
    assert f"all {number} failing cases, and none that passes" in " ".join(" ".join(lines).split())
    assert f"the smallest of {number} failing cases:" in lines
    assert lines[-2:] == [f"{found.failures[0].case} [eager]", "the script"]


def test_the_table_counts_layers_by_features_and_outcomes() -> None:
    found = tally(bug)
    rows = [line.split() for line in text(found).splitlines()]
    heads = rows[0]
    at = {(layer, row[0]): dict(zip(heads, row[1:], strict=True)) for layer, row in _under_layers(rows[1:])}
    for layer in ("Conv2D", "Conv2DTranspose"):
        for state, outcome in (("conforms", Outcome.CONFORMS), ("wrong_value", Outcome.WRONG_VALUE)):
            cases = [case for case in grid("smoke") if case.keras_name == layer and bug(case) == outcome]
            if not cases:
                assert (layer, state) not in at
                continue
            assert at[layer, state]["all"] == str(len(cases))
            for name in set(heads) & set(FEATURES):
                number = sum(FEATURES[name](case) for case in cases)
                assert at[layer, state][name] == (f"{number:,}" if number else ".")


def _under_layers(rows: list[list[str]]) -> list[tuple[str, list[str]]]:
    layer, found = "", []
    for row in rows:
        if not row:
            break
        if len(row) == 1:
            layer = row[0]
        else:
            found.append((layer, row))
    return found


def test_a_narrow_terminal_keeps_the_columns_with_failures() -> None:
    narrow = text(tally(bug), 60).splitlines()
    assert max(len(line) for line in narrow[: narrow.index("")]) <= 60
    assert "same" in narrow[0]
    assert "strided" in narrow[0]
    assert "groups" not in narrow[0]


def test_the_heat_map_has_the_share_of_failures() -> None:
    """All transposed "same" cases with stride 3 down fail: with stride 3 on either axis only some do, none with strides 1 and 2 alone."""
    lines = text(
        tally(lambda case: Outcome.DECLINED if case.layer == "conv2d_transpose" and 3 in case.strides else Outcome.CONFORMS)
    ).splitlines()
    at = lines.index(next(line for line in lines if line.startswith("Conv2DTranspose valid")))
    assert lines[at].split("   ") == ["Conv2DTranspose valid", "Conv2DTranspose same"]
    assert lines[at + 1].split() == ["1", "2", "3"] * 2
    for kernel, line in enumerate(lines[at + 2 : at + 5], 1):
        cells = line.split()
        assert (cells[0], cells[3], cells[4], cells[7]) == (str(kernel), "#", str(kernel), "#")
        assert all(cell == "." or cell.isdigit() for cell in cells[1:3])


def test_a_share_is_never_rounded_to_none_or_all() -> None:
    one = next(case for case in grid("smoke") if not case.transposed)
    most = [
        line
        for line in text(tally(lambda case: Outcome.DECLINED if case == one else Outcome.CONFORMS)).splitlines()
        if line[:5].strip().isdigit()
    ]
    assert "#" not in "".join(most)
    assert "1" in "".join(line[5:] for line in most)


def test_known_deviations_are_counted_and_fail_nothing() -> None:
    found = tally(bug, lambda case: "own" if bug(case) != Outcome.CONFORMS else None)
    assert found.failures == ()
    shown = text(found)
    assert f"{found.deviations['own']:7,} known deviation own" in shown
    assert "wrong_value" not in shown
    assert "the smallest" not in shown


def test_a_deviation_that_is_fixed_has_its_own_rule() -> None:
    """It was known of all transposed "same" cases; it is fixed for channels_first."""

    def outcome(case: Case) -> Outcome:
        known = case.transposed and case.padding == "same"
        return Outcome.DECLINED if known and case.data_format == "channels_last" else Outcome.CONFORMS

    found = tally(outcome, lambda case: "own" if case.transposed and case.padding == "same" else None)
    (rule,) = found.rules
    assert rule.exact
    assert rule.statement == "any layer with channels_first"  # of the cases that the deviation covers
    assert rule.kinds[0][0] == "conforms, though known to deviate (own)"
    assert "conforms, though known to deviate" in text(found)


def test_what_no_rule_covers_is_said() -> None:
    chosen = list(grid("smoke"))[5::97]
    found = tally(lambda case: Outcome.WRONG_SHAPE if case in chosen else Outcome.CONFORMS)
    lost = sum(not any(rule.covers(*each.key) for rule in found.rules) for each in found.failures)
    assert lost
    assert f"{lost} failing case" in text(found)


def test_smaller_means_less_work_then_less_to_say() -> None:
    ids = [
        "conv2d-same-in1x2x2x1-k1x1-f1-s1x1",
        "conv2d-same-in1x2x2x1-k1x1-f1-s1x1-nobias",
        "conv2d-same-in1x2x2x1-k1x1-f1-s2x2-channels_first",
        "conv2d-same-in1x2x2x1-k2x1-f1-s1x1",
        "conv2d-same-in2x2x2x2-k2x2-f2-s1x1",
    ]
    assert [str(case) for case in sorted((parse(text) for text in reversed(ids)), key=smallness)] == ids


def test_the_texts_of_many_failures_are_those_that_tell_most() -> None:
    found = tally(bug)
    telling = found.telling
    assert len(telling) == summary.TEXTS
    assert f"test[{found.failures[0].case}]" in telling


def test_features_have_meanings_and_bits() -> None:
    assert list(FEATURES) == list(MEANINGS)
    case = parse("conv2d_transpose-same-in1x2x2x1-k1x1-f1-s2x1-op1x0-nobias")
    assert [name for i, name in enumerate(FEATURES) if features(case) >> i & 1] == ["same", "strided", "outpad", "nobias"]


def test_a_run_prints_few_texts_and_every_id() -> None:
    done = gate("--grid", "smoke", "-n", "2", subject="LostRow")
    assert done.returncode == 1
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    texts = [line for line in done.stdout.splitlines() if line.startswith("_") and " test_forward[" in line]
    assert len(texts) == summary.TEXTS < len(failed)
    assert f"and {len(failed) - len(texts)} more failures: their ids stand below" in done.stdout
    last = done.stdout[done.stdout.index(f" conformance: {len(failed)} of ") :]
    assert "where the first axis has stride > 1: wrong_value" in last.replace("\n    ", " ")
    assert last.index("the smallest of") < last.index("where it differs")
    assert "Traceback" not in done.stdout + done.stderr


def test_very_verbose_runs_print_all_texts() -> None:
    ids = [f"conv2d-same-in1x{n}x2x1-k1x1-f1-s1x1" for n in range(2, 12)]
    cases = [part for text in ids for part in ("--case", text)]
    assert gate(*cases, "-vv", subject="Shifted").stdout.count("_ test_forward[") == len(ids)
    assert gate(*cases, subject="Shifted").stdout.count("_ test_forward[") == summary.TEXTS


def test_quiet_runs_stay_quiet() -> None:
    done = gate("--case", "conv2d-same-in1x2x2x1-k1x1-f1-s1x1", "-q")
    assert done.returncode == 0
    assert "conformance:" not in done.stdout
    assert len(done.stdout.splitlines()) <= 4


def test_collecting_alone_complains_of_nothing() -> None:
    done = gate("--collect-only", "-q", "--case", "conv2d-same-in1x2x2x1-k1x1-f1-s1x1")
    assert done.returncode == 0
    assert "conformance:" not in done.stdout


@pytest.mark.parametrize("workers", ["0", "2"])
def test_without_a_terminal_plugin_the_run_is_the_same(workers: str, tmp_path: Path) -> None:
    results = tmp_path / "run.jsonl"
    ids = ("conv2d-same-in1x2x2x1-k1x1-f1-s1x1", "conv2d-same-in1x3x2x1-k1x1-f1-s1x1")
    command = [sys.executable, "-m", "pytest", "conformance", "-p", "no:terminal", "-p", "no:cacheprovider", "-n", workers]
    command += ["--subject", f"{SUBJECTS}:Shifted", "--results", str(results), "--case", ids[0], "--case", ids[1]]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert all(text in results.read_text(encoding="utf-8") for text in ids)
