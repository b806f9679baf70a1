"""What a convolution may be asked for: names and layouts as in Keras, checked once for every form in this package.

A bad argument is a `ValueError` of one line that says what was wrong and what was expected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference.geometry import CAUSAL, PADDINGS

Array = NDArray[Any]
IntOrInts = int | Sequence[int]

DATA_FORMATS = ("channels_last", "channels_first")


class ConvolutionOptions(TypedDict, total=False):
    """Keras's arguments of a convolution; a single number stands for every axis."""

    strides: IntOrInts
    """By default 1."""
    padding: str
    """``valid``, the default, or ``same``; over one axis also ``causal``."""
    dilation_rate: IntOrInts
    """By default 1."""
    groups: int
    """By default 1."""
    data_format: str
    """``channels_last``, the default, or ``channels_first``."""


class DepthwiseOptions(TypedDict, total=False):
    """Keras's arguments of a depthwise or separable convolution; a single number stands for every axis."""

    strides: IntOrInts
    """By default 1."""
    padding: str
    """``valid``, the default, or ``same``."""
    dilation_rate: IntOrInts
    """By default 1."""
    data_format: str
    """``channels_last``, the default, or ``channels_first``."""


class TransposedOptions(TypedDict, total=False):
    """Keras's arguments of a transposed convolution; a single number stands for every axis."""

    strides: IntOrInts
    """By default 1."""
    padding: str
    """``valid``, the default, or ``same``."""
    output_padding: IntOrInts | None
    """By default None, which is Keras's own choice."""
    dilation_rate: IntOrInts
    """By default 1."""
    data_format: str
    """``channels_last``, the default, or ``channels_first``."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """A checked call, spatial axes in the middle and channels last, whatever ``data_format`` was asked for.

    Shapes: ``x`` (batch, *spatial, channels); ``kernel`` (*kernel_size, channels / groups, filters) for a convolution,
    (*kernel_size, filters, channels) for a transposed one and (*kernel_size, channels, depth_multiplier) for a depthwise one, which has
    channels * depth_multiplier filters; ``bias`` (filters,) or None.
    """

    x: Array
    kernel: Array
    bias: Array | None
    strides: tuple[int, ...]
    padding: str
    dilation_rate: tuple[int, ...]
    output_padding: tuple[int | None, ...]
    groups: int
    filters: int
    data_format: str

    @property
    def batch(self) -> int:
        return int(self.x.shape[0])

    @property
    def size(self) -> tuple[int, ...]:
        """The spatial shape of the input."""
        return self.x.shape[1:-1]

    @property
    def kernel_size(self) -> tuple[int, ...]:
        return self.kernel.shape[:-2]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that products and sums of the operands have."""
        operands = (self.x, self.kernel) if self.bias is None else (self.x, self.kernel, self.bias)
        return np.result_type(*operands)

    def finish(self, y: Array) -> Array:
        """``y + bias`` in the data format that was asked for; ``y`` has its channels last, and is written over if the sum fits in it."""
        if self.bias is not None:
            y = np.add(y, self.bias, out=y if np.result_type(y, self.bias) == y.dtype else None)
        return y if self.data_format == "channels_last" else np.moveaxis(y, -1, 1)


def check_convolution(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None,
    *,
    strides: IntOrInts = 1,
    padding: str = "valid",
    dilation_rate: IntOrInts = 1,
    groups: int = 1,
    data_format: str = "channels_last",
    rank: int | None = None,
) -> Arguments:
    """Check the arguments of a convolution; ``rank`` is the number of spatial axes, by default what the kernel has.

    Raises:
        ValueError: an argument is out of its domain, or two of them contradict each other.
    """
    x, kernel, rank = _operands(x, kernel, data_format, rank, "(*kernel_size, channels / groups, filters)")
    groups = _positive_int("groups", groups)
    channels, filters = x.shape[-1], kernel.shape[-1]
    if channels != kernel.shape[-2] * groups:
        raise ValueError(
            f"the input has {channels} channels, but the kernel {kernel.shape} takes {kernel.shape[-2]}"
            f" in each of {groups} group(s): expected {kernel.shape[-2] * groups}"
        )
    if filters % groups:
        raise ValueError(f"filters must be a multiple of groups, got filters={filters} and groups={groups}")
    return Arguments(
        x=x,
        kernel=kernel,
        bias=_bias(bias, filters),
        strides=_ints("strides", strides, rank),
        padding=_one_of("padding", padding, (*PADDINGS, CAUSAL) if rank == 1 else PADDINGS),
        dilation_rate=_ints("dilation_rate", dilation_rate, rank),
        output_padding=(None,) * rank,
        groups=groups,
        filters=filters,
        data_format=data_format,
    )


