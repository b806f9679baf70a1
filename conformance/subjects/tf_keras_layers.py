"""The layers of ``tf_keras``, which is Keras 2 as it goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from conformance.cases import Case
from conformance.probes import Probe
from conformance.subjects import Announced, Observed
from conformance.subjects.frameworks import FRAMEWORKS, avx512


class TfKerasLayers:
    """Layers of ``tf_keras.layers``, made anew for every case, called as a user calls them."""

    modes = ("eager",)
    shape_functions = ("compute_output_shape", "tf_keras.Input")

    def environment(self) -> dict[str, Any]:
        known = FRAMEWORKS["tensorflow"]()
        return {
            "keras": None,
            "backend": "tf_keras",
            "device": known["device"],
            "versions": {"tf_keras": tf_keras.__version__, "numpy": np.__version__, **known["versions"]},
            "flags": {"avx512": avx512(), **known["flags"]},
        }

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        layer = _made(case)
        layer.build(case.in_layout((None, *(None,) * case.rank, case.channels)))
        layer.set_weights([*probe.kernels, *([] if probe.bias is None else [probe.bias])])
        y = layer(tf.convert_to_tensor(probe.x, case.compute_dtype))
        kind = y.dtype.name
        return Observed(np.asarray(tf.cast(y, tf.float32) if kind == "bfloat16" else y), kind)

    def output_shape(self, case: Case, input_shape: tuple[int | None, ...], function: str) -> Announced:
        layer = _made(case)
        if function == "compute_output_shape":
            return Announced(tuple(layer.compute_output_shape(input_shape)))
        y = layer(tf_keras.Input(input_shape[1:], batch_size=input_shape[0], dtype=case.compute_dtype))
        return Announced(tuple(y.shape), y.dtype.name)


def _made(case: Case) -> Any:
    return getattr(tf_keras.layers, case.keras_name)(**case.layer_arguments())
