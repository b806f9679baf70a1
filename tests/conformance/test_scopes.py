"""What a mode is run on: the whole grid, or the part that is stated as data."""

from __future__ import annotations

import pytest

from conformance import grids, scopes
from conformance.cases import Case, parse
from conformance.scopes import PREDICTED, SCOPES, Scope, as_run, cases
from conformance.subjects import MODES

REGRESSIONS = {parse(text) for text in grids.REGRESSIONS}


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "predict"])
def test_a_subject_that_is_not_keras_runs_every_mode_on_the_whole_grid(mode: str) -> None:
    assert cases("smoke", mode, None) == grids.grid("smoke")


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_eager_and_saved_run_on_the_whole_grid(backend: str) -> None:
    for mode in ("eager", "saved"):
        assert cases("standard", mode, backend) == grids.grid("standard")


@pytest.mark.parametrize("grid", ["smoke", "standard"])
def test_a_costly_mode_runs_the_same_part_of_every_grid_with_the_regressions(grid: str) -> None:
    part = cases(grid, "exported", "tensorflow")
    assert set(part) == {*grids.grid("smoke"), *REGRESSIONS}
    assert len(part) == len(set(part))


def test_every_seventh_layer_is_that_with_all_its_sizes() -> None:
    smoke = grids.grid("smoke")
    part = cases("standard", "graph", "torch")
    layers = list(dict.fromkeys(case.configuration for case in smoke))
    assert {case for case in part if case not in REGRESSIONS} == {
        case for case in smoke if layers.index(case.configuration) % 7 == 0 and case not in REGRESSIONS
    }
    assert set(part) >= REGRESSIONS
    assert len(part) < len(smoke) / 5
    # of the other layers smoke has samples, a layer each
    assert {(case.layer, case.padding) for case in part} >= {(layer, padding) for layer in grids.TWO_AXES for padding in ("same", "valid")}
    assert {case.layer for case in part} - set(grids.TWO_AXES)


def test_predict_gets_as_many_samples_as_make_a_ragged_batch() -> None:
    case = parse("conv2d-same-in1x2x3x1-k1x1-f1-s1x1")
    assert as_run(case, "eager") == case
    assert str(as_run(case, "predict")) == "conv2d-same-in5x2x3x1-k1x1-f1-s1x1"
    for backend in (None, "torch"):
        assert {case.batch for case in cases("smoke", "predict", backend)} == {PREDICTED}


def test_every_scope_says_what_it_is_in_one_sentence() -> None:
    for (mode, backend), scope in SCOPES.items():
        assert mode in MODES
        assert scopes.scope(mode, backend or "any") is scope
        assert "grid smoke and the regressions, since " in str(scope)
    assert str(Scope("smoke", "it is slow", every=7)) == "every 7th layer of grid smoke and the regressions, since it is slow"


def test_a_case_is_run_once_where_two_differ_in_nothing_but_the_batch() -> None:
    one, other = (parse(f"conv2d-same-in{batch}x2x3x1-k1x1-f1-s1x1") for batch in (1, 2))
    found: list[Case] = [as_run(case, "predict") for case in (one, other)]
    assert found[0] == found[1]
    assert len(cases("smoke", "predict", None)) <= len(grids.grid("smoke"))
