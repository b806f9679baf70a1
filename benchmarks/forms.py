"""What computes one convolution: the reference's forms, public write-ups, evaluators, and the frameworks' own kernels.

Each form takes a `Shape` and gives a call without arguments: the operands are made, and laid out as the form wants them, beforehand.
All are float64, and their data small integers, so every form must give the very same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

import reference
from reference import definition, depthwise, gradients
from reference.arguments import Array
from reference.geometry import Axis, convolution_axis, transposed_axis

Call = Callable[[], Any]


@dataclass(frozen=True)
class Shape:
    """A square layer with padding ``same``: ``size`` x ``size`` pixels of input, batch 1.

    ``kind`` is ``conv``, ``transposed``, ``depthwise`` (filters = channels), ``gradients`` (of a convolution: input and kernel) or
    ``depthwise gradients``.
    """

    kind: str
    size: int
    channels: int
    filters: int
    kernel: int
    stride: int = 1

    def __str__(self) -> str:
        stride = f" /{self.stride}" if self.stride > 1 else ""
        return f"{self.kind} {self.size}x{self.size}x{self.channels}-{self.filters} {self.kernel}x{self.kernel}{stride}"

    @property
    def axis(self) -> Axis:
        """The geometry along each axis."""
        if self.kind == "transposed":
            return transposed_axis(self.size, self.kernel, self.stride, 1, "same", None)
        return convolution_axis(self.size, self.kernel, self.stride, 1, "same")

    @property
    def flops(self) -> int:
        """Multiplications and additions of the definition: two for each pair of an input and an output that a tap joins."""
        joined: int = sum(tap.small.stop - tap.small.start for tap in self.axis.taps()) ** 2
        pairs = self.channels if self.is_depthwise else self.channels * self.filters
        return 2 * joined * pairs * (2 if self.is_gradients else 1)

    @property
    def is_depthwise(self) -> bool:
        return self.kind.startswith("depthwise")

    @property
    def is_gradients(self) -> bool:
        return self.kind.endswith("gradients")


SHAPES = (
    Shape("conv", 8, 1, 1, 3),
    Shape("conv", 8, 8, 8, 3),
    Shape("conv", 8, 8, 8, 5),
    Shape("conv", 56, 1, 1, 3),
    Shape("conv", 56, 64, 64, 1),
    Shape("conv", 56, 64, 64, 3),
    Shape("conv", 56, 64, 64, 3, 2),
    Shape("conv", 56, 64, 64, 5),
    Shape("conv", 56, 64, 64, 7),
    Shape("conv", 28, 128, 128, 3),
    Shape("conv", 14, 256, 256, 3),
    Shape("conv", 7, 512, 512, 3),
    Shape("conv", 224, 3, 64, 7, 2),
    Shape("conv", 224, 64, 64, 3),
    Shape("conv", 224, 64, 3, 7),
    Shape("transposed", 8, 1, 1, 3, 2),
    Shape("transposed", 8, 8, 8, 3, 2),
    Shape("transposed", 28, 64, 64, 4, 2),
    Shape("transposed", 56, 64, 64, 3),
    Shape("transposed", 112, 64, 3, 7, 2),
    Shape("transposed", 224, 64, 64, 3),
    Shape("depthwise", 56, 64, 64, 3),
    Shape("depthwise", 112, 64, 64, 3),
    Shape("depthwise", 14, 512, 512, 3),
    Shape("gradients", 56, 64, 64, 3),
    Shape("gradients", 224, 64, 64, 3),
    Shape("gradients", 224, 3, 64, 7, 2),
    Shape("gradients", 224, 64, 3, 7),
    Shape("depthwise gradients", 112, 64, 64, 3),
)

LARGE = 1 << 24
"""Multiplications and additions above which loops in Python take minutes."""


@lru_cache(maxsize=2)
def operands(shape: Shape) -> tuple[Array, Array, Array]:
    """Input, kernel in Keras's layout, and, for gradients, the upstream gradient."""
    rng = np.random.default_rng(0)
    kernel_shape = {
        "transposed": (shape.filters, shape.channels),
        "depthwise": (shape.channels, 1),
        "depthwise gradients": (shape.channels, 1),
    }.get(shape.kind, (shape.channels, shape.filters))
    x = rng.integers(-9, 10, (1, shape.size, shape.size, shape.channels)).astype(float)
    kernel = rng.integers(-9, 10, (shape.kernel, shape.kernel, *kernel_shape)).astype(float)
    upstream = rng.integers(-9, 10, (1, shape.axis.small, shape.axis.small, shape.filters)).astype(float)
    return x, kernel, upstream


