"""``jax.lax``: ``conv_general_dilated`` and ``conv_transpose``, without Keras."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from conformance.cases import Case
from conformance.subjects import NotOfferedError
from conformance.subjects.frameworks import FRAMEWORKS
from conformance.subjects.primitives import Primitive
from reference.arguments import Array


class JaxLax(Primitive):
    """Has both paddings for both, and no output_padding."""

    name = "jax.lax"

    def framework(self) -> dict[str, Any]:
        return FRAMEWORKS["jax"]()

    def run(self, case: Case, x: Array, kernel: Array) -> Array:
        if case.dtype == "float64" and not jax.config.jax_enable_x64:
            raise NotOfferedError("float64 without jax_enable_x64")
        axes = "DHW"[-case.rank :]
        layout = f"N{axes}C" if case.data_format == "channels_last" else f"NC{axes}"
        layouts = (layout, f"{axes}IO", layout)
        padding = case.padding.upper()
        if case.transposed:
            if case.output_padding is not None:
                raise NotOfferedError("output_padding")
            y = jax.lax.conv_transpose(
                x, kernel, case.strides, padding, rhs_dilation=case.dilation_rate, dimension_numbers=layouts, transpose_kernel=True
            )
        else:
            y = jax.lax.conv_general_dilated(
                x,
                kernel,
                case.strides,
                padding,
                rhs_dilation=case.dilation_rate,
                dimension_numbers=layouts,
                feature_group_count=case.groups,
            )
        return np.asarray(y)
