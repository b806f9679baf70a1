"""Special values: what must come out is what the definition and IEEE 754 say, worked out by hand; what may differ is told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from conformance import specials
from conformance.cases import Case, parse
from conformance.claims import CLAIMS
from conformance.grids import grid
from conformance.outcomes import Outcome
from conformance.probes import Probe, exact_result
from conformance.specials import KINDS, Special, kind_of, special
from conformance.subjects import Observed
from reference.arguments import Array
from tests.faults.layers import Layers

CLAIM = CLAIMS["special_values"]
CHOSEN = [case for case in grid("smoke") if CLAIM.speaks_of(case, "eager")]


def made(text: str, kind: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> tuple[Case, Special]:
    monkeypatch.setattr(specials, "kind_of", lambda case: kind)
    monkeypatch.setattr(specials, "_rng", lambda case: np.random.default_rng(1))
    return parse(text), special(parse(text))


def test_every_value_occurs_in_every_place_on_the_smallest_grid() -> None:
    assert set(KINDS) == {kind_of(case) for case in CHOSEN}
    standard = {(kind_of(case), case.transposed) for case in grid("standard") if CLAIM.speaks_of(case, "eager")}
    assert standard == {(kind, way) for kind in KINDS for way in (True, False)}
    defined = [case for case in grid("smoke") if CLAIMS["gradients"].concerns(case)]
    assert 0.15 < len(CHOSEN) / len(defined) < 0.35


def test_the_cases_of_one_layer_share_its_weights() -> None:
    case, other = (parse(f"conv2d-same-in1x{n}x4x2-k3x2-f4-s1x2") for n in (4, 7))
    assert kind_of(case) == kind_of(other)
    assert np.array_equal(special(case).probe.kernel, special(other).probe.kernel, equal_nan=True)


def test_nan_in_the_input_reaches_the_windows_that_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _, asked = made("conv2d-valid-in2x4x1x1-k2x1-f2-s1x1", ("nan", "input"), monkeypatch)
    item, row = np.argwhere(np.isnan(asked.probe.x))[0][:2]
    seen = np.zeros((2, 3, 1, 2), bool)
    seen[item, max(row - 1, 0) : row + 1] = True
    assert np.array_equal(np.isnan(asked.values), seen)
    assert np.isfinite(asked.values[~seen]).all()
    assert asked.told is None


def test_inf_has_the_sign_of_the_weight_it_is_seen_through(monkeypatch: pytest.MonkeyPatch) -> None:
    _, asked = made("conv2d_transpose-valid-in1x2x1x1-k2x1-f1-s2x1-nobias", ("-inf", "input"), monkeypatch)
    row = int(np.argwhere(np.isinf(asked.probe.x))[0][1])
    assert list(asked.values[0, 2 * row : 2 * row + 2, 0, 0]) == list(-np.inf * asked.probe.kernel[:, 0, 0, 0])


def test_inf_times_a_weight_of_zero_is_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    _, asked = made("conv2d-valid-in1x1x1x1-k1x1-f2-s1x1-nobias", (specials.INF_TIMES_ZERO, "input"), monkeypatch)
    assert np.isnan(asked.values[0, 0, 0, 0])
    assert np.isinf(asked.values[0, 0, 0, 1])


def test_a_weight_is_missed_in_the_padding_or_multiplied_there(monkeypatch: pytest.MonkeyPatch) -> None:
    # 3 elements, kernel 3: the outer taps meet two elements each, and one zero of the padding
    _, asked = made("conv2d-same-in1x3x1x1-k3x1-f1-s1x1-nobias", ("nan", "kernel"), monkeypatch)
    tap = int(np.argwhere(np.isnan(asked.probe.kernel))[0][0])
    padding = {0: [0], 1: [], 2: [2]}[tap]
    for skipped in (True, False):
        got = np.full((1, 3, 1, 1), np.nan)
        if skipped:
            got[0, padding] = asked.values[0, padding]
        assert not asked.wrong(got).any()
        assert asked.told is not None
        assert asked.told.word(got) == (None if not padding else "skipped" if skipped else "multiplied")
    assert np.isnan(asked.values).sum() == 3 - len(padding)


def test_no_nan_is_made_between_the_elements_of_a_transposed_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    _, asked = made("conv2d_transpose-valid-in1x3x1x1-k2x1-f1-s2x1-nobias", ("nan", "kernel"), monkeypatch)
    assert np.isnan(asked.values).sum() == 3
    assert asked.wrong(np.full(asked.values.shape, np.nan)).sum() == 3


def test_a_subnormal_is_kept_or_flushed_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("input", "kernel", "product"):
        _, asked = made("conv2d-valid-in1x1x1x1-k1x1-f1-s1x1-nobias", (specials.SUBNORMAL, place), monkeypatch)
        product = asked.probe.x.astype(np.float64) * asked.probe.kernel
        assert 0 < abs(product.item()) < 2.0**-126
        assert asked.values.item() == product.item()
        assert asked.told is not None
        for got, word in ((product, "kept"), (np.zeros_like(product), "flushed")):
            assert not asked.wrong(got).any()
            assert asked.told.word(got) == word
        assert asked.wrong(product * 2).all()


def test_a_sum_that_overflows_on_its_way_may_stay_there(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "conv2d-valid-in1x3x1x1-k3x1-f1-s1x1-nobias"
    monkeypatch.setattr(specials, "exact", lambda case: Probe(np.array([1, 1, -1.0]).reshape(1, 3, 1, 1), np.ones((3, 1, 1, 1)), None, {}))
    _, asked = made(text, (specials.CANCELLING, "input"), monkeypatch)
    assert asked.values.item() == float(np.finfo(np.float32).max)
    assert asked.told is not None
    for got, right in ((asked.values, True), (np.inf, True), (-np.inf, False), (np.nan, False), (0.0, False)):
        assert bool(asked.wrong(np.full((1, 1, 1, 1), got)).any()) is not right
    assert asked.told.word(asked.values) == "numbers"
    assert asked.told.word(np.full((1, 1, 1, 1), np.inf)) == "overflow"


def test_overflow_is_inf(monkeypatch: pytest.MonkeyPatch) -> None:
    _, asked = made("conv2d-valid-in1x1x1x1-k1x1-f1-s1x1-nobias", (specials.OVERFLOW, "input"), monkeypatch)
    assert abs(asked.probe.kernel.item()) > 1
    assert asked.values.item() == np.sign(asked.probe.kernel.item()) * np.inf
    assert asked.wrong(np.sign(asked.values) * np.finfo(np.float32).max).all()


def test_where_nothing_special_is_seen_the_defined_number_must_come_out() -> None:
    for case in CHOSEN[::3]:
        value, _ = kind_of(case)
        if value not in specials.NOT_FINITE:
            continue
        asked = special(case)
        x, kernel = np.nan_to_num(asked.probe.x, posinf=0, neginf=0), np.nan_to_num(asked.probe.kernel, posinf=0, neginf=0)
        bias = None if asked.probe.bias is None else np.nan_to_num(asked.probe.bias, posinf=0, neginf=0)
        finite = np.isfinite(asked.values)
        assert np.array_equal(exact_result(case, x, kernel, bias)[finite], asked.values[finite]), case


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "mixed_float16"])
def test_every_type_has_its_own_limits(dtype: str) -> None:
    for case in CHOSEN[::2]:
        verdict = CLAIM(Layers(), replace(case, dtype=dtype), "eager")
        # the right layers of this project compute bfloat16 in float32, which does not overflow where bfloat16 does
        assert verdict.outcome == Outcome.CONFORMS or (dtype == "bfloat16" and kind_of(case)[0] == specials.OVERFLOW), (case, verdict)


def test_what_correct_implementations_differ_in_is_told_with_the_verdict() -> None:
    told: Counter[tuple[str, object]] = Counter()
    for case in CHOSEN:
        told.update(CLAIM(Layers(), case, "eager").characteristics.items())
    assert {("sign of zero", "+"), ("subnormals (input)", "kept"), ("padding times nan of the kernel", "skipped")} <= set(told)


class Turned(Layers):
    """Its result depends on the batch and the data format, in the last place."""

    def from_channels_last(self, case: Case, y: Array) -> Array:
        if case.batch == 1 or case.data_format == "channels_first":
            y = np.nextafter(y, y.dtype.type(np.inf))
        return super().from_channels_last(case, y)


class Declining(Layers):
    """Has one data format only."""

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        if case.data_format == "channels_first":
            raise ValueError("channels_first is not supported")
        return super().forward(case, probe, mode)


@pytest.mark.parametrize(
    ("subject", "item", "format_"),
    [(Layers, "the same bits", "the same bits"), (Turned, "other bits", "other bits"), (Declining, "the same bits", "declined")],
)
def test_batch_and_layout_are_told_and_not_judged(subject: type[Layers], item: str, format_: str) -> None:
    verdict = CLAIMS["determinism"](subject(), parse("conv2d-same-in2x4x5x3-k3x2-f2-s2x1"), "eager")
    assert verdict.outcome == Outcome.CONFORMS
    assert verdict.characteristics == {"an item alone": item, "the other data format": format_}
