"""What can be said of a case: its fields, and what follows from them. Deviations and failure rules are stated over these."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.cases import Case
from conformance.contract import axes, error_due, output_shape
from reference.geometry import Axis, effective_kernel

Facts = dict[str, Any]

CASE_FACTS = (
    "layer", "padding", "batch", "channels", "filters", "groups", "dtype", "data_format", "use_bias", "data",
    "output_padding_given", "filters_match_width", "least_kernel", "strided", "overhangs_alike", "empty", "refused", "refused_for",
    "mode", "claim",
)  # fmt: skip
AXIS_FACTS = (
    "size",
    "kernel",
    "stride",
    "dilation",
    "effective_kernel",
    "output_padding",
    "kernel_minus_stride",
    "size_mod_stride",
    "windows_per_phase",
    "overhang",
    "rest",
    "output_with_other_overhang",
    "output",
)


def case_facts(case: Case, mode: str, claim: str) -> Facts:
    """The facts `CASE_FACTS`: those that do not belong to one axis. ``claim`` is what was checked, for instance ``forward``.

    ``filters_match_width``: the last spatial axis of the result has as many elements as there are filters, and more than one.
    ``least_kernel``: the smallest size of the kernel. ``strided``: some stride is more than 1. ``overhangs_alike``: all axes have the same
    overhang. ``empty``: the defined result has no elements. ``refused``: an error is due; what speaks of a result is False then.
    ``refused_for``: what the error is due for, ``strides_with_dilation``, ``output_padding`` or ``window``; None where none is.
    """
    shape = output_shape(replace(case, data_format="channels_last")) if error_due(case) is None else None
    return {
        "layer": case.layer,
        "padding": case.padding,
        "batch": case.batch,
        "channels": case.channels,
        "filters": case.filters,
        "groups": case.groups,
        "dtype": case.dtype,
        "data_format": case.data_format,
        "use_bias": case.use_bias,
        "data": case.data,
        "output_padding_given": case.output_padding is not None,
        "filters_match_width": shape is not None and shape[-2] == case.filters > 1,
        "least_kernel": min(case.kernel_size),
        "strided": max(case.strides) > 1,
        "overhangs_alike": shape is not None and len({max(_reach(case, axis), 0) for axis in axes(case)}) == 1,
        "empty": shape is not None and 0 in shape,
        "refused": shape is None,
        "refused_for": None if shape is not None else _refused_for(case),
        "mode": mode,
        "claim": claim,
    }


def _refused_for(case: Case) -> str:
    if max(case.strides) > 1 < max(case.dilation_rate):
        return "strides_with_dilation"
    return "output_padding" if case.transposed else "window"


def axis_facts(case: Case) -> tuple[Facts, ...]:
    """The facts `AXIS_FACTS` of every axis.

    ``output_padding`` is None where Keras chooses it. ``windows_per_phase`` is ``trunc((ceil(n / d) - k + s) / s)``: how many valid windows
    an implementation counts that samples every d-th element first and divides as C does; 0 or less where none fits.
    ``overhang`` is by how much all windows together are longer than the big side (what "same" pads or crops), ``rest`` by how much they are
    shorter; ``output_with_other_overhang`` how many windows of a convolution fit if it is padded by the overhang of the other axis;
    ``output`` is the size of the result. These four are None where an error is due.
    """
    results: tuple[Facts, ...] = ({"overhang": None, "rest": None, "output_with_other_overhang": None, "output": None},) * case.rank
    if error_due(case) is None:
        reaches = [_reach(case, axis) for axis in axes(case)]
        results = tuple(
            {
                "overhang": max(reach, 0),
                "rest": max(-reach, 0),
                "output_with_other_overhang": max(
                    (axis.big + max(other, 0) - effective_kernel(axis.kernel, axis.dilation)) // axis.stride + 1, 0
                ),
                "output": axis.big if case.transposed else axis.small,
            }
            for axis, reach, other in zip(axes(case), reaches, reaches[::-1], strict=True)
        )
    paddings = case.output_padding or (None,) * case.rank
    return tuple(
        {
            "size": n,
            "kernel": k,
            "stride": s,
            "dilation": d,
            "effective_kernel": effective_kernel(k, d),
            "output_padding": p,
            "kernel_minus_stride": k - s,
            "size_mod_stride": n % s,
            "windows_per_phase": int((-(-n // d) - k + s) / s),
            **result,
        }
        for n, k, s, d, p, result in zip(case.size, case.kernel_size, case.strides, case.dilation_rate, paddings, results, strict=True)
    )


def _reach(case: Case, axis: Axis) -> int:
    """How much longer than the big side all windows together are, as the case's padding places them; negative where they are shorter."""
    return (axis.small - 1) * axis.stride + effective_kernel(axis.kernel, axis.dilation) - axis.big
