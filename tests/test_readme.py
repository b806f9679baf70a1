"""What the README says is so: its code runs, and the cases and options that it names exist."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from conformance.cases import parse
from conformance.outcomes import Outcome

README = Path(__file__).parents[1] / "README.md"


def test_the_code_of_the_readme_runs() -> None:
    result = doctest.testfile(str(README), module_relative=False)
    assert result.attempted >= 4
    assert result.failed == 0


def test_every_case_id_of_the_readme_reads_back() -> None:
    ids = re.findall(r"conv2d[a-z_]*-[a-z]+-in[^\s`]+", README.read_text(encoding="utf-8"))
    assert len(ids) >= 2
    for text in ids:
        assert str(parse(text)) == text


def test_every_outcome_is_explained() -> None:
    text = README.read_text(encoding="utf-8")
    assert all(f"`{outcome}`" in text for outcome in Outcome)
