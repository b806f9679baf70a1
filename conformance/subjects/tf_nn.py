"""``tf.nn``: ``convolution`` and ``conv_transpose``, without Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from conformance.cases import Case
from conformance.subjects import NotOfferedError
from conformance.subjects.frameworks import FRAMEWORKS
from conformance.subjects.primitives import Primitive
from reference.arguments import Array


class TfNn(Primitive):
    """A transposed convolution is told the shape of its output by the caller."""

    name = "tf.nn"

    def framework(self) -> dict[str, Any]:
        return FRAMEWORKS["tensorflow"]()

    def run(self, case: Case, x: Array, kernel: Array) -> Array:
        axes = "DHW"[-case.rank :]
        options: dict[str, Any] = {
            "strides": case.strides,
            "padding": case.padding.upper(),
            "data_format": f"N{axes}C" if case.data_format == "channels_last" else f"NC{axes}",
            "dilations": case.dilation_rate,
        }
        if case.transposed:
            return np.asarray(tf.nn.conv_transpose(x, kernel, _output_shape(case), **options))
        return np.asarray(tf.nn.convolution(x, kernel, **options))


def _output_shape(case: Case) -> list[int]:
    """The longest output whose convolution gives the input back and every element of which has been reached, and what is asked for behind.

    "SAME": any output of ``ceil(o / s) = n``, so at most ``n s``. "VALID": ``floor((o - e) / s) + 1 = n``, so at least ``(n - 1) s + e``.
    """
    sizes = []
    for axis, (n, s) in enumerate(zip(case.size, case.strides, strict=True)):
        reach = (n - 1) * s + (case.kernel_size[axis] - 1) * case.dilation_rate[axis] + 1
        if case.padding == "same":
            if case.output_padding is not None:
                raise NotOfferedError("output_padding with padding 'same'")
            sizes.append(n * s)
        else:
            sizes.append(max(reach, n * s) if case.output_padding is None else reach + case.output_padding[axis])
    return list(case.in_layout((case.batch, *sizes, case.filters)))
