"""``torch.nn.functional``: ``conv*d`` and ``conv_transpose*d``, without Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from conformance.cases import Case
from conformance.subjects import NotOfferedError
from conformance.subjects.frameworks import FRAMEWORKS
from conformance.subjects.primitives import Primitive, as_asked, channels_first, filters_first
from reference.arguments import Array


class TorchFunctional(Primitive):
    """Its "same" is for stride 1 alone, and a transposed convolution has no "same", but a padding alike on both sides."""

    name = "torch.nn.functional"

    def framework(self) -> dict[str, Any]:
        return FRAMEWORKS["torch"]()

    def run(self, case: Case, x: Array, kernel: Array) -> Array:
        operands = [torch.from_numpy(np.ascontiguousarray(a)) for a in (channels_first(case, x), filters_first(kernel))]
        options: dict[str, Any] = {"stride": case.strides, "dilation": case.dilation_rate}
        if case.transposed:
            if case.padding == "same":
                raise NotOfferedError("padding 'same' of a transposed convolution")
            if case.output_padding is None and any(k < s for k, s in zip(case.kernel_size, case.strides, strict=True)):
                raise NotOfferedError("a kernel shorter than its stride without output_padding")
            function = getattr(torch.nn.functional, f"conv_transpose{case.rank}d")
            y = function(*operands, output_padding=case.output_padding or 0, **options)
        else:
            if case.padding == "same" and max(case.strides) > 1:
                raise NotOfferedError("padding 'same' with strides")
            function = getattr(torch.nn.functional, f"conv{case.rank}d")
            y = function(*operands, padding=case.padding, groups=case.groups, **options)
        return as_asked(case, y.numpy())
