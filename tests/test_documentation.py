"""The documentation: every number is a doctest, and every figure is what the code draws."""

from __future__ import annotations

import doctest
import re
import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
EXAMPLES = {"transposed-convolution.md": 25}  # so many examples at least: a page whose examples are not found would pass


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_number_holds(page: Path) -> None:
    results = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert results.failed == 0
    assert results.attempted >= EXAMPLES.get(page.name, 0)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_figure_exists(page: Path) -> None:
    for target in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        assert (DOCS / target).is_file(), target


def test_figures_are_what_the_code_draws(tmp_path: Path) -> None:
    """The same texts in the same places of the drawing order: every number and title, whatever matplotlib drew the committed ones."""
    builder = runpy.run_path(str(DOCS / "figures.py"))
    built = builder["build"](tmp_path)
    assert {file.name for file in built} == {file.name for file in (DOCS / "figures").glob("*.svg")}
    for file in built:
        assert texts(file) == texts(DOCS / "figures" / file.name)
    again = tmp_path / "again"
    again.mkdir()
    assert [file.read_bytes() for file in builder["build"](again)] == [file.read_bytes() for file in built]


def texts(file: Path) -> list[str]:
    tree = ElementTree.parse(file)  # noqa: S314  our own file
    return ["".join(element.itertext()).strip() for element in tree.iter("{http://www.w3.org/2000/svg}text")]
