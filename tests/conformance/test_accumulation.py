"""What is asserted of sums is data: every result has an entry, the first that speaks counts, and a bad file is one line."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from conformance import accumulation
from conformance.accumulation import RESULTS, asserted, load, within
from conformance.cases import DTYPES, parse
from conformance.formats import FORMATS
from conformance.grids import grid
from conformance.regions import EntriesError
from conformance.subjects import MODES

CASE = parse("conv2d-same-in2x5x7x3-k3x2-f4-s2x1-bfloat16")
OWN = '[[accumulation]]\nid = "own"\nsums = "own"\nreason = "because"\n'


def entries(tmp_path: Path, text: str) -> tuple[accumulation.Accumulation, ...]:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_every_result_of_every_case_has_an_entry_anywhere() -> None:
    known = within(accumulation.built_in(), {})
    for dtype, mode, result in product(DTYPES, MODES, RESULTS):
        assert asserted(known, replace(CASE, dtype=dtype), mode, "bounded", result).id == "own-type"
    assert accumulation.built_in()[-1].id == "own-type"


@pytest.mark.parametrize("known", accumulation.built_in(), ids=lambda known: known.id)
def test_every_entry_covers_a_case_and_has_a_reason(known: accumulation.Accumulation) -> None:
    cases = [replace(case, dtype=dtype) for dtype in DTYPES if known.speaks_of(dtype=dtype) for case in grid("smoke")]
    assert any(known.covers(case, mode, claim) for claim in ("bounded", "bounded_gradients") for mode in MODES for case in cases)
    assert len(known.reason.split()) > 5


def test_the_first_entry_that_speaks_of_a_result_counts(tmp_path: Path) -> None:
    wide = OWN.replace("own", "wide", 1).replace('"own"', '"float32"') + 'of = ["output", "kernel"]\nwhere = { dtype = "bfloat16" }\n'
    known = entries(tmp_path, wide + OWN)
    assert asserted(known, CASE, "eager", "bounded", "output").sums == FORMATS["float32"]
    assert asserted(known, CASE, "eager", "bounded_gradients", "depthwise_kernel").id == "wide"
    assert asserted(known, CASE, "eager", "bounded_gradients", "input").id == "own"
    assert asserted(known, replace(CASE, dtype="float16"), "eager", "bounded", "output").id == "own"
    with pytest.raises(LookupError, match="no accumulation is asserted for conv2d-same"):
        asserted(known[:1], CASE, "eager", "bounded", "bias")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sums": '"own"'}, "unknown sums 'float8': expected one of own, float32"),
        ({"reason": '"because"'}, "reason must be given as text"),
    ],
)
def test_a_bad_entry_is_one_line_that_says_where(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    text = OWN
    for key, value in change.items():
        text = text.replace(f"{key} = {value}", f'{key} = "{"float8" if key == "sums" else ""}"')
    with pytest.raises(EntriesError) as caught:
        entries(tmp_path, text)
    assert str(caught.value) == f"{tmp_path / 'own.toml'}:1: {says}"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('of = ["result"]', "of must be a list of output, input, kernel, bias, got ['result']"),
        ("of = []", "of must be a list of output, input, kernel, bias, got []"),
        ("colour = 1", "unknown key 'colour'"),
        ("where = { strides = 1 }", "unknown fact 'strides'"),
        ("link = 1", "link must be text, got 1"),
    ],
)
def test_a_bad_key_is_one_line_that_says_where(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(EntriesError) as caught:
        entries(tmp_path, OWN + line)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_entry_that_is_no_table_is_said_in_these_words(tmp_path: Path) -> None:
    with pytest.raises(EntriesError) as caught:
        entries(tmp_path, "accumulation = [1]")
    assert str(caught.value).endswith("own.toml:entry 1: an accumulation must be a table, got 1")
