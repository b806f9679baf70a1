"""Real models of Keras, from files and from code, as a user gives them to the gate."""

from __future__ import annotations

import json
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

def wrapped():
    x = start = keras.Input((3, 16, 16, 3))
    x = keras.layers.TimeDistributed(keras.layers.Conv2D(4, 3, name="c"), name="each")(x)
    x = keras.layers.Bidirectional(keras.layers.ConvLSTM2D(2, 3, name="lstm"), name="both")(x)
    return keras.Model(start, keras.layers.SpectralNormalization(keras.layers.Conv2D(2, 1, name="n"), name="norm")(x))

def shared():
    c = keras.layers.Conv2D(3, 3, padding="same", name="c")
    a, b = keras.Input((16, 16, 3), name="a"), keras.Input((20, None, 3), name="b")
    return keras.Model({"a": a, "b": b}, [c(c(a)), c(b)])

def tokens():
    start = keras.Input((12,), dtype="int32")
    return keras.Model(start, keras.layers.Conv1D(3, 3, name="c")(keras.layers.Embedding(10, 4)(start)))

def policies():
    x = start = keras.Input((8, 8, 3))
    for policy in ("mixed_float16", "mixed_bfloat16", "bfloat16", "float64"):
        x = keras.layers.Conv2D(3, 3, padding="same", dtype=policy, name=policy)(x)
    return keras.Model(start, x)

class Block(keras.layers.Layer):
    def __init__(self, **named):
        super().__init__(**named)
        self.inside, self.idle = keras.layers.Conv2D(3, 3, name="inside"), keras.layers.Conv2D(3, 3, name="idle")
    def build(self, shape):
        self.inside.build(shape)
        self.idle.build(shape)
    def call(self, x):
        return self.inside(x)

class Mine(keras.layers.Conv2D):
    pass

class Code(keras.Model):
    def __init__(self):
        super().__init__()
        self.block, self.own = Block(name="block"), Mine(2, 1, name="own")
    def call(self, x):
        return self.own(self.block(x))

def unbuilt():
    return Code()

def built():
    model = Code()
    model(keras.ops.zeros((1, 8, 8, 3)))
    return model

def sequence():
    return keras.Sequential([keras.layers.Conv2D(3, 3, name="c")])

def leaves():
    raise SystemExit(0)

if __name__ == "__main__":
    import pathlib
    built().save("built.keras")
    for make in (nested, custom, code):
        make().save(f"{make.__name__}.keras")
    whole = pathlib.Path("nested.keras").read_bytes()
    pathlib.Path("cut.keras").write_bytes(whole[:len(whole) // 2])
"""
LISTING = """
import json, os, sys
from pathlib import Path
from conformance.subjects import keras_model
sys.path.insert(0, "")
found = {}
for source in sys.argv[1:]:
    try:
        listed, _ = keras_model.describe(source, keras_model.load(source))
        found[source] = [[each["name"], each["id"]] for each in listed["layers"]]
        found[source] += [[each["name"], f"{each['class']}: {each['reason']}"] for each in listed["untested"]]
        found[source] += [["", note] for note in listed["notes"]]
    except keras_model.ModelError as error:
        found[source] = [["", str(error)]]
Path("listed.json").write_text(json.dumps(found))
"""
NOT_TESTED, NOT_REACHED = "not one of the layers that are tested", "not reached when the model was run on zeros"
NOT_BUILT = ("", "the model is not built, so the shape of its input is not known: give one that was built, or called")
MAKE_IT = "give a module:callable that makes the model"
MADE = {
    "mine:wrapped": [
        ("each/c", "conv2d-valid-in1x16x16x3-k3x3-f4-s1x1-wide_input"), ("norm/n", "conv2d-valid-in1x12x12x4-k1x1-f2-s1x1-wide_input"),
        ("both/forward_lstm", f"ConvLSTM2D: {NOT_TESTED}"), ("both/backward_lstm", f"ConvLSTM2D: {NOT_TESTED}"),
    ],
    "mine:shared": [
        ("c", "conv2d-same-in1x16x16x3-k3x3-f3-s1x1-wide_input"), ("c", "conv2d-same-in1x20x224x3-k3x3-f3-s1x1-wide_input"),
        ("", "input b of shape (None, 20, None, 3) leaves sizes open: 224 is taken"),
    ],
    "mine:tokens": [("c", "conv1d-valid-in1x12x4-k3-f3-s1-wide_input")],
    "mine:policies": [
        (policy, f"conv2d-same-in1x8x8x3-k3x3-f3-s1x1-{policy}-wide_input")
        for policy in ("mixed_float16", "mixed_bfloat16", "bfloat16", "float64")
    ],
    "mine:built": [
        ("block/inside", "conv2d-valid-in1x8x8x3-k3x3-f3-s1x1-wide_input"),
        ("block/idle", "Conv2D: not called when the model is run on zeros"),
        ("own", "Mine: a class derived from Conv2D: what it computes is not known here"),
    ],
    "mine:unbuilt": [
        ("block/inside", f"Conv2D: {NOT_REACHED}"), ("block/idle", f"Conv2D: {NOT_REACHED}"),
        ("own", "Mine: a class derived from Conv2D: what it computes is not known here"), NOT_BUILT,
    ],
    "mine:sequence": [("c", f"Conv2D: {NOT_REACHED}"), NOT_BUILT],
    "mine:leaves": [("", "calling 'mine:leaves' failed: SystemExit: 0")],
    "built.keras": [
        ("", "cannot load model file 'built.keras': it needs the custom object 'Code', which no file brings along: " + MAKE_IT),
    ],
    "cut.keras": [("", "cannot read model file 'cut.keras': not a .keras archive")],
    "folder.keras": [("", "cannot read model file 'folder.keras': not a file")],
}  # fmt: skip
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


@pytest.fixture(scope="module")
def listed(folder: Path) -> dict[str, list[list[str]]]:
    """What is listed of every model of `MADE`, by one process: importing Keras is most of the time."""
    (folder / "folder.keras").mkdir()
    path = str(Path(__file__).parents[2])
    subprocess.run(
        [sys.executable, "-c", LISTING, *MADE], cwd=folder, env={**os.environ, "PYTHONPATH": path}, check=True, capture_output=True
    )
    found: dict[str, list[list[str]]] = json.loads((folder / "listed.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("source", MADE)
def test_layers_are_found_wherever_they_are(listed: dict[str, list[list[str]]], source: str) -> None:
    assert [tuple(each) for each in listed[source]] == MADE[source]


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


def test_a_model_of_which_nothing_can_be_tested_does_not_pass(folder: Path) -> None:
    done = gate(folder, "mine:sequence")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"not tested: c (Conv2D): {NOT_REACHED}" in done.stdout
    assert "nothing was checked: no layer of model mine:sequence can be tested" in done.stdout


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
