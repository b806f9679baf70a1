"""What checking a model costs over running it: all checks of ``--model`` over the framework's own time for the same layers.

``python -m benchmarks.model keras.applications:ResNet50 [--runs 3]``, for the backend in KERAS_BACKEND. One process makes every convolution
layer of the model in float32 and calls it once, at the model's shapes: that is what the framework needs. Another makes every check of
a ``--model`` run: data, reference and comparison included. Importing the framework, and listing the layers, are in neither. Beside them
stand the whole command and the whole of the first process, as a user would wait for them. All sides run in turn; times are process time
(user plus system), which other work on the machine hardly changes, and wall time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.harness import Cost
from conformance import models

BARE = """
import time, warnings
warnings.simplefilter("ignore")
import keras
import numpy as np
from conformance import models
making, calling = np.zeros(2), np.zeros(2)
def clock():
    return np.array([time.process_time(), time.perf_counter()])
layers = models.current().layers
for layer in layers:
    case = layer.case
    x = np.ones(case.in_layout(case.input_shape), "float32")
    started = clock()
    made = getattr(keras.layers, case.keras_name)(**{**case.layer_arguments(), "dtype": "float32"})
    made.build(x.shape)
    built = clock()
    keras.ops.convert_to_numpy(made(x))
    making, calling = making + built - started, calling + clock() - built
print(len(layers), *making, *calling)
"""
CHECKS = """
import conformance.threads  # as in the gate's own processes
import time, warnings
warnings.simplefilter("ignore")
from collections import Counter
from conformance import models
from conformance.claims import CLAIMS
from conformance.subjects.keras_layers import KerasLayers
outcomes, subject = Counter(), KerasLayers()
started = time.process_time(), time.perf_counter()
for claim in CLAIMS.values():
    for case in models.current().cases if claim.of_models else ():
        if claim.speaks_of(case, "eager"):
            outcomes[claim(subject, case, "eager").outcome] += 1
ended = time.process_time(), time.perf_counter()
print(outcomes.pop("conforms", 0), outcomes.total(), *(b - a for a, b in zip(started, ended)))
"""


@dataclass(frozen=True)
class Measurement:
    """One turn. Seconds are pairs: process time, wall time."""

    model: str
    layers: int
    making: tuple[float, float]
    calling: tuple[float, float]
    conforming: int
    deviating: int
    checks: tuple[float, float]
    whole_bare: tuple[float, float]
    whole_gate: tuple[float, float]

    @property
    def over_all_calls(self) -> float:
        return self.checks[0] / (self.making[0] + self.calling[0])

    @property
    def over_layer_calls(self) -> float:
        return self.checks[0] / self.calling[0]

    def __str__(self) -> str:
        def said(seconds: tuple[float, float]) -> str:
            return f"{seconds[0]:.2f} s ({seconds[1]:.2f} s wall)"

        wall = self.checks[1] / (self.making[1] + self.calling[1])
        return (
            f"{self.model}: {self.layers} layers made {said(self.making)}, called {said(self.calling)};"
            f" {self.conforming} checks conform, {self.deviating} do not, {said(self.checks)};"
            f" ratio {self.over_all_calls:.2f} ({wall:.2f} of wall time), over layer calls alone {self.over_layer_calls:.2f};"
            f" from start to end {said(self.whole_gate)} over {said(self.whole_bare)}"
        )


def measure(model: str) -> Measurement:
    """One turn: the framework, the checks, the whole command."""
    bare, checks = Cost.of("-c", BARE), Cost.of("-c", CHECKS)
    gate = Cost.of("-m", "pytest", "conformance", "-q", "-pno:randomly", "--model", model)
    layers, *seconds = map(float, bare.output.split()[-5:])
    conforming, deviating, *needed = map(float, checks.output.split()[-4:])
    return Measurement(
        model=model,
        layers=int(layers),
        making=(seconds[0], seconds[1]),
        calling=(seconds[2], seconds[3]),
        conforming=int(conforming),
        deviating=int(deviating),
        checks=(needed[0], needed[1]),
        whole_bare=(bare.process, bare.wall),
        whole_gate=(gate.process, gate.wall),
    )


def main() -> int:
    """Measure, print a line a turn and the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="FILE.keras or module:callable")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.json")
    arguments = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found = []
    for model in arguments.models:
        with tempfile.TemporaryDirectory() as folder:
            models.list_layers(model, Path(folder))
            os.environ[models.FOLDER] = folder
            turns = []
            for _ in range(arguments.runs):
                turns.append(measure(model))
                print(turns[-1], flush=True)
        all_calls, layer_calls = median(turn.over_all_calls for turn in turns), median(turn.over_layer_calls for turn in turns)
        print(f"{model}: median ratio {all_calls:.2f}, over layer calls alone {layer_calls:.2f}", flush=True)
        found += turns
    if arguments.output:
        arguments.output.write_text(json.dumps([asdict(turn) for turn in found], indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
