"""Which cases Keras must refuse, and what the others must give: the contract, with the reference as its authority."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, reduce

import numpy as np

import reference
from conformance.cases import LAYERS, Case
from reference.arguments import Array, DepthwiseOptions
from reference.depthwise import depthwise_conv_gradients, separable_conv_gradients
from reference.geometry import Axis, convolution_axis, effective_kernel, transposed_axis
from reference.gradients import Gradients, conv_gradients, conv_transpose_gradients


def error_due(case: Case) -> str | None:
    """Why this case must be an error, in one line, or None where a result is defined.

    The reference's own limits (a valid window larger than its input, output_padding not below strides) and the one that is Keras's
    alone: its layers refuse strides with dilation, which have a meaning but no implementation there; the depthwise and separable layers
    do not refuse them, and compute.
    """
    if strides_with_dilation(case) and not LAYERS[case.layer].multiplied:
        return f"strides {case.strides} together with dilation_rate {case.dilation_rate}"
    for p, s in zip(case.output_padding or (), case.strides, strict=False):
        if p >= s:
            return f"output_padding {case.output_padding} is not less than strides {case.strides}"
    try:
        axes(case)
    except ValueError as error:
        return str(error)
    return None


def strides_with_dilation(case: Case) -> bool:
    """Some stride is more than 1, and some dilation."""
    return max(case.strides) > 1 and max(case.dilation_rate) > 1


@lru_cache(maxsize=1)
def axes(case: Case) -> tuple[Axis, ...]:
    """The geometry of every axis of a case.

    Raises:
        ValueError: a valid window is larger than its input.
    """
    if case.transposed:
        paddings = case.output_padding or (None,) * case.rank
        return tuple(
            transposed_axis(n, k, s, d, case.padding, p)
            for n, k, s, d, p in zip(case.size, case.kernel_size, case.strides, case.dilation_rate, paddings, strict=True)
        )
    return tuple(
        convolution_axis(n, k, s, d, case.padding)
        for n, k, s, d in zip(case.size, case.kernel_size, case.strides, case.dilation_rate, strict=True)
    )


def output_shape(case: Case) -> tuple[int, ...]:
    """The defined shape of the result, in the case's data format."""
    spatial = (axis.big if case.transposed else axis.small for axis in axes(case))
    return case.in_layout((case.batch, *spatial, case.filters))


Shape = tuple[int | None, ...]
"""A shape of which not every size is known: None stands for the others."""


def filled(case: Case, shape: Shape) -> Case:
    """This case on an input of the given shape (batch, *spatial, channels), each unknown size of it one that no window is too large for."""
    spans = (effective_kernel(k, d) for k, d in zip(case.kernel_size, case.dilation_rate, strict=True))
    fitting = (1, *spans, case.channels)
    return replace(case, input_shape=tuple(n or fit for n, fit in zip(shape, fitting, strict=True)))


def partial_output_shape(case: Case, shape: Shape) -> Shape:
    """The defined shape of the result, in the case's data format, where ``shape`` is all that is known of the input.

    Axes are independent: a size of the output is known if that of the input is, and depends on no other.

    Raises:
        ValueError: a valid window is larger than its input along an axis that is known.
    """
    defined = output_shape(filled(case, shape))
    return tuple(None if n is None else o for n, o in zip(case.in_layout(shape), defined, strict=True))


def compute(case: Case, x: Array, kernel: Array, bias: Array | None, pointwise: Array | None = None) -> Array:
    """The defined result of a case on these operands, by the fast reference, in the type of the operands.

    ``kernel`` has the shape ``case.kernel_shape``; a separable case needs its ``pointwise`` kernel, too.
    """
    if case.separable:
        return reference.separable_conv(x, kernel, _given(pointwise), bias, **_depthwise_options(case))
    if case.depthwise:
        return reference.depthwise_conv(x, kernel, bias, **_depthwise_options(case))
    if case.transposed:
        return reference.conv_transpose(
            x,
            kernel,
            bias,
            strides=case.strides,
            padding=case.padding,
            output_padding=case.output_padding,
            dilation_rate=case.dilation_rate,
            data_format=case.data_format,
        )
    return reference.conv(
        x,
        kernel,
        bias,
        strides=case.strides,
        padding=case.padding,
        dilation_rate=case.dilation_rate,
        groups=case.groups,
        data_format=case.data_format,
    )


