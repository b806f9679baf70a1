"""The forms in which a user may write one and the same thing: arguments of a layer, and the input that it is called on.

A case is checked in one form (claim ``arguments``): of those that fit it, the one that its name chooses, see `conformance.spread`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.cases import Case
from conformance.contract import error_due
from conformance.spread import part
from reference.arguments import Array

Arguments = Mapping[str, Any]


def _everywhere(case: Case) -> bool:
    return True


def _as_it_is(operand: Array) -> Array:
    return operand


@dataclass(frozen=True, slots=True)
class Form:
    """One way of asking for a case: what is done to the layer's arguments, to the input, and what becomes of the defined result thereby."""

    name: str
    arguments: Callable[[Case], Arguments] = Case.layer_arguments
    """By Keras's names, all that the layer is made with."""
    operand: Callable[[Array], Array] = _as_it_is
    """The input as it is handed over."""
    native: bool = False
    """The input is handed over as a tensor of the framework's own."""
    of_result: Callable[[Array], Array] = _as_it_is
    """What is defined, from the defined linear result in the case's type."""
    fits: Callable[[Case], bool] = _everywhere


# arguments of the layer


def lists(case: Case) -> Arguments:
    """Every tuple as a list."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in case.layer_arguments().items()}


def integers(case: Case) -> Arguments:
    """Every tuple that has the same number for all axes as that number."""
    return {name: value[0] if _alike(value) else value for name, value in case.layer_arguments().items()}


def _alike(value: Any) -> bool:
    return isinstance(value, tuple) and len(set(value)) == 1


def spelled_out(case: Case) -> Arguments:
    """Every default given, those of numbers as an integer."""
    defaults: dict[str, Any] = {"strides": 1, "padding": "valid", "dilation_rate": 1, "use_bias": True, "activation": None}
    if case.transposed:
        defaults["output_padding"] = None
    elif not case.depthwise and not case.separable:
        defaults["groups"] = 1
    return {**defaults, **case.layer_arguments()}


def upper_case(case: Case) -> Arguments:
    """The padding in capital letters."""
    return {**case.layer_arguments(), "padding": case.padding.upper()}


def activated(name: str) -> Callable[[Case], Arguments]:
    """An activation fused by the layer."""
    return lambda case: {**case.layer_arguments(), "activation": name}


# what activations are defined to make of the linear result, which on exact data is not rounded; each operation rounds once, and correctly


def relu(y: Array) -> Array:
    """``max(y, 0)``."""
    return np.maximum(y, 0)


def relu6(y: Array) -> Array:
    """``min(max(y, 0), 6)``."""
    return np.clip(y, 0, 6)


def softsign(y: Array) -> Array:
    """``y / (1 + |y|)``: at most one rounding in the sum, and one in the quotient."""
    return np.asarray(y / (1 + np.abs(y)))


# the input: the same numbers, otherwise laid out


def read_only(x: Array) -> Array:
    """An array that must not be written to."""
    x = x.copy()
    x.flags.writeable = False
    return x


def strided(x: Array) -> Array:
    """Every second element, along every axis, of an array whose others are 99."""
    buffer = np.full([2 * n for n in x.shape], 99, x.dtype)
    view = buffer[tuple(slice(1, None, 2) for _ in x.shape)]
    view[...] = x
    return view


def backwards(x: Array) -> Array:
    """A view with negative strides."""
    whole = tuple(slice(None, None, -1) for _ in x.shape)
    return np.ascontiguousarray(x[whole])[whole]


def broadcast(x: Array) -> Array:
    """The first item twice, as a view in which both are the same memory: a stride of 0."""
    return np.broadcast_to(x[:1], (2, *x.shape[1:]))


def in_type(name: str) -> Callable[[Array], Array]:
    """The same numbers, all of which the type has."""
    return lambda x: x.astype(name)


def _square(case: Case) -> bool:
    """Every argument is alike on all axes."""
    return all(map(_alike, (case.kernel_size, case.strides, case.dilation_rate, case.output_padding or (0,))))


def _in_float32(case: Case) -> bool:
    return case.dtype == "float32"


def _defined_in_float32(case: Case) -> bool:
    """Where an error is due, one about the type of the input would pass for it."""
    return _in_float32(case) and error_due(case) is None


def _exact_division(case: Case) -> bool:
    """Smaller types are divided in larger ones by some, and not by others."""
    return case.dtype in ("float32", "float64")


FORMS = (
    Form("lists", lists),
    Form("integers", integers, fits=_square),
    Form("spelled_out", spelled_out),
    Form("upper_case", upper_case),
    Form("relu", activated("relu"), of_result=relu),
    Form("relu6", activated("relu6"), of_result=relu6),
    Form("softsign", activated("softsign"), of_result=softsign, fits=_exact_division),
    Form("read_only", operand=read_only),
    Form("fortran", operand=np.asfortranarray),
    Form("strided", operand=strided),
    Form("backwards", operand=backwards),
    Form("broadcast", operand=broadcast, of_result=broadcast),
    Form("native", native=True),
    Form("float64", operand=in_type("float64"), fits=_in_float32),
    Form("native_float64", operand=in_type("float64"), native=True, fits=_in_float32),
    Form("int32", operand=in_type("int32"), fits=_defined_in_float32),
)
"""All forms. That a bias is left out is no form but a field of every case."""


_INTEGERS = next(one for one in FORMS if one.name == "integers")


def form(case: Case) -> Form:
    """The form that a case is checked in: numbers for tuples wherever that is possible, which is seldom, else the one its name chooses."""
    if _INTEGERS.fits(case):
        return _INTEGERS
    fitting = [one for one in FORMS if one.fits(case)]
    return fitting[part(case, len(fitting), "form")]
