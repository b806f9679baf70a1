"""ONNX Runtime: models of one ``Conv`` or ``ConvTranspose``, on its CPU provider."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import onnx
import onnxruntime

from conformance.cases import Case
from conformance.subjects import NotOfferedError
from conformance.subjects.primitives import Primitive, as_asked, channels_first, filters_first
from reference.arguments import Array

SESSIONS_KEPT = 64


class OnnxRuntime(Primitive):
    """Padding "same" is ``auto_pad="SAME_UPPER"``, the odd element at the end; with it there is no room for an output_padding."""

    name = "onnxruntime"

    def __init__(self) -> None:
        self._sessions: OrderedDict[tuple[Case, str], Any] = OrderedDict()

    def framework(self) -> dict[str, Any]:
        return {
            "device": "cpu",
            "versions": {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__},
            "flags": {},
        }

    def run(self, case: Case, x: Array, kernel: Array) -> Array:
        if case.transposed and case.padding == "same" and case.output_padding is not None:
            raise NotOfferedError("output_padding with padding 'same'")
        session = self._session(case, str(x.dtype))
        (y,) = session.run(None, {"x": np.ascontiguousarray(channels_first(case, x)), "w": np.ascontiguousarray(filters_first(kernel))})
        return as_asked(case, y)

    def _session(self, case: Case, dtype: str) -> Any:
        key = (case.configuration, dtype)
        if key not in self._sessions:
            self._sessions[key] = onnxruntime.InferenceSession(_model(case, dtype), providers=["CPUExecutionProvider"])
            if len(self._sessions) > SESSIONS_KEPT:
                self._sessions.popitem(last=False)
        return self._sessions[key]


def _model(case: Case, dtype: str) -> bytes:
    """One operator, with open sizes of the input."""
    attributes: dict[str, Any] = {"strides": case.strides, "dilations": case.dilation_rate, "group": case.groups}
    attributes["auto_pad"] = "SAME_UPPER" if case.padding == "same" else "VALID"
    if case.transposed and case.padding == "valid":
        spans = [(k - 1) * d + 1 for k, d in zip(case.kernel_size, case.dilation_rate, strict=True)]
        attributes["auto_pad"] = "NOTSET"
        attributes["output_padding"] = case.output_padding or [max(s - e, 0) for s, e in zip(case.strides, spans, strict=True)]
    kind = onnx.TensorProto.DOUBLE if dtype == "float64" else onnx.TensorProto.FLOAT
    values = {name: onnx.helper.make_tensor_value_info(name, kind, [None] * (case.rank + 2)) for name in "xwy"}
    node = onnx.helper.make_node("ConvTranspose" if case.transposed else "Conv", ["x", "w"], ["y"], **attributes)
    graph = onnx.helper.make_graph([node], "one", [values["x"], values["w"]], [values["y"]])
    # an opset and an IR version that every runtime of the last years reads
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
