"""Exploration gets from any case that fails down to the smallest that shows the fault; what it found comes first next time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given

from conformance import grids, space
from conformance.cases import DTYPES, LAYERS, Case, parse
from conformance.claims import CLAIMS
from conformance.contract import error_due
from conformance.explore import Check, Explorer, Failure, Kept, Store, cases, share
from conformance.gate import Judgement
from conformance.outcomes import Outcome, Verdict
from conformance.probes import UntrustedCaseError
from conformance.records import case_record
from conformance.space import Point, smaller
from conformance.subjects import NotOfferedError
from conformance.summary import smallness
from tests.faults.catalogue import faults
from tests.faults.planting import Fault

FORWARD = CLAIMS["forward"]


def explorer(judge: object) -> Explorer:
    """One that asks ``judge``, a function of a check, for outcomes."""
    assert callable(judge)

    def judged(check: Check) -> Judgement:
        outcome = judge(check)
        return Judgement(case_record(check.case, check.claim.name, check.mode, Verdict(outcome), None, 0.0), f"{check.case}: {outcome}")

    return Explorer(judged, fatal=lambda check: False, modes=["eager"], claims=["forward"], dtypes=["float32"])


def failing_if(holds: object) -> Explorer:
    assert callable(holds)
    return explorer(lambda check: Outcome.WRONG_VALUE if holds(check.case) else Outcome.CONFORMS)


def smallest(failure: Failure | None) -> str:
    assert failure is not None
    assert failure.finished
    return str(failure.check.case)


# The space of cases


@pytest.mark.parametrize("layer", LAYERS)
def test_cases_are_drawn_within_the_bounds_and_are_points(layer: str) -> None:
    drawn: list[Case] = []

    @given(cases(layer, DTYPES))
    def draw(case: Case) -> None:
        drawn.append(case)
        assert case.layer == layer
        assert Point.of(case).case() == case
        assert max(case.size) <= space.SIZE
        assert max(case.kernel_size) <= space.KERNEL
        assert max(case.strides) <= space.STRIDE
        assert max(case.dilation_rate) <= space.DILATION
        assert smallness(case)[0] <= space.WORK

    draw()
    assert len(set(drawn)) > 50
    # beyond the largest grid, and mostly with a defined result
    assert any(max(case.size) > grids.BOUNDS["exhaustive"].size for case in drawn)
    assert any(max(case.kernel_size) > grids.BOUNDS["exhaustive"].kernel for case in drawn)
    assert sum(error_due(case) is None for case in drawn) > len(drawn) / 2
    assert len({case.dtype for case in drawn}) > 1
    assert {case.padding for case in drawn} == set(LAYERS[layer].paddings)


@given(cases("conv2d", ("float32",)))
def test_smaller_cases_are_smaller_and_in_order(case: Case) -> None:
    sizes = [smallness(other) for other in smaller(case, 1)]
    assert sizes == sorted(sizes)
    assert all(size < smallness(case) for size in sizes)


def test_two_fields_are_changed_together() -> None:
    case = parse("conv2d-valid-in1x3x3x1-k2x2-f1-s1x1")
    assert parse("conv2d-valid-in1x2x2x1-k2x2-f1-s1x1") in smaller(case, 2)
    assert parse("conv2d-valid-in1x2x2x1-k2x2-f1-s1x1") not in smaller(case, 1)
    assert parse("conv2d-valid-in1x3x1x1-k2x3-f1-s1x1") in smaller(case, 2)  # one field less, another more: less work in all
    assert parse("conv1d-valid-in1x3x1-k2-f1-s1") in smaller(case, 1)


# The smallest


@pytest.mark.parametrize(
    ("layer", "holds", "expected"),
    [
        ("conv2d", lambda case: True, "conv1d-same-in1x1x1-k1-f1-s1"),
        ("conv2d", lambda case: case.rank == 2 and max(case.size) >= 17, "conv2d-same-in1x17x1x1-k1x1-f1-s1x1"),
        ("conv2d", lambda case: case.groups > 1 and case.channels > case.groups, "conv1d-same-in1x1x4-k1-f2-s1-g2"),
        ("conv3d", lambda case: case.padding == "same" and case.strides[0] > 2, "conv1d-same-in1x1x1-k1-f1-s3"),
        (
            "conv2d_transpose",
            lambda case: case.output_padding is not None and any(n * s >= 6 for n, s in zip(case.size, case.strides, strict=True)),
            "conv1d_transpose-same-in1x1x1-k1-f1-s6-op0",
        ),
        (
            "separable_conv2d",
            lambda case: case.depth_multiplier > 1 and not case.use_bias,
            "separable_conv1d-same-in1x1x1-k1-f1-s1-m2-nobias",
        ),
        ("depthwise_conv1d", lambda case: case.channels >= 5, "depthwise_conv1d-same-in1x1x5-k1-s1"),
    ],
)
def test_it_gets_down_to_the_smallest_case(layer: str, holds: object, expected: str) -> None:
    failure = failing_if(holds).explore(layer, 30)
    assert smallest(failure) == expected


FAULTS = (
    "geometry-pad-symmetric",
    "geometry-crop-at-the-default",
    "geometry-parity-dropped",
    "wiring-",
    "refusals-",
    "geometry-last-input-unread",
)


PLANTED = [next(fault for fault in faults() if str(fault).startswith(start)) for start in FAULTS]


@pytest.mark.parametrize("fault", PLANTED, ids=str)
def test_of_a_planted_fault_it_shows_no_larger_case_than_the_smallest_of_the_grid(fault: Fault) -> None:
    subject = fault.make()

    def judge(check: Check) -> Outcome:
        return FORWARD(subject, check.case, "eager").outcome

    grid = min((case for case in grids.grid("smoke") if FORWARD(subject, case, "eager").outcome != Outcome.CONFORMS), key=smallness)
    failure = explorer(judge).explore(grid.layer, 60)
    assert failure is not None
    assert smallness(failure.check.case) <= smallness(grid)
    assert failure.judgement.record["outcome"] != "conforms"
    # none that is one field away fails, too
    fails = [each for each in smaller(failure.check.case, 1) if judge(Check(each, "eager", FORWARD)) == failure.judgement.record["outcome"]]
    assert fails == []


def test_a_smaller_case_that_fails_in_another_way_is_another_fault() -> None:
    def judge(check: Check) -> Outcome:
        return Outcome.WRONG_SHAPE if max(check.case.size) >= 5 else Outcome.DECLINED if max(check.case.size) >= 3 else Outcome.CONFORMS

    failure = explorer(judge).start_at(parse("conv1d-same-in2x9x3-k4-f5-s2"))
    assert smallest(failure) == "conv1d-same-in1x5x1-k1-f1-s1"


def test_where_nothing_fails_it_takes_its_time_and_says_what_it_met() -> None:
    met = failing_if(lambda case: False)
    assert met.explore("conv1d", 2) is None
    assert met.journey.cases == len(met.journey.judgements) > 10


def test_what_comes_to_no_verdict_is_counted() -> None:
    def judge(check: Check) -> Outcome:
        if check.case.use_bias:
            raise UntrustedCaseError("no data")
        raise NotOfferedError("this layer")

    met = explorer(judge)
    assert met.explore("conv1d", 1) is None
    assert met.journey.judgements == []
    assert set(met.journey.without) == {"no exact data within the budget of the type", "forward in mode eager not offered: this layer"}


def test_what_is_known_to_take_the_process_down_is_left_out_of_it() -> None:
    met = failing_if(lambda case: True)
    met._fatal = lambda check: True
    assert met.explore("conv1d", 0.5) is None
    assert set(met.journey.without) == {"known to take the process down"}
    assert smallest(met.start_at(parse("conv1d-valid-in1x3x1-k1-f1-s1"))) == "conv1d-same-in1x1x1-k1-f1-s1"  # asked for: apart


def test_stretches_share_the_time_of_all_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)
    assert share(60, 10) == 6
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "4")
    assert share(60, 10) == 24
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "64")
    assert share(60, 10) == 60


# What is kept


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    found = [Kept("conv1d-valid-in1x3x1-k1-f1-s1", "eager", "forward"), Kept("conv1d-same-in1x3x1-k1-f1-s1", "eager", "forward")]
    Store(tmp_path).keep([*found, found[0]])
    assert Store(tmp_path).kept() == tuple(found)
    Store(None).keep(found)
    assert Store(None).kept() == ()


@pytest.mark.parametrize("text", ["", "[{}]", "[3]", '[{"id": "conv9d", "mode": "eager", "claim": "forward"}]'])
def test_a_store_of_another_version_is_read_as_far_as_it_goes(tmp_path: Path, text: str) -> None:
    (tmp_path / "found.json").write_text(text, encoding="utf-8")
    assert Store(tmp_path).kept() == ()


def explored(cache: Path, subject: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "conformance",
        "-p",
        "no:randomly",
        "-o",
        f"cache_dir={cache}",
        "--claim",
        "forward",
        "--explore",
    ]
    return subprocess.run(
        [*command, *arguments, "--subject", subject],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=Path(__file__).parents[2],
    )


def test_the_smallest_case_is_printed_and_comes_first_next_time(tmp_path: Path) -> None:
    """As a user runs it, on a planted fault: what fails, from the first exploration to the one after the repair."""
    wrong, found = "tests.faults.geometry:ParityDropped", "conv1d_transpose-same-in1x1x1-k1-f1-s1-op0"
    results = tmp_path / "run.jsonl"
    done = explored(tmp_path / "cache", wrong, "60", "-k", "conv2d_transpose", "--results", str(results))
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(rf"^{found} \[eager\]: wrong_shape$", done.stdout, re.MULTILINE)
    assert "to begin the next exploration with: 1\n" in done.stdout
    records = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    assert records[0]["grid"] == "explore"
    assert any(record.get("id") == found and not record["passes"] for record in records)
    done = explored(tmp_path / "cache", wrong, "1", "-k", "again")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "first 1 kept from before" in done.stdout
    assert "explored: 1 cases" in done.stdout
    assert f"again-{found}-eager-forward" in done.stdout
    done = explored(tmp_path / "cache", "tests.conformance.subjects:Right", "1", "-k", "again")
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr
    done = explored(tmp_path / "cache", "tests.conformance.subjects:Right", "1", "-k", "depthwise_conv1d")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kept from before" not in done.stdout
    assert re.search(r"^explored: \d+ cases$", done.stdout, re.MULTILINE)


def test_a_case_that_takes_its_process_down_is_made_smaller_too(tmp_path: Path) -> None:
    start = "conv2d-same-in2x3x4x2-k2x3-f3-s2x1"
    done = explored(tmp_path / "cache", "tests.conformance.subjects:Dying", "1", "--case", start)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "conv2d-same-in1x3x1x1-k2x3-f1-s1x1 [eager]: crashed" in done.stdout
    assert f"met at {start}" in done.stdout


@pytest.mark.parametrize(("seconds", "said"), [("soon", "invalid float value"), ("0", "--explore takes seconds, got 0")])
def test_a_time_that_is_none_is_one_line(tmp_path: Path, seconds: str, said: str) -> None:
    done = explored(tmp_path, "tests.conformance.subjects:Right", seconds)
    assert done.returncode == 4
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
