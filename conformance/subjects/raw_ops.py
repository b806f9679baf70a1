"""TensorFlow's raw operations beneath the layers, with whatever arguments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up notes would drown the report


def call(operation: str, arguments: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape of what ``tf.raw_ops.<operation>(**arguments)`` gives, computed to its last element."""
    import tensorflow as tf

    return tuple(getattr(tf.raw_ops, operation)(**arguments).numpy().shape)


def onednn() -> bool:
    """Whether TensorFlow runs on oneDNN here."""
    from conformance.subjects.frameworks import FRAMEWORKS

    return bool(FRAMEWORKS["tensorflow"]()["flags"]["onednn"])
