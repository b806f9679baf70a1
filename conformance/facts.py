"""What can be said of a case: its fields, and what follows from them. Deviations and failure rules are stated over these."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

from conformance import misuses
from conformance.cases import LAYERS, Case
from conformance.contract import axes, error_due, strides_with_dilation
from conformance.forms import form
from reference.geometry import Axis, effective_kernel, overhang

Facts = dict[str, Any]

CASE_FACTS = (
    "layer", "padding", "batch", "channels", "filters", "groups", "depth_multiplier", "dtype", "data_format", "use_bias", "data",
    "output_padding_given", "filters_match_width", "least_kernel", "strided", "strides_alike", "paddings_alike", "positions",
    "window_channels", "empty", "refused", "refused_for", "argument", "misuse", "route", "mode", "claim", "form",
)  # fmt: skip
MISUSE_FACTS = ("argument", "misuse", "route")
"""Those of the facts of a case that only one with a misuse has."""
AXIS_FACTS = (
    "size",
    "kernel",
    "stride",
    "dilation",
    "effective_kernel",
    "output_padding",
    "kernel_minus_stride",
    "kernel_minus_size",
    "size_mod_stride",
    "total_padding",
    "rest",
    "windows_per_phase",
    "windows_cut",
    "output_with_other_padding",
    "output",
    "places",
)


def case_facts(case: Case, mode: str, claim: str) -> Facts:
    """The facts `CASE_FACTS`: those that do not belong to one axis. ``claim`` is what was checked, for instance ``forward``.

    ``filters_match_width``: the last spatial axis of the result has as many elements as there are filters, and more than one.
    ``least_kernel``: the smallest size of the kernel. ``strided``: some stride is more than 1. ``strides_alike``: all axes have the same
    stride. ``paddings_alike``: the total padding of all axes is the same. ``positions``: how many places the kernel is put at, over all
    axes; ``window_channels``: the channels of what it is put on, the input, or a transposed convolution's output. ``empty``: the defined
    result has no elements. ``refused``: an error is due; what speaks of a result is False then.
    ``use_bias``: as the case has it; of the claim ``ops``, whose functions have no bias, False. ``form``: of the claim ``arguments``, which
    of `conformance.forms` the case is checked in.
    ``refused_for``: what the error is due for, ``strides_with_dilation``, ``output_padding`` or ``window``; None where none is.
    ``argument``, ``misuse``, ``route``: of a case that is sound but for one argument, which one, what it is given, and how the layer is
    met (see `conformance.misuses`); None of the others.
    """
    known = _geometry(case)
    refused = None in known
    spatial = tuple(axis.big if case.transposed else axis.small for axis in known if axis is not None)
    return {
        "layer": case.layer,
        "padding": case.padding,
        "batch": case.batch,
        "channels": case.channels,
        "filters": case.filters,
        "groups": case.groups,
        "depth_multiplier": case.depth_multiplier,
        "dtype": case.dtype,
        "data_format": case.data_format,
        "use_bias": case.use_bias and claim != "ops",
        "data": case.data,
        "output_padding_given": case.output_padding is not None,
        "filters_match_width": not refused and spatial[-1] == case.filters > 1,
        "least_kernel": min(case.kernel_size),
        "strided": max(case.strides) > 1,
        "strides_alike": len(set(case.strides)) == 1,
        "paddings_alike": not refused and len(set(_paddings(case))) == 1,
        "positions": prod(axis.small for axis in known if axis is not None),
        "window_channels": case.filters if case.transposed else case.channels,
        "empty": 0 in spatial,
        "refused": refused,
        "refused_for": _refused_for(case) if refused else None,
        **dict(zip(MISUSE_FACTS, _misuse(case), strict=True)),
        "mode": mode,
        "claim": claim,
        "form": form(case).name if claim == "arguments" else None,
    }


def _misuse(case: Case) -> tuple[str | None, ...]:
    if not case.misuse:
        return (None,) * len(MISUSE_FACTS)
    misuse, route = misuses.find(case.layer, case.misuse)
    return misuse.argument, misuse.value, route


def _refused_for(case: Case) -> str:
    if strides_with_dilation(case) and not LAYERS[case.layer].multiplied:
        return "strides_with_dilation"
    return "output_padding" if case.transposed else "window"


def axis_facts(case: Case) -> tuple[Facts, ...]:
    """The facts `AXIS_FACTS` of every axis. The mappings are shared between cases: they are for reading.

    ``output_padding`` is None where Keras chooses it. ``kernel_minus_stride`` and ``kernel_minus_size`` are of the undilated and of the
    effective kernel. ``total_padding`` is what ``same`` or ``causal`` adds to a convolution's input, or ``same`` cuts from the full
    length of a transposed one, on both sides together; ``rest`` how many elements of the longer side no window reaches.
    ``windows_per_phase`` is ``trunc((ceil(n / d) - k + s) / s)``: how many valid windows an implementation counts that samples every d-th
    element first and divides as C does; 0 or less where none fits.
    ``windows_cut`` is ``trunc((n - e + s) / s)``, the same without sampling.
    ``output`` is the size of the result, ``output_with_other_padding`` how many windows of a convolution fit if the total padding is that
    of the other axis, of three the one at the other end. ``places`` is how many places the kernel is put at: the output of a convolution,
    the input of a transposed one. These three, ``total_padding`` and ``rest`` are None where an error is due.
    """
    paddings = case.output_padding or (None,) * case.rank
    known = _geometry(case)
    others = _paddings(case)[::-1]
    return tuple(
        _axis(n, k, s, d, p, case.padding, case.transposed, axis, other)
        for n, k, s, d, p, axis, other in zip(
            case.size, case.kernel_size, case.strides, case.dilation_rate, paddings, known, others, strict=True
        )
    )


def _paddings(case: Case) -> list[int]:
    """The total padding of every axis, 0 where an error is due."""
    return [0 if axis is None else _total(axis, case.padding) for axis in _geometry(case)]


def _total(axis: Axis, padding: str) -> int:
    """The padding of an axis on both sides together, or its crop."""
    if padding == "causal":
        return axis.before
    return overhang(axis.small, axis.big, axis.kernel, axis.stride, axis.dilation) if padding == "same" else 0


_GEOMETRIES: dict[tuple[object, ...], tuple[Axis | None, ...]] = {}
_GEOMETRIES_KEPT = 16384


def _geometry(case: Case) -> tuple[Axis | None, ...]:
    """The axes of a case, None for each where an error is due: kept, since many cases differ in nothing but what is not geometry."""
    key = (case.layer, case.padding, case.size, case.kernel_size, case.strides, case.dilation_rate, case.output_padding)
    known = _GEOMETRIES.get(key)
    if known is None:
        if len(_GEOMETRIES) >= _GEOMETRIES_KEPT:
            _GEOMETRIES.clear()
        known = _GEOMETRIES[key] = axes(case) if error_due(case) is None else (None,) * case.rank
    return known


@lru_cache(maxsize=8192)
def _axis(n: int, k: int, s: int, d: int, p: int | None, padding: str, transposed: bool, axis: Axis | None, other: int) -> Facts:
    """The facts of one axis: the configurations of one axis are far fewer than the cases."""
    span = effective_kernel(k, d)
    total = rest = swapped = None
    if axis is not None:
        total = _total(axis, padding)
        reach = (axis.small - 1) * s + span - axis.big  # by how much all windows together are longer than the big side
        rest = max(-reach if padding != "causal" else total - reach, 0)
        swapped = max((axis.big + other - span) // s + 1, 0)
    return {
        "size": n,
        "kernel": k,
        "stride": s,
        "dilation": d,
        "effective_kernel": span,
        "output_padding": p,
        "kernel_minus_stride": k - s,
        "kernel_minus_size": span - n,
        "size_mod_stride": n % s,
        "total_padding": total,
        "rest": rest,
        "windows_per_phase": int((-(-n // d) - k + s) / s),
        "windows_cut": int((n - span + s) / s),
        "output_with_other_padding": swapped,
        "output": None if axis is None else axis.big if transposed else axis.small,
        "places": None if axis is None else axis.small,
    }
