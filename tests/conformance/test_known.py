"""The page of known deviations says what the list says, and the one in the documentation is today's."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance import deviations
from conformance.__main__ import main
from conformance.claims import CLAIMS
from conformance.deviations import covering
from conformance.known import first_mode, minimal, page

DOCUMENT = Path(__file__).parents[2] / "docs" / "deviations.md"
ENTRIES = deviations.load()


def test_the_page_in_the_documentation_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == page(ENTRIES), "run: python -m conformance known -o docs/deviations.md"


def test_every_entry_has_one_row_with_its_link() -> None:
    rows = [line for line in page(ENTRIES).splitlines() if line.startswith("| ") and "---" not in line]
    for entry in ENTRIES:
        (row,) = [row for row in rows if f"(`{entry.id}`)" in row]
        assert entry.reason.replace("|", "\\|") in row
        assert f"(`{entry.outcome}`)" in row
        assert entry.link in row
        assert ("may: " in row) == entry.heuristic


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_every_entry_has_a_case_that_it_speaks_of(entry: deviations.Deviation) -> None:
    case = minimal(entry, ENTRIES)
    assert case is not None
    assert any(covering([entry], case, first_mode(entry), claim) is entry for claim in CLAIMS)


def test_an_entry_behind_another_of_its_environment_shows_a_case_of_its_own(tmp_path: Path) -> None:
    text = """
[[deviation]]
id = "first"
outcome = "declined"
reason = "all of one layer"
environment = { backend = "mine" }
versions = { keras = "<3.5" }
where = { layer = "conv2d" }

[[deviation]]
id = "shadowed"
outcome = "wrong_value"
reason = "nothing is left of it"
environment = { backend = "mine" }
versions = { keras = ">=3.4,<3.5" }
where = { layer = "conv2d", padding = "same" }

[[deviation]]
id = "later"
outcome = "wrong_value"
reason = "the same cases, in versions that the first does not speak of"
environment = { backend = "mine" }
versions = { keras = ">=3.5" }
where = { layer = "conv2d", padding = "same" }
"""
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    first, shadowed, later = (entry for entry in deviations.load([path]) if entry.environment.get("backend") == "mine")
    assert minimal(first, [first, shadowed, later]) is not None
    assert minimal(shadowed, [first, shadowed, later]) is None
    assert minimal(later, [first, shadowed, later]) is not None


def test_an_entry_that_others_speak_before_in_some_environments_shows_a_case(tmp_path: Path) -> None:
    """As where one backend, or older versions, came to something else."""
    of = 'outcome = "declined"\nreason = "as the test has it"\nwhere = { layer = "conv2d_transpose", padding = "same" }'
    text = f"""
[[deviation]]
id = "one-backend"
environment = {{ backend = "mine" }}
{of}

[[deviation]]
id = "older-versions"
versions = {{ keras = "<3.13" }}
{of}

[[deviation]]
id = "all"
{of}

[[deviation]]
id = "nothing-left"
environment = {{ backend = "another" }}
versions = {{ keras = "<3.5" }}
{of}
"""
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    entries = [entry for entry in deviations.load([path]) if entry.reason == "as the test has it"]
    assert [minimal(entry, entries) is not None for entry in entries] == [True, True, True, False]


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "page.md"
    assert main(["known", "-o", str(path)]) == 0
    assert path.read_text(encoding="utf-8") == page(ENTRIES)
    assert main(["known"]) == 0
    assert capsys.readouterr().out == page(ENTRIES)
    assert main(["known", "-o", str(tmp_path)]) == 2
    assert "cannot write" in capsys.readouterr().err