def compute_gradients(case: Case, x: Array, kernel: Array, upstream: Array, pointwise: Array | None = None) -> Gradients:
    """The defined gradients of ``sum(upstream * layer(x))``, by the closed forms, in the type of the operands; kernels as in `compute`."""
    if case.separable:
        return separable_conv_gradients(x, kernel, _given(pointwise), upstream, **_depthwise_options(case))
    if case.depthwise:
        return depthwise_conv_gradients(x, kernel, upstream, **_depthwise_options(case))
    if case.transposed:
        return conv_transpose_gradients(
            x,
            kernel,
            upstream,
            strides=case.strides,
            padding=case.padding,
            output_padding=case.output_padding,
            dilation_rate=case.dilation_rate,
            data_format=case.data_format,
        )
    return conv_gradients(
        x,
        kernel,
        upstream,
        strides=case.strides,
        padding=case.padding,
        dilation_rate=case.dilation_rate,
        groups=case.groups,
        data_format=case.data_format,
    )


def _depthwise_options(case: Case) -> DepthwiseOptions:
    return {
        "strides": case.strides,
        "padding": case.padding,
        "dilation_rate": case.dilation_rate,
        "data_format": case.data_format,
    }


def _given(pointwise: Array | None) -> Array:
    if pointwise is None:
        raise TypeError("a separable case needs a pointwise kernel")
    return pointwise


def reached(case: Case) -> Array:
    """True for the elements of the result that at least one kernel tap contributes to, shape ``output_shape(case)``.

    The others are zero, or the bias, by definition: what no window sees, and the zeros appended behind a transposed convolution.
    """
    return _reached(case, case.filters, of_output=True)


def reached_by_gradients(case: Case) -> dict[str, Array]:
    """True for the elements of each gradient that some product contributes to; the others are zero by definition.

    Shapes as ``input``, kernels (by Keras's names) and ``bias`` of the case. Nothing contributes to an input element that no window
    sees, or to a tap that meets nothing.
    """
    kernel = np.broadcast_to(positions_joined(case) > 0, case.kernel_shape)
    bias = np.full(case.filters, 0 not in output_shape(case))
    kernels = (kernel, np.full(case.pointwise_shape, reached(case).any())) if case.separable else (kernel,)
    met = _reached(case, case.channels, of_output=False)
    return {"input": met, **dict(zip(case.kernel_names, kernels, strict=True)), "bias": bias}


def _reached(case: Case, channels: int, *, of_output: bool) -> Array:
    """Whether any tap joins each element of the output, or else of the input, with the other side: asked once, and told of all channels."""
    met = taps_met(case, 1, of_output=of_output) > 0
    return np.broadcast_to(
        met, (*met.shape[:-1], channels) if case.data_format == "channels_last" else (len(met), channels, *met.shape[2:])
    )


def taps_met(case: Case, channels: int, *, of_output: bool) -> Array:
    """How many taps join each element of the output, or else of the input, with the other side; in the case's data format."""
    each = []
    for axis in axes(case):
        of_big = case.transposed == of_output
        along = np.zeros(axis.big if of_big else axis.small, dtype=np.int64)
        for tap in axis.taps():
            along[tap.big if of_big else tap.small] += 1
        each.append(along)
    spatial = reduce(np.multiply.outer, each)
    full = np.broadcast_to(spatial[None, ..., None], (case.batch, *spatial.shape, channels))
    return full if case.data_format == "channels_last" else np.moveaxis(full, -1, 1)


def positions_joined(case: Case) -> Array:
    """How many pairs of positions each tap of the kernel joins in one item of the batch, shape (*kernel_size, 1, 1)."""
    each = []
    for axis in axes(case):
        joined = np.zeros(axis.kernel, dtype=np.int64)
        for tap in axis.taps():
            joined[tap.tap] = len(range(axis.small)[tap.small])
        each.append(joined)
    return np.asarray(reduce(np.multiply.outer, each)[..., None, None])
