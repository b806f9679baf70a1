"""What checking a model costs over running it: all checks of ``--model`` over the framework's own time for the same layers, in one run.

``python benchmarks/model.py keras.applications:ResNet50``, for the backend in KERAS_BACKEND. A bare loop makes every convolution layer of
the model in float32 and calls it once, at the model's shapes: that is what the framework needs. Then every check of a ``--model`` run is
made, data, reference and comparison included. Both are measured in process time, which other work on the machine does not change, and in
wall time. Importing the framework and listing the layers, which both need, are in neither.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path


def main() -> int:
    """Measure and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    arguments = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as in the gate's own processes; before NumPy is imported
    warnings.simplefilter("ignore")  # what a framework warns of is no matter here

    import keras
    import numpy as np

    from conformance import models
    from conformance.claims import CLAIMS
    from conformance.subjects.keras_layers import KerasLayers

    with tempfile.TemporaryDirectory() as folder:
        os.environ[models.FOLDER] = folder
        model = models.list_layers(arguments.model, Path(folder))
        inputs = [np.ones(layer.case.in_layout(layer.case.input_shape), "float32") for layer in model.layers]
        process, wall = time.process_time(), time.perf_counter()
        for layer, x in zip(model.layers, inputs, strict=True):
            made = getattr(keras.layers, layer.case.keras_name)(**layer.case.layer_arguments())
            keras.ops.convert_to_numpy(made(x))
        bare = time.process_time() - process, time.perf_counter() - wall
        outcomes: Counter[str] = Counter()
        subject = KerasLayers()
        process, wall = time.process_time(), time.perf_counter()
        for claim in CLAIMS.values():
            for case in model.cases if claim.of_models else ():
                if claim.speaks_of(case, "eager"):
                    outcomes[claim(subject, case, "eager").outcome] += 1
        checked = time.process_time() - process, time.perf_counter() - wall
    print(
        f"{arguments.model}: {len(model.layers)} layers made and called {bare[0]:.2f} s of process time ({bare[1]:.2f} s wall);"
        f" {sum(outcomes.values())} checks {checked[0]:.2f} s ({checked[1]:.2f} s): {dict(outcomes)}; ratio {checked[0] / bare[0]:.2f}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