def check_depthwise(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None,
    *,
    strides: IntOrInts = 1,
    padding: str = "valid",
    dilation_rate: IntOrInts = 1,
    data_format: str = "channels_last",
    rank: int | None = None,
) -> Arguments:
    """Check the arguments of a depthwise convolution; ``rank`` as in `check_convolution`.

    Raises:
        ValueError: an argument is out of its domain, or two of them contradict each other.
    """
    x, kernel, rank = _operands(x, kernel, data_format, rank, "(*kernel_size, channels, depth_multiplier)")
    channels, multiplier = kernel.shape[-2:]
    if x.shape[-1] != channels:
        raise ValueError(f"the input has {x.shape[-1]} channels, but the kernel {kernel.shape} takes {channels}")
    return Arguments(
        x=x,
        kernel=kernel,
        bias=_bias(bias, channels * multiplier),
        strides=_ints("strides", strides, rank),
        padding=_one_of("padding", padding, PADDINGS),
        dilation_rate=_ints("dilation_rate", dilation_rate, rank),
        output_padding=(None,) * rank,
        groups=channels,
        filters=channels * multiplier,
        data_format=data_format,
    )


def check_pointwise(kernel: ArrayLike, bias: ArrayLike | None, depthwise: Arguments) -> tuple[Array, Array | None]:
    """The second stage of a separable convolution, behind the depthwise one: kernel (channels * depth_multiplier, filters), and bias.

    Raises:
        ValueError: the kernel is not (1, ..., 1, channels * depth_multiplier, filters), or the bias not (filters,).
    """
    kernel = np.asarray(kernel)
    wanted = (*(1,) * len(depthwise.size), depthwise.filters)
    if kernel.shape[:-1] != wanted or not kernel.size:
        raise ValueError(f"the pointwise kernel must have shape ({', '.join(map(str, wanted))}, filters), got {kernel.shape}")
    pointwise = kernel.reshape(depthwise.filters, -1)
    return pointwise, _bias(bias, pointwise.shape[-1])


def check_transposed(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None,
    *,
    strides: IntOrInts = 1,
    padding: str = "valid",
    output_padding: IntOrInts | None = None,
    dilation_rate: IntOrInts = 1,
    data_format: str = "channels_last",
    rank: int | None = None,
) -> Arguments:
    """Check the arguments of a transposed convolution; ``rank`` as in `check_convolution`.

    Raises:
        ValueError: an argument is out of its domain, or two of them contradict each other.
    """
    x, kernel, rank = _operands(x, kernel, data_format, rank, "(*kernel_size, filters, channels)")
    if x.shape[-1] != kernel.shape[-1]:
        raise ValueError(f"the input has {x.shape[-1]} channels, but the kernel {kernel.shape} takes {kernel.shape[-1]}")
    strides = _ints("strides", strides, rank)
    paddings: tuple[int | None, ...] = (None,) * rank
    if output_padding is not None:
        given = _ints("output_padding", output_padding, rank, least=0)
        for p, s in zip(given, strides, strict=True):
            if p >= s:
                raise ValueError(f"output_padding must be less than strides, got {given} for strides {strides}")
        paddings = given
    return Arguments(
        x=x,
        kernel=kernel,
        bias=_bias(bias, kernel.shape[-2]),
        strides=strides,
        padding=_one_of("padding", padding, PADDINGS),
        dilation_rate=_ints("dilation_rate", dilation_rate, rank),
        output_padding=paddings,
        groups=1,
        filters=kernel.shape[-2],
        data_format=data_format,
    )


def _operands(x: ArrayLike, kernel: ArrayLike, data_format: str, rank: int | None, layout: str) -> tuple[Array, Array, int]:
    _one_of("data_format", data_format, DATA_FORMATS)
    x, kernel = np.asarray(x), np.asarray(kernel)
    if rank is None:
        rank = kernel.ndim - 2
    if rank < 1 or kernel.ndim != rank + 2:
        wanted = "at least 3" if rank < 1 else str(rank + 2)
        raise ValueError(f"the kernel must have {wanted} axes {layout}, got shape {kernel.shape}")
    if x.ndim != rank + 2:
        raise ValueError(f"the input must have {rank + 2} axes (batch, {rank} spatial, channels), got shape {x.shape}")
    if data_format == "channels_first":
        x = np.moveaxis(x, 1, -1)
    for name, array in (("input", x), ("kernel", kernel)):
        if 0 in array.shape:
            raise ValueError(f"every size of the {name} must be positive, got shape {array.shape}")
    return x, kernel, rank


def _bias(bias: ArrayLike | None, filters: int) -> Array | None:
    if bias is None:
        return None
    bias = np.asarray(bias)
    if bias.shape != (filters,):
        raise ValueError(f"the bias must have shape ({filters},), one value a filter, got {bias.shape}")
    return bias


def _ints(name: str, value: IntOrInts, rank: int, least: int = 1) -> tuple[int, ...]:
    """``value`` as a tuple of ``rank`` integers, a single one standing for every axis."""
    each: Sequence[Any] = value if isinstance(value, (tuple, list)) else (value,) * rank
    try:
        if any(isinstance(v, bool) for v in each):
            raise TypeError
        numbers = tuple(index(v) for v in each)
    except TypeError:
        raise ValueError(f"{name} must be an integer or {rank} of them, got {value!r}") from None
    if len(numbers) != rank or min(numbers, default=least) < least:
        raise ValueError(f"{name} must be an integer >= {least} or {rank} of them, got {value!r}")
    return numbers


def _positive_int(name: str, value: int) -> int:
    return _ints(name, value, 1)[0]


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    return value
