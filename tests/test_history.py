"""The table of released versions counts what nothing explains, and finds an entry that nothing needs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import deviations
from tests.history import ROOT, VERSIONS, Row, main, read, table

ODD_CROP = "conv2d_transpose-same-in1x1x2x1-k2x3-f1-s2x3-op1x2"
RIGHT = "conv2d-same-in1x4x1x1-k1x2-f1-s1x1"


def results(folder: Path, *records: tuple[str, str], keras: str = "3.14.0", claim: str = "forward") -> Path:
    """What a run on PyTorch would leave."""
    lines: list[dict[str, object]] = [
        {"kind": "environment", "keras": keras, "backend": "torch", "device": "cpu", "versions": {"keras": keras}, "flags": {}}
    ]
    lines += [{"kind": "case", "id": case, "claim": claim, "mode": "eager", "outcome": outcome, "message": ""} for case, outcome in records]
    lines.append({"kind": "summary", "counts": {}, "deviations": {}, "seconds": 1.0})
    path = folder / f"torch-smoke-{keras}.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


def only(*names: str) -> list[deviations.Deviation]:
    return [entry for entry in deviations.load() if entry.id in names]


def test_an_outcome_is_explained_by_the_entry_that_says_it(tmp_path: Path) -> None:
    path = results(tmp_path, (ODD_CROP, "wrong_value"), (RIGHT, "conforms"))
    assert read(path, only("torch-transposed-odd-crop")) == Row("3.14.0", 2, 1, 1, 0, ())
    assert read(path, []) == Row("3.14.0", 2, 0, 0, 1, ())


@pytest.mark.parametrize("outcome", ["conforms", "wrong_shape"])
def test_another_outcome_than_the_entry_says_is_unexplained(tmp_path: Path, outcome: str) -> None:
    row = read(results(tmp_path, (ODD_CROP, outcome)), only("torch-transposed-odd-crop"))
    assert (row.unexplained, row.unneeded) == (1, ("torch-transposed-odd-crop",))


def test_an_entry_that_speaks_of_nothing_in_a_run_is_not_said_to_be_unneeded(tmp_path: Path) -> None:
    row = read(results(tmp_path, (RIGHT, "conforms")), only("torch-transposed-odd-crop"))
    assert (row.entries, row.unexplained, row.unneeded) == (0, 0, ())


def test_an_entry_of_which_another_says_the_same_is_unneeded(tmp_path: Path) -> None:
    entry = only("torch-transposed-odd-crop")[0]
    row = read(results(tmp_path, (ODD_CROP, "wrong_value")), [entry, replace(entry, id="twin")])
    assert (row.entries, row.unexplained, row.unneeded) == (1, 0, ("torch-transposed-odd-crop",))


def test_what_may_conform_is_explained_where_it_does(tmp_path: Path) -> None:
    """Data with many zeros may hide a wrong value."""
    entries = only("torch-transposed-odd-crop")
    assert read(results(tmp_path, (ODD_CROP, "conforms"), claim="special_values"), entries) == Row("3.14.0", 1, 0, 0, 0, ())
    assert read(results(tmp_path, (ODD_CROP, "wrong_value"), claim="special_values"), entries) == Row("3.14.0", 1, 1, 1, 0, ())


def test_an_entry_of_other_versions_does_not_speak(tmp_path: Path) -> None:
    row = read(results(tmp_path, (ODD_CROP, "wrong_value"), keras="3.15.0"), only("torch-transposed-odd-crop"))
    assert (row.entries, row.unexplained, row.unneeded) == (0, 1, ())


def test_the_command_reads_what_runs_left_and_fails_for_what_is_unexplained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results(tmp_path, (RIGHT, "wrong_value"))
    assert main(["torch", "3.14.0", "--read", "--folder", str(tmp_path)]) == 1
    assert "| 3.14.0 | 1 | 0 | 0 | 1 | " in capsys.readouterr().out


def test_a_run_that_did_not_end_is_no_evidence(tmp_path: Path) -> None:
    path = results(tmp_path, (RIGHT, "conforms"))
    *before, _ = path.read_text(encoding="utf-8").splitlines()
    for lines in (before, []):
        path.write_text("\n".join(lines), encoding="utf-8")
        with pytest.raises(SystemExit, match="the run did not end"):
            main(["torch", "3.14.0", "--read", "--folder", str(tmp_path)])


def test_the_documentation_has_versions_with_nothing_unexplained_alone() -> None:
    text = (ROOT / "docs" / "history.md").read_text(encoding="utf-8")
    tables = dict(re.findall(r"^\| Keras, (\w+), .*\n\|.*\n((?:\|.*\n)+)", text, re.MULTILINE))
    rows = {
        backend: [[cell.strip() for cell in line.strip("|").split("|")] for line in lines.splitlines()] for backend, lines in tables.items()
    }
    assert tuple(row[0] for row in rows["torch"]) == VERSIONS
    assert {row[0] for of_backend in rows.values() for row in of_backend} <= set(VERSIONS)
    assert {tuple(row[-2:]) for of_backend in rows.values() for row in of_backend} == {("0", "none")}


def test_the_table_has_a_row_a_version() -> None:
    text = table("torch", "smoke", [Row("3.14.0", 3072, 429, 5, 0, ()), Row("3.15.1", 3072, 6, 1, 0, ("x",))])
    assert "| 3.14.0 | 3,072 | 429 | 5 | 0 | none |" in text
    assert "| 3.15.1 | 3,072 | 6 | 1 | 0 | x |" in text
