"""The convolution layers of a user's own model: listed by a process of their own, since the one that reports must not import Keras."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from conformance.cases import Case, parse
from conformance.outcomes import ended_by
from reference.arguments import Array

LISTER = "conformance.subjects.keras_model"
FOLDER = "CONVFORMANCE_MODEL"
"""The environment variable by which the processes of a run know where the listed model lies."""
LISTED, WEIGHTS = "model.json", "weights.npz"
"""What the lister leaves in its folder."""


class ModelError(ValueError):
    """A model that cannot be had; the message is one line."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution layer of the model, by the names on the way to it, as a case."""

    name: str
    case: Case


@dataclass(frozen=True, slots=True)
class Untested:
    """A layer that cannot be tested, though it is a convolution or may be one, and why."""

    name: str
    kind: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} ({self.kind}): {self.reason}"


@dataclass(frozen=True, slots=True)
class Model:
    """What a model consists of. ``notes`` say what was assumed, or went wrong, when its layers' inputs were found."""

    source: str
    folder: Path
    layers: tuple[Layer, ...]
    untested: tuple[Untested, ...]
    notes: tuple[str, ...]

    @property
    def cases(self) -> tuple[Case, ...]:
        """The layers' cases, each once, however many layers are alike."""
        return tuple(dict.fromkeys(layer.case for layer in self.layers))

    @property
    def has_weights(self) -> bool:
        """Whether the layers' own weights are at hand: those of a file are."""
        return (self.folder / WEIGHTS).exists()

    def weights(self, number: int) -> dict[str, Array]:
        """The kernels and the bias of a layer, by Keras's names for them, as NumPy holds them."""
        return _weights(self.folder / WEIGHTS, number)


@cache
def _weights(path: Path, number: int) -> dict[str, Array]:
    with np.load(path) as arrays:
        named = [(name.partition(" "), name) for name in arrays.files]
        return {part[2]: arrays[name] for part, name in named if part[0] == str(number)}


def list_layers(source: str, folder: Path) -> Model:
    """The layers of the model that ``source`` names, ``FILE.keras`` or ``module:callable``; what is found lies in the folder.

    Raises:
        ModelError: it cannot be loaded or made, or has no convolution layers.
    """
    command = [sys.executable, "-m", LISTER, source, str(folder)]
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)  # noqa: S603
    lines = done.stderr.strip().splitlines()
    if done.returncode == 2 and lines:
        raise ModelError(lines[-1])
    if done.returncode or not (folder / LISTED).exists():
        # what a framework writes at its start tells nothing: only Python's own last line does
        said = lines[-1] if done.returncode == 1 and "Traceback (most recent call last):" in lines else ended_by(done.returncode)
        raise ModelError(f"listing the layers of {source!r} failed: {said}")
    model = read(folder)
    if not model.layers and not model.untested:
        raise ModelError(f"model {source!r} has no convolution layers")
    return model


def current() -> Model | None:
    """The model of this run, None if there is none."""
    folder = os.environ.get(FOLDER)
    return read(Path(folder)) if folder else None


@cache
def read(folder: Path) -> Model:
    """What an earlier `list_layers` left in the folder."""
    told = json.loads((folder / LISTED).read_text(encoding="utf-8"))
    return Model(
        source=told["source"],
        folder=folder,
        layers=tuple(Layer(each["name"], parse(each["id"])) for each in told["layers"]),
        untested=tuple(Untested(each["name"], each["class"], each["reason"]) for each in told["untested"]),
        notes=tuple(told["notes"]),
    )
