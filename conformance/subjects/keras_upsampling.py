"""Up-sampling and max pooling of the installed Keras, on the backend that ``KERAS_BACKEND`` chooses; arrays in, arrays out."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # Keras's own default, whatever its configuration file says
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up notes would drown the report

import keras
import numpy as np

from conformance.upsampling import POSITIONS
from reference.arguments import Array


def backend() -> str:
    """The name of Keras's backend."""
    return str(keras.backend.backend())


def up_sample(x: Array, size: tuple[int, int], interpolation: str, data_format: str) -> Array:
    """``keras.layers.UpSampling2D(size, interpolation=..., data_format=...)(x)``."""
    return _numpy(keras.layers.UpSampling2D(size, interpolation=interpolation, data_format=data_format)(x))


def resize(x: Array, size: tuple[int, int], interpolation: str, data_format: str) -> Array:
    """``keras.ops.image.resize(x, size, interpolation=..., data_format=...)``, without antialiasing."""
    return _numpy(keras.ops.image.resize(x, size, interpolation=interpolation, data_format=data_format))


def max_pool(x: Array, pool_size: tuple[int, int], strides: tuple[int, int], padding: str, data_format: str) -> Array:
    """``keras.layers.MaxPooling2D(pool_size, strides=..., padding=..., data_format=...)(x)``."""
    return _numpy(keras.layers.MaxPooling2D(pool_size, strides=strides, padding=padding, data_format=data_format)(x))


def max_pool_with_positions(x: Array, pool_size: tuple[int, int], strides: tuple[int, int], padding: str) -> tuple[Array, Array]:
    """Maxima and their positions from the framework under Keras, channels last, positions as `reference.upsampling.max_pool` has them.

    Raises:
        NotImplementedError: this backend tells no positions with this padding, see `POSITIONS`.
    """
    if padding not in POSITIONS[backend()]:
        raise NotImplementedError(f"max pooling on {backend()} tells no positions with padding {padding!r}")
    if backend() == "tensorflow":
        import tensorflow as tf

        maxima, where = tf.nn.max_pool_with_argmax(x, pool_size, strides, padding.upper())
        return np.asarray(maxima), np.asarray(where) // x.shape[-1]  # its positions count channels
    import torch

    planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))
    maxima, where = torch.nn.functional.max_pool2d(planes, pool_size, strides, return_indices=True)
    return np.moveaxis(maxima.numpy(), 1, -1), np.moveaxis(where.numpy(), 1, -1)


def _numpy(y: Any) -> Array:
    if backend() == "torch":  # Keras's own conversion makes a DeprecationWarning with NumPy 2
        return np.asarray(y.detach().cpu().numpy())
    return np.asarray(keras.ops.convert_to_numpy(y))
