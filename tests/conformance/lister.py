"""Stands in for the lister of models, which needs Keras: two layers alike with unlike weights, one that is not tested."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

from conformance.models import LISTED, WEIGHTS

CASE = "conv2d-same-in1x5x4x2-k3x2-f3-s1x1-wide_input"
SEPARABLE = "separable_conv1d-valid-in1x6x2-k3-f3-s1-m2-wide_input"


def main(source: str, folder: str) -> int:
    """As `conformance.subjects.keras_model.main`: 2 with one line for a model that cannot be had."""
    if source == "bad.keras":
        print("noise before\ncannot read model file 'bad.keras': not a .keras archive", file=sys.stderr)  # noqa: T201
        return 2
    if source == "broken:model":
        raise RuntimeError("broken")
    if source == "dead:model":
        print("a framework's words at its start", file=sys.stderr, flush=True)  # noqa: T201
        os.kill(os.getpid(), signal.SIGKILL)
    if source == "silent:model":
        return 0
    layers = [] if source == "empty:model" else [{"name": f"block/{n}", "id": CASE} for n in "ab"] + [{"name": "s", "id": SEPARABLE}]
    untested = (
        [] if source == "empty:model" else [{"name": "lstm", "class": "ConvLSTM2D", "reason": "not one of the layers that are tested"}]
    )
    rng = np.random.default_rng(0)
    if source.endswith(".keras"):
        arrays: dict[str, Any] = {f"{n} kernel": rng.standard_normal((3, 2, 2, 3)).astype("float32") for n in (0, 1)}
        arrays |= {f"{n} bias": rng.standard_normal(3).astype("float32") for n in (0, 1, 2)}
        arrays["2 depthwise_kernel"] = rng.standard_normal((3, 2, 2)).astype("float32")
        arrays["2 pointwise_kernel"] = rng.standard_normal((1, 4, 3)).astype("float32")
        np.savez(Path(folder, WEIGHTS), **arrays)
    Path(folder, LISTED).write_text(
        json.dumps({"source": source, "layers": layers, "untested": untested, "notes": ["taken as 224"]}), encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
