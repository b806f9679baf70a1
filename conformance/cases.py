"""A `Case`: one configuration of one layer. Its id is its name, its pytest id and its repro: ``parse(str(case)) == case``.

An id is a layer, a padding, the parts every case has, and the parts that differ from their default::

    conv2d_transpose - same - in2x5x7x3 - k3x2 - f4 - s2x1[-d1x2][-op1x0][-g2][-m2][-float16][-channels_first][-nobias][-wide_input]

``in`` is (batch, *spatial, channels), whatever the data format; ``f`` the filters; ``k``, ``s``, ``d`` and ``op`` have one number an
axis; ``m`` is the depth multiplier of depthwise and separable layers. A depthwise layer has no ``f``: its filters are channels times
``m``. Optional parts may come in any order and are printed in the order above.

A last part such as ``strides=zero`` or ``strides=zero@symbolic`` gives the layer something that it must refuse (`conformance.misuses`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from conformance import misuses

Size = TypeVar("Size", int, int | None)
"""Of a shape that is known, or of one that may not be."""

PADDINGS = ("valid", "same", "causal")
DTYPES = ("float32", "float64", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16")
"""What Keras's ``dtype`` argument may be here: a type, or a policy that computes in one type and keeps its variables in another."""
DATA_FORMATS = ("channels_last", "channels_first")
DATA = ("symmetric", "wide_input", "wide_kernel", "wide_pointwise")
"""How exact data share their amplitude between input and kernel, or both kernels of a separable layer (see `conformance.probes`)."""


class Layer(NamedTuple):
    """What a layer name stands for: the Keras class, its number of spatial axes, and what it does along them."""

    keras_name: str
    rank: int
    transposed: bool = False
    """It runs the other way, from the small side to the big one, and has an output padding."""
    depthwise: bool = False
    """Every channel on its own, each with ``depth_multiplier`` kernels, which are all its filters."""
    separable: bool = False
    """A depthwise stage and behind it a pointwise one, with a kernel of its own."""

    @property
    def plain(self) -> bool:
        """A convolution in the narrow sense, which may have groups."""
        return not (self.transposed or self.depthwise or self.separable)

    @property
    def multiplied(self) -> bool:
        """There is a depth multiplier."""
        return self.depthwise or self.separable

    @property
    def paddings(self) -> tuple[str, ...]:
        """The values of `PADDINGS` that the layer has."""
        return PADDINGS if self.plain and self.rank == 1 else PADDINGS[:2]

    @property
    def data(self) -> tuple[str, ...]:
        """The values of `DATA` that make sense for the layer."""
        return DATA if self.separable else DATA[:3]


LAYERS = {
    "conv1d": Layer("Conv1D", 1),
    "conv2d": Layer("Conv2D", 2),
    "conv3d": Layer("Conv3D", 3),
    "conv1d_transpose": Layer("Conv1DTranspose", 1, transposed=True),
    "conv2d_transpose": Layer("Conv2DTranspose", 2, transposed=True),
    "conv3d_transpose": Layer("Conv3DTranspose", 3, transposed=True),
    "depthwise_conv1d": Layer("DepthwiseConv1D", 1, depthwise=True),
    "depthwise_conv2d": Layer("DepthwiseConv2D", 2, depthwise=True),
    "separable_conv1d": Layer("SeparableConv1D", 1, separable=True),
    "separable_conv2d": Layer("SeparableConv2D", 2, separable=True),
}


