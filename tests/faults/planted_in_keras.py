"""Faults inside the installed Keras are rejected by the gate as a user runs it, and named where they are.

Not collected by default, since it needs Keras with a backend: ``KERAS_BACKEND=torch pytest tests/faults/planted_in_keras.py``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from conformance.cases import Case, parse
from tests.faults.keras_plugin import MODE_PLANTS, PLANTS

BACKEND = os.environ.get("KERAS_BACKEND", "tensorflow")
ROOT = Path(__file__).parents[2]
HERE = [name for name, plant in PLANTS.items() if BACKEND in plant.backends]


def run(folder: Path, options: Sequence[str] = ()) -> tuple[int, dict[Case, dict[str, Any]], str]:
    """The gate on smoke: its exit code, what it recorded of each case, and what it said."""
    results = folder / "results.jsonl"
    command = [sys.executable, "-m", "pytest", "conformance", "--grid", "smoke", "--claim", "forward", "--results", str(results)]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", *options], cwd=ROOT, capture_output=True, text=True, check=False, timeout=1200
    )
    records = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    return done.returncode, {parse(record["id"]): record for record in records if record["kind"] == "case"}, done.stdout


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> dict[Case, dict[str, Any]]:
    """What the gate records of Keras as it is installed, which passes."""
    code, records, said = run(tmp_path_factory.mktemp("untouched"))
    assert code == 0, said[-2000:]
    return records


@pytest.mark.parametrize("name", HERE)
def test_plant_is_rejected_and_named(name: str, untouched: dict[Case, dict[str, Any]], tmp_path: Path) -> None:
    plant = PLANTS[name]
    code, records, said = run(tmp_path, ["-p", "tests.faults.keras_plugin", "--plant", name, "--in-process"])
    assert code == 1, said[-2000:]
    assert records.keys() == untouched.keys()
    changed = [case for case, record in records.items() if (record["outcome"], record["deviation"]) != _of(untouched[case])]
    assert changed
    assert [str(case) for case in changed if not plant.region(case)] == []
    # a good part of the region fails, the cases shown to people lie in it, and the rule that they read names it
    assert len(changed) >= 0.3 * sum(plant.region(case) for case in records)
    failed = [case for case in changed if f"FAILED conformance/test_forward.py::test_forward[{case}]" in said]
    assert failed
    shown = re.findall(r"^(\S+) \[eager\]: (\w+)$", said, re.MULTILINE)
    assert shown
    assert all(plant.region(parse(case)) and outcome == records[parse(case)]["outcome"] for case, outcome in shown)
    assert plant.named in " ".join(said.split())  # lines are wrapped


CASES = ("conv2d-same-in1x4x4x2-k3x2-f3-s1x2", "conv2d_transpose-valid-in1x3x3x2-k2x3-f2-s2x1", "conv2d-valid-in1x4x4x2-k1x3-f1-s1x1")


@pytest.mark.parametrize("name", [name for name, plant in MODE_PLANTS.items() if BACKEND in plant.backends])
def test_a_plant_that_eager_cannot_see_is_rejected_in_its_mode(name: str, tmp_path: Path) -> None:
    """So the mode takes the way that it says it takes."""
    plant = MODE_PLANTS[name]
    outcomes = {}
    for mode in ("eager", plant.named):
        options = ["--mode", mode, *(part for case in CASES for part in ("--case", case))]
        code, records, said = run(tmp_path, [*options, "-p", "tests.faults.keras_plugin", "--plant", name, "--in-process"])
        assert code == (mode != "eager"), said[-2000:]
        outcomes[mode] = {str(case): record["outcome"] == "conforms" for case, record in records.items()}
    assert outcomes["eager"] == dict.fromkeys(CASES, True)
    assert outcomes[plant.named] == {case: not plant.region(parse(case)) for case in CASES}


def _of(record: dict[str, Any]) -> tuple[str, str | None]:
    return record["outcome"], record["deviation"]