def limit(shape: Shape) -> Call:
    """The machine's limit: one product of two matrices, 1024 x 1024, nothing else. Its own count of operations is `LIMIT_FLOPS`."""
    a, b = np.random.default_rng(0).random((2, 1024, 1024))
    return lambda: a @ b


LIMIT_FLOPS = 2 * 1024**3


def passes(shape: Shape) -> Call:
    """The limit of NumPy for a depthwise convolution: for every tap one pass that multiplies and adds as many numbers as it joins.

    Nothing here is a matrix product: the numbers of one channel meet a single weight. A pass is as long as a row of the image.
    """
    row, taps = shape.axis.small * shape.channels, shape.kernel**2
    times = 2 if shape.is_gradients else 1
    image = operands(shape)[0].ravel()[: shape.flops // (2 * taps * times) // row * row].reshape(-1, 1, row)
    weights = np.ones((taps, row))
    return lambda: [np.einsum("itn,tn->in", np.broadcast_to(image, (len(image), taps, row)), weights) for _ in range(times)]


def fast(shape: Shape) -> Call:
    """The reference's fast form."""
    x, kernel, upstream = operands(shape)
    if shape.is_gradients:
        of: Any = depthwise.depthwise_conv_gradients if shape.is_depthwise else gradients.conv_gradients
        return lambda: of(x, kernel, upstream, strides=shape.stride, padding="same")[:2]
    form: Any = {"conv": reference.conv2d, "transposed": reference.conv2d_transpose, "depthwise": reference.depthwise_conv}[shape.kind]
    return lambda: form(x, kernel, strides=shape.stride, padding="same")


def loops(shape: Shape) -> Call:
    """The definition, element by element."""
    x, kernel, _ = operands(shape)
    form: Any = definition.conv if shape.kind == "conv" else definition.conv_transpose
    return lambda: form(x, kernel, strides=shape.stride, padding="same")


def write_up(shape: Shape) -> Call:
    """The loops of a public write-up, one channel, of those that are right here."""
    from tests.faults import writeups

    x, kernel, _ = operands(shape)
    form = writeups.article_conv2d if shape.kind == "conv" else writeups.article_conv2d_transpose
    return lambda: form(x[0, ..., 0], kernel[..., 0, 0], (shape.stride, shape.stride), "same")[None, ..., None]


def onnx_reference(shape: Shape) -> Call:
    """ONNX's reference evaluator, in NumPy."""
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    x, kernel, _ = operands(shape)
    attributes: dict[str, Any] = {"auto_pad": "SAME_UPPER", "strides": [shape.stride] * 2, "kernel_shape": [shape.kernel] * 2}
    if shape.kind == "transposed":
        # SAME_UPPER crops the other side for an odd number; the crop is spelled out
        axis = shape.axis
        after = (axis.small - 1) * axis.stride + axis.span - axis.before - axis.big
        attributes = {"pads": [axis.before] * 2 + [after] * 2, "strides": [shape.stride] * 2, "kernel_shape": [shape.kernel] * 2}
        if after < 0:
            attributes |= {"pads": [axis.before] * 2 + [0] * 2, "output_padding": [-after] * 2}
    node = helper.make_node("ConvTranspose" if shape.kind == "transposed" else "Conv", ["x", "w"], ["y"], **attributes)
    tensor = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in "xwy"]
    evaluator: Any = ReferenceEvaluator(helper.make_model(helper.make_graph([node], "g", tensor[:2], tensor[2:])))
    first, weights = _channels_first(x), np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
    return lambda: np.moveaxis(evaluator.run(None, {"x": first, "w": weights})[0], 1, -1)


def scipy_correlate(shape: Shape) -> Call:
    """``scipy.signal.correlate`` of the padded image with each filter, over all channels at once; the stride by slicing."""
    from scipy import signal

    x, kernel, _ = operands(shape)
    axis = shape.axis
    after = max((axis.small - 1) * axis.stride + axis.span - axis.before - axis.big, 0)
    z = np.pad(x[0], [(axis.before, after)] * 2 + [(0, 0)])
    step = slice(None, None, shape.stride)

    def call() -> Array:
        each = [signal.correlate(z, kernel[..., f], "valid", "direct")[step, step, 0] for f in range(shape.filters)]
        return np.stack(each, axis=-1)[None]

    return call