class CaseError(ValueError):
    """An id that cannot be read, or fields that make no case; the message is one line."""


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One configuration of one layer, as a user would write it, and the data family it is run with.

    ``input_shape`` is (batch, *spatial, channels) in this order for both data formats. The ``filters`` of a depthwise layer are channels
    times ``depth_multiplier``.
    A case may be one that Keras must refuse (see `conformance.contract`): those are run to see the error. ``misuse`` is what is wrong with
    one that is sound otherwise, empty if nothing is.
    """

    layer: str
    padding: str
    input_shape: tuple[int, ...]
    kernel_size: tuple[int, ...]
    filters: int
    strides: tuple[int, ...]
    dilation_rate: tuple[int, ...] = ()
    output_padding: tuple[int, ...] | None = None
    groups: int = 1
    dtype: str = "float32"
    data_format: str = "channels_last"
    use_bias: bool = True
    data: str = "symmetric"
    depth_multiplier: int = 1
    misuse: str = ""

    def __post_init__(self) -> None:
        if self.layer not in LAYERS:
            raise CaseError(f"unknown layer {self.layer!r}: expected one of {', '.join(LAYERS)}")
        rank = self.rank
        if not self.dilation_rate:
            object.__setattr__(self, "dilation_rate", (1,) * rank)
        _check("in", self.input_shape, rank + 2, least=1)
        _check("k", self.kernel_size, rank, least=1)
        _check("f", (self.filters,), 1, least=1)
        _check("s", self.strides, rank, least=1)
        _check("d", self.dilation_rate, rank, least=1)
        _check("g", (self.groups,), 1, least=1)
        _check("m", (self.depth_multiplier,), 1, least=1)
        if self.output_padding is not None:
            _check("op", self.output_padding, rank, least=0)
            if not self.transposed:
                raise CaseError(f"op is for transposed layers: {self.layer} has no output_padding")
        kind = LAYERS[self.layer]
        if self.groups != 1 and not kind.plain:
            raise CaseError(f"g is not for transposed, depthwise and separable layers: {self.layer} has no groups")
        if self.depth_multiplier != 1 and not kind.multiplied:
            raise CaseError(f"m is for depthwise and separable layers: {self.layer} has no depth_multiplier")
        if kind.depthwise and self.filters != self.channels * self.depth_multiplier:
            wanted = self.channels * self.depth_multiplier
            raise CaseError(f"the filters of {self.layer} are channels times depth_multiplier, {wanted}, got {self.filters}")
        if self.channels % self.groups or self.filters % self.groups:
            raise CaseError(
                f"g must divide channels and filters, got g{self.groups} for {self.channels} channels and {self.filters} filters"
            )
        for name, value, allowed in (
            ("padding", self.padding, kind.paddings),
            ("dtype", self.dtype, DTYPES),
            ("data_format", self.data_format, DATA_FORMATS),
            ("data", self.data, kind.data),
        ):
            if value not in allowed:
                raise CaseError(f"unknown {name} {value!r}: expected one of {', '.join(allowed)}")
        if self.misuse:
            try:
                misuses.find(self.layer, self.misuse)
            except KeyError:
                raise CaseError(f"unknown misuse {self.misuse!r} of {self.layer}: see conformance.misuses") from None

    @property
    def keras_name(self) -> str:
        return LAYERS[self.layer].keras_name

    @property
    def rank(self) -> int:
        return LAYERS[self.layer].rank

    @property
    def transposed(self) -> bool:
        return LAYERS[self.layer].transposed

    @property
    def depthwise(self) -> bool:
        return LAYERS[self.layer].depthwise

    @property
    def separable(self) -> bool:
        return LAYERS[self.layer].separable

    @property
    def batch(self) -> int:
        return self.input_shape[0]

    @property
    def size(self) -> tuple[int, ...]:
        """The spatial shape of the input."""
        return self.input_shape[1:-1]

    @property
    def channels(self) -> int:
        return self.input_shape[-1]

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """The shape of the layer's kernel as Keras has it; of a separable layer, that of the depthwise kernel."""
        if self.transposed:
            return (*self.kernel_size, self.filters, self.channels)
        if self.depthwise or self.separable:
            return (*self.kernel_size, self.channels, self.depth_multiplier)
        return (*self.kernel_size, self.channels // self.groups, self.filters)

    @property
    def kernel_names(self) -> tuple[str, ...]:
        """What Keras calls the layer's kernels, in the order of its weights; the bias, if there is one, comes behind them."""
        return ("depthwise_kernel", "pointwise_kernel") if self.separable else ("kernel",)

    @property
    def pointwise_shape(self) -> tuple[int, ...]:
        """The shape of a separable layer's pointwise kernel as Keras has it."""
        return (*(1,) * self.rank, self.channels * self.depth_multiplier, self.filters)

    @property
    def compute_dtype(self) -> str:
        """The type that the layer computes in, which is the type of its result: of a mixed policy the one in its name."""
        return self.dtype.removeprefix("mixed_")

    @property
    def variable_dtype(self) -> str:
        """The type of the layer's weights, and so of their gradients: float32 under a mixed policy."""
        return self.dtype if self.dtype == self.compute_dtype else "float32"

    def in_layout(self, shape: tuple[Size, ...]) -> tuple[Size, ...]:
        """``shape``, given with its channels last, in the data format of this case."""
        return shape if self.data_format == "channels_last" else shape[:1] + shape[-1:] + shape[1:-1]

    @property
    def configuration(self) -> Case:
        """This case with a batch of one and one element an axis: what the cases that can share a layer have in common."""
        return replace(self, input_shape=(*(1,) * (self.rank + 1), self.channels))

    def layer_arguments(self) -> dict[str, Any]:
        """The arguments of the Keras layer, by Keras's names, those at Keras's defaults left out."""
        arguments: dict[str, Any] = {} if self.depthwise else {"filters": self.filters}
        arguments["kernel_size"] = self.kernel_size
        for name, value, default in (
            ("strides", self.strides, (1,) * self.rank),
            ("padding", self.padding, "valid"),
            ("output_padding", self.output_padding, None),
            ("dilation_rate", self.dilation_rate, (1,) * self.rank),
            ("groups", self.groups, 1),
            ("depth_multiplier", self.depth_multiplier, 1),
            ("use_bias", self.use_bias, True),
            ("dtype", self.dtype, "float32"),
        ):
            if value != default:
                arguments[name] = value
        # always said: a user's keras.json may have another default
        return {**arguments, "data_format": self.data_format}

    def __str__(self) -> str:
        parts = [
            self.layer,
            self.padding,
            f"in{_join(self.input_shape)}",
            f"k{_join(self.kernel_size)}",
            *([] if self.depthwise else [f"f{self.filters}"]),
            f"s{_join(self.strides)}",
        ]
        if any(d != 1 for d in self.dilation_rate):
            parts.append(f"d{_join(self.dilation_rate)}")
        if self.output_padding is not None:
            parts.append(f"op{_join(self.output_padding)}")
        if self.groups != 1:
            parts.append(f"g{self.groups}")
        if self.depth_multiplier != 1:
            parts.append(f"m{self.depth_multiplier}")
        for value, default in (
            (self.dtype, DTYPES[0]),
            (self.data_format, DATA_FORMATS[0]),
            ("bias" if self.use_bias else "nobias", "bias"),
            (self.data, DATA[0]),
        ):
            if value != default:
                parts.append(value)
        return "-".join([*parts, self.misuse] if self.misuse else parts)


Key = tuple[Case, str, str]
"""What a result is about: a case, the mode it ran in, and the claim it was held to."""


def parse(text: str) -> Case:
    """The case with this id.

    Raises:
        CaseError: one line that says which part could not be read, or why the parts make no case.
    """
    words = text.strip().split("-")
    if words[0] not in LAYERS:
        raise CaseError(f"cannot read {words[0]!r} in case id {text!r}: expected a layer ({', '.join(LAYERS)})")
    paddings = LAYERS[words[0]].paddings
    if len(words) < 2 or words[1] not in paddings:
        got = repr(words[1]) if len(words) > 1 else "its end"
        raise CaseError(f"cannot read {got} in case id {text!r}: expected a padding ({', '.join(paddings)})")
    fields: dict[str, Any] = {}
    for word in words[2:]:
        name, value = _read(word, text)
        if name in fields:
            raise CaseError(f"cannot read {word!r} in case id {text!r}: {name} is already given")
        fields[name] = value
    if LAYERS[words[0]].depthwise:
        if "filters" in fields:
            raise CaseError(f"case id {text!r}: f is not for depthwise layers, whose filters are channels times m")
        fields["filters"] = fields.get("input_shape", (0,))[-1] * fields.get("depth_multiplier", 1)
    for prefix, name in _NEEDED.items():
        if name not in fields:
            raise CaseError(f"case id {text!r} lacks its part {prefix!r} ({name})")
    try:
        return Case(layer=words[0], padding=words[1], **fields)
    except CaseError as error:
        raise CaseError(f"case id {text!r}: {error}") from None


_NEEDED = {"in": "input_shape", "k": "kernel_size", "f": "filters", "s": "strides"}
_NUMBERED: dict[str, tuple[str, Callable[[tuple[int, ...]], Any]]] = {
    "in": ("input_shape", tuple),
    "k": ("kernel_size", tuple),
    "s": ("strides", tuple),
    "d": ("dilation_rate", tuple),
    "op": ("output_padding", tuple),
    "f": ("filters", lambda numbers: numbers[0]),
    "g": ("groups", lambda numbers: numbers[0]),
    "m": ("depth_multiplier", lambda numbers: numbers[0]),
}
_SINGLE = {"f", "g", "m"}
_WORDS: dict[str, tuple[str, Any]] = {
    **{word: ("dtype", word) for word in DTYPES},
    **{word: ("data_format", word) for word in DATA_FORMATS},
    **{word: ("data", word) for word in DATA},
    "nobias": ("use_bias", False),
    "bias": ("use_bias", True),
}
# at most 9 digits: a size that large is refused anyway, and no id can make a number that takes long to read
_PART = re.compile(r"([a-z]+)(0|[1-9][0-9]{0,8})((?:x(?:0|[1-9][0-9]{0,8}))*)")


def _read(word: str, text: str) -> tuple[str, Any]:
    """The field and the value that one part of an id stands for."""
    if word in _WORDS:
        return _WORDS[word]
    if "=" in word:
        return "misuse", word
    match = _PART.fullmatch(word)
    if match is None or match[1] not in _NUMBERED:
        expected = ", ".join([f"{prefix}<numbers>" for prefix in _NUMBERED] + list(_WORDS))
        raise CaseError(f"cannot read {word!r} in case id {text!r}: expected one of {expected}")
    numbers = tuple(int(number) for number in (match[2] + match[3]).split("x"))
    if match[1] in _SINGLE and len(numbers) != 1:
        raise CaseError(f"cannot read {word!r} in case id {text!r}: expected one number")
    name, convert = _NUMBERED[match[1]]
    return name, convert(numbers)


def _check(part: str, numbers: tuple[int, ...], length: int, least: int) -> None:
    if len(numbers) != length:
        raise CaseError(f"{part} needs {length} number(s), got {part}{_join(numbers)}")
    if min(numbers) < least:
        raise CaseError(f"every number of {part} must be at least {least}, got {part}{_join(numbers)}")


def _join(numbers: tuple[int, ...]) -> str:
    return "x".join(map(str, numbers))
