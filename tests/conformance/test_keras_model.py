"""Real models of Keras, from files and from code, as a user gives them to the gate."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.keras

MODELS = """
import keras

@keras.saving.register_keras_serializable("mine")
class Gain(keras.layers.Layer):
    def build(self, shape):
        self.g = self.add_weight(shape=(shape[-1],), name="g")
    def call(self, x):
        return x * self.g

def common():
    inner = keras.Sequential([
        keras.Input((16, 16, 4)),
        keras.layers.Conv2D(6, 3, strides=2, padding="same", name="c"),
        keras.layers.SeparableConv2D(5, 3, depth_multiplier=2, name="s"),
    ], name="inner")
    x = start = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, (3, 2), padding="same", activation="relu", use_bias=False, name="first")(x)
    x = inner(x)
    x = keras.layers.DepthwiseConv2D(2, name="d")(x)
    return start, keras.layers.Conv2DTranspose(3, 3, strides=2, name="up", dtype="float16")(x)

def nested():
    start, x = common()
    x = keras.layers.ConvLSTM2D(2, 2, name="lstm")(keras.layers.Reshape((1, *x.shape[1:]))(x))
    x = keras.layers.Reshape((-1, x.shape[-1]))(x)
    return keras.Model(start, keras.layers.Conv1D(2, 3, padding="causal", name="time")(x))

def custom():
    start, x = common()
    return keras.Model(start, Gain(name="gain")(x))

def code():
    start, x = common()
    return keras.Model(start, keras.layers.Lambda(lambda t: 2 * t)(x))

if __name__ == "__main__":
    for make in (nested, custom, code):
        make().save(f"{make.__name__}.keras")
"""
LAYERS = [
    "conv2d-same-in1x16x16x3-k3x2-f4-s1x1-nobias-wide_input", "conv2d-same-in1x16x16x4-k3x3-f6-s2x2-wide_input",
    "separable_conv2d-valid-in1x8x8x6-k3x3-f5-s1x1-m2-wide_input", "depthwise_conv2d-valid-in1x6x6x5-k2x2-s1x1-wide_input",
    "conv2d_transpose-valid-in1x5x5x5-k3x3-f3-s2x2-float16-wide_input", "conv1d-causal-in1x100x2-k3-f2-s1-wide_input",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    (folder / "mine.py").write_text(MODELS, encoding="utf-8")
    (folder / "bad.keras").write_text("no archive", encoding="utf-8")
    subprocess.run([sys.executable, "mine.py"], cwd=folder, check=True, capture_output=True)
    return folder


def gate(folder: Path, model: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(__file__).parents[2]), str(folder)])
    command = [sys.executable, "-m", "pytest", "--pyargs", "conformance", "-p", "no:cacheprovider", "-v", "--model", model]
    return subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)


def test_a_file_with_nested_models_and_a_layer_that_is_not_tested(folder: Path) -> None:
    done = gate(folder, "nested.keras")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not tested: lstm (ConvLSTM2D): not one of the layers that are tested" in done.stdout
    assert "6 convolution layer(s), 6 unlike" in done.stdout
    for case in LAYERS:
        for claim in ("forward", "bounded", "own_weights"):
            assert f"test_{claim}[{case}] PASSED" in done.stdout, case
    assert "18 passed" in done.stdout


def test_a_callable_is_called_without_weights_and_has_none(folder: Path) -> None:
    done = gate(folder, "mine:custom")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not tested: gain (Gain): a layer of unknown make: what it computes is not known here" in done.stdout
    assert "10 passed" in done.stdout
    assert "own_weights" not in done.stdout


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("bad.keras", "cannot read model file 'bad.keras': not a .keras archive"),
        ("none.keras", "cannot read model file 'none.keras': no such file"),
        ("custom.keras", "cannot load model file 'custom.keras': it needs the custom object 'Gain', which no file brings along"),
        ("code.keras", "cannot load model file 'code.keras': ValueError: Requested the deserialization of a `Lambda` layer"),
        ("mine", "cannot read model 'mine': expected FILE.keras or module:callable"),
        ("mine:nothing", "cannot import model 'mine:nothing': AttributeError"),
        ("json:loads", "calling 'json:loads' failed: TypeError"),
    ],
)
def test_what_cannot_be_had_is_one_line(folder: Path, model: str, says: str) -> None:
    done = gate(folder, model)
    assert done.returncode == 4, done.stdout
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"ERROR: {says}")
