"""A user's model: what is listed, what cannot be had, and its own weights. Keras itself is met in `test_keras_model`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from conformance import models
from conformance.cases import Case, parse
from conformance.claims.own_weights import OWN_WEIGHTS, in_type
from conformance.models import ModelError, list_layers
from conformance.outcomes import Outcome
from conformance.probes import Probe
from conformance.subjects import Observed
from reference.arguments import Array
from tests.conformance.lister import CASE, SEPARABLE
from tests.faults.layers import Layers


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the stand-in for the lister leaves what it finds, as a run has it."""
    monkeypatch.setattr(models, "LISTER", "tests.conformance.lister")
    monkeypatch.setenv(models.FOLDER, str(tmp_path))
    models.read.cache_clear()
    yield tmp_path
    models.read.cache_clear()


def test_layers_that_are_alike_are_one_case_and_keep_their_names(folder: Path) -> None:
    model = list_layers("a:model", folder)
    assert [(layer.name, str(layer.case)) for layer in model.layers] == [("block/a", CASE), ("block/b", CASE), ("s", SEPARABLE)]
    assert model.cases == (parse(CASE), parse(SEPARABLE))
    assert [str(layer) for layer in model.untested] == ["lstm (ConvLSTM2D): not one of the layers that are tested"]
    assert model.notes == ("taken as 224",)
    assert not model.has_weights
    assert models.current() == model
    assert not OWN_WEIGHTS.speaks_of(parse(CASE), "eager")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("bad.keras", "cannot read model file 'bad.keras': not a .keras archive"),
        ("broken:model", "listing the layers of 'broken:model' failed: RuntimeError: broken"),
        ("dead:model", "listing the layers of 'dead:model' failed: the process was killed by SIGKILL"),
        ("silent:model", "listing the layers of 'silent:model' failed: the process ended with exit code 0"),
        ("empty:model", "model 'empty:model' has no convolution layers"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_line(folder: Path, source: str, says: str) -> None:
    with pytest.raises(ModelError) as caught:
        list_layers(source, folder)
    assert str(caught.value) == says


def test_without_a_model_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(models.FOLDER, raising=False)
    assert models.current() is None
    assert not OWN_WEIGHTS.speaks_of(parse(CASE), "eager")


class SecondLayerWrong(Layers):
    """Wrong by far more than rounding for the kernel of the second of two layers that are alike."""

    def weights(self, case: Case, probe: Probe) -> tuple[Array, Array | None]:
        kernel, bias = super().weights(case, probe)
        return (kernel * np.float32(1.01) if probe.weights == "layer 1" else kernel), bias


def test_own_weights_are_those_of_each_layer(folder: Path) -> None:
    model = list_layers("file.keras", folder)
    assert model.has_weights
    assert not np.array_equal(model.weights(0)["kernel"], model.weights(1)["kernel"])
    assert sorted(model.weights(2)) == ["bias", "depthwise_kernel", "pointwise_kernel"]
    case = parse(CASE)
    assert OWN_WEIGHTS.speaks_of(case, "eager")
    assert not OWN_WEIGHTS.speaks_of(parse("conv2d-same-in1x5x4x2-k3x2-f3-s1x1"), "eager")
    right = OWN_WEIGHTS(Layers(), case, "eager")
    assert right.outcome == Outcome.CONFORMS
    assert right.error_in_bounds is not None
    assert 0 < right.error_in_bounds < 1
    wrong = OWN_WEIGHTS(SecondLayerWrong(), case, "eager")
    assert wrong.outcome == Outcome.WRONG_VALUE
    assert wrong.message.startswith("layer block/b, with its own weights: ")


def test_both_kernels_of_a_separable_layer_are_its_own(folder: Path) -> None:
    model = list_layers("file.keras", folder)
    seen: list[Probe] = []

    class Noting(Layers):
        def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
            seen.append(probe)
            raise ValueError("noted")

    assert OWN_WEIGHTS(Noting(), parse(SEPARABLE), "eager").outcome == Outcome.DECLINED
    assert [np.array_equal(kernel, model.weights(2)[name]) for kernel, name in zip(
        seen[0].kernels, ("depthwise_kernel", "pointwise_kernel"), strict=True
    )] == [True, True]  # fmt: skip


def test_weights_are_rounded_to_what_the_layer_computes_in() -> None:
    values = np.array([1.0, 1 + 2**-8, 1 + 2**-8 + 2**-20, 1 + 3 * 2**-8, -(1 + 2**-9)], np.float32)
    assert in_type(values, "bfloat16").tolist() == [1.0, 1.0, 1 + 2**-7, 1 + 2**-6, -1.0]
    assert in_type(values, "float16").dtype == np.float16
    assert in_type(values, "float32") is not None
    assert np.array_equal(in_type(values, "float32"), values)