def pytorch(shape: Shape) -> Call:
    """PyTorch's kernel on one thread, in the layout it likes: channels first, and the border spelled out."""
    import torch

    functional = torch.nn.functional
    x, kernel, upstream = operands(shape)
    axis = shape.axis
    after = (axis.small - 1) * axis.stride + axis.span - axis.before - axis.big
    image, weights = torch.from_numpy(_channels_first(x)), torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
    if shape.kind == "transposed":
        # it crops alike on both sides: the front decides, and the back is made up for
        options = {"stride": shape.stride, "padding": axis.before, "output_padding": max(axis.before - after, 0)}
        return lambda: _back(functional.conv_transpose2d(image, weights, **options)[..., : axis.big, : axis.big])
    if shape.is_depthwise:
        weights = torch.from_numpy(np.ascontiguousarray(kernel.transpose(2, 3, 0, 1)))
    groups = shape.channels if shape.is_depthwise else 1
    if after == axis.before:
        padded, border = image, axis.before
    else:
        padded, border = functional.pad(image, [axis.before, max(after, 0)] * 2), 0
    if shape.is_gradients:
        g = torch.from_numpy(_channels_first(upstream))
        both = {"stride": shape.stride, "padding": border, "groups": groups}
        inside = slice(axis.before - border, axis.before - border + axis.big)
        order = (2, 3, 0, 1) if shape.is_depthwise else (2, 3, 1, 0)
        return lambda: (
            _back(torch.nn.grad.conv2d_input(padded.shape, weights, g, **both)[..., inside, inside]),
            torch.nn.grad.conv2d_weight(padded, weights.shape, g, **both).permute(order).numpy(),
        )
    return lambda: _back(functional.conv2d(padded, weights, stride=shape.stride, padding=border, groups=groups))


def tensorflow(shape: Shape) -> Call:
    """TensorFlow's kernel on one thread."""
    import tensorflow as tf

    x, kernel, upstream = (tf.constant(operand) for operand in operands(shape))
    if shape.kind == "transposed":
        output = (1, shape.axis.big, shape.axis.big, shape.filters)
        return lambda: tf.nn.conv2d_transpose(x, kernel, output, shape.stride, "SAME").numpy()
    if shape.kind == "depthwise":
        return lambda: tf.nn.depthwise_conv2d(x, kernel, [1, shape.stride, shape.stride, 1], "SAME").numpy()
    if shape.is_gradients:
        options: dict[str, Any] = {"out_backprop": upstream, "strides": [1, shape.stride, shape.stride, 1], "padding": "SAME"}
        of_input, of_kernel = (
            (tf.raw_ops.DepthwiseConv2dNativeBackpropInput, tf.raw_ops.DepthwiseConv2dNativeBackpropFilter)
            if shape.is_depthwise
            else (tf.raw_ops.Conv2DBackpropInput, tf.raw_ops.Conv2DBackpropFilter)
        )
        return lambda: (
            of_input(input_sizes=x.shape, filter=kernel, **options).numpy(),
            of_kernel(input=x, filter_sizes=kernel.shape, **options).numpy(),
        )
    return lambda: tf.nn.conv2d(x, kernel, shape.stride, "SAME").numpy()


def _channels_first(x: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def _back(y: Any) -> Array:
    return np.moveaxis(y.numpy(), 1, -1)


@dataclass(frozen=True)
class Form:
    """A form by name: the package it needs besides NumPy, and the shapes it is measured on."""

    make: Callable[[Shape], Call]
    package: str
    serves: Callable[[Shape], bool]

    @property
    def installed(self) -> bool:
        return find_spec(self.package) is not None


FORMS = {
    "limit": Form(limit, "numpy", lambda s: not s.is_depthwise),
    "passes": Form(passes, "numpy", lambda s: s.is_depthwise),
    "reference": Form(fast, "numpy", lambda s: True),
    "definition": Form(loops, "numpy", lambda s: s.kind in ("conv", "transposed") and s.flops < LARGE and s.size == 8),
    "write-up": Form(write_up, "numpy", lambda s: s.channels == s.filters == 1 and s.stride == 1),
    "onnx reference": Form(onnx_reference, "onnx", lambda s: s.kind in ("conv", "transposed") and s.flops < 2 * LARGE),
    "scipy correlate": Form(scipy_correlate, "scipy", lambda s: s.kind == "conv" and s.flops < 2 * LARGE),
    "pytorch": Form(pytorch, "torch", lambda s: True),
    "tensorflow": Form(tensorflow, "tensorflow", lambda s: True),
}


def pairs() -> list[tuple[Shape, str]]:
    """All that is measured: of every shape the forms that serve it and are installed, side by side in time."""
    return [(shape, name) for shape in SHAPES for name, form in FORMS.items() if form.installed and form.serves(shape)]


LIMITS = ("limit", "passes")
"""What the others are held against: one of them is measured beside every shape."""


def products(shape: Shape, name: str) -> int:
    """The operations that a form's time is held against."""
    return LIMIT_FLOPS if name == "limit" else shape.flops
