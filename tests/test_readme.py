"""What the README says is so: its code runs, and the cases and options that it names exist."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from conformance.cases import parse
from conformance.outcomes import Outcome
from docs.screens import build, tally

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


def test_every_link_and_picture_of_the_readme_exists() -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8"))
    assert len(targets) >= 5
    for target in targets:
        assert (README.parent / target).exists(), target


def test_the_action_in_the_readme_is_the_action() -> None:
    """Its inputs exist, and what it is used with is pinned as it is here."""
    text = README.read_text(encoding="utf-8")
    action = yaml.safe_load((README.parent / "action.yml").read_text(encoding="utf-8"))
    (example,) = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]
    checkout, step = example["jobs"]["convolutions"]["steps"]
    assert set(step["with"]) <= set(action["inputs"])
    assert checkout["uses"] in (README.parent / ".github" / "workflows" / "gate.yml").read_text(encoding="utf-8")


def test_the_picture_shows_a_screen_as_it_is_printed() -> None:
    """The smallest failing case stays; counts and sentences follow the grid. To draw it anew: python -m docs.screens."""
    shown = " ".join(re.findall(r">([^<]+)</tspan>", (README.parent / "docs" / "pictures" / "summary.svg").read_text(encoding="utf-8")))
    found = tally()
    assert "the smallest of" in shown
    assert str(found.failures[0].case) in shown
    ElementTree.fromstring(build())  # noqa: S314 - our own text


@pytest.mark.parametrize(
    ("right", "wrong", "code", "said"),
    [("", "", 0, "not offered"), ("::sh, ::sw", "::sw, ::sh", 1, "wrong_shape"), ("+ probe.bias", "- probe.bias", 1, "wrong_value")],
    ids=["as it stands", "axes exchanged", "sign of the bias"],
)
def test_the_own_implementation_is_tested_as_the_readme_says(tmp_path: Path, right: str, wrong: str, code: int, said: str) -> None:
    """The example passes, saying what it has not; with a fault in it it fails."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    example = next(block for block in blocks if "class Mine" in block)
    assert example.count(right) >= 1
    (tmp_path / "mine.py").write_text(example.replace(right, wrong) if right else example, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--pyargs", "conformance", "--grid", "smoke", "--subject", "mine:Mine"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=README.parent,
    )
    assert done.returncode == code, done.stdout
    assert said in done.stdout
    assert re.search(r"[1-9][0-9]* passed", done.stdout)
