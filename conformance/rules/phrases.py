"""The words: literals and conjunctions of them as English."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from conformance.cases import LAYERS

_COUNTS = ("channels", "filters", "groups")
"""Facts whose names are plurals."""

_NAMES = {
    "size": "input size",
    "effective_kernel": "effective kernel",
    "total_padding": "total padding",
    "windows_per_phase": "windows per phase",
    "windows_cut": "windows, the quotient cut",
    "output": "output size",
    "places": "places of the kernel",
}
DIFFERENCES = {"kernel_minus_stride": ("kernel", "stride"), "kernel_minus_size": ("effective kernel", "input size")}
"""Facts that are a difference, and of what: their sign compares the two."""

_BOOLEANS = {
    "use_bias": ("a bias", "no bias"),
    "output_padding_given": ("output_padding given", "output_padding left to Keras"),
    "strided": ("strides > 1", "no strides > 1"),
    "strides_alike": ("strides alike", "strides unlike"),
    "filters_match_width": ("as many filters as the output is wide", "filters unlike the output's width"),
    "empty": ("an empty result", "a result that is not empty"),
    "refused": ("an error due", "a defined result"),
}
_SYMBOLS = {"==": "", "!=": "other than ", ">=": ">= ", "<=": "<= "}


class Condition(Protocol):
    """What words are found for: a `conformance.rules.literals.Literal`, which asks for its own here."""

    @property
    def scope(self) -> str: ...

    @property
    def fact(self) -> str: ...

    @property
    def operator(self) -> str: ...

    @property
    def value(self) -> Any: ...


def describe(literals: Sequence[Condition], rank: int | None) -> str:
    """A conjunction as English. Axes are called height and width where all cases are of rank 2."""
    layer = next((phrase(each) for each in literals if each.scope == "where" and each.fact == "layer"), "any layer")
    whole = [phrase(each) for each in literals if each.scope == "where" and each.fact != "layer"]
    text = f"{layer} with {_listed(whole)}" if whole else layer
    first, last = ("the height", "the width") if rank == 2 else ("the axis",) * 2 if rank == 1 else ("the first axis", "the last axis")
    parts = [
        f"{who} has {_listed(has)}"
        for scope, who in (("any_axis", "an axis"), ("all_axes", "every axis"), ("first_axis", first), ("last_axis", last))
        if (has := [phrase(each) for each in literals if each.scope == scope])
    ]
    return f"{text} where {_listed(parts, ' and where ')}" if parts else text


def _listed(parts: Sequence[str], last: str = " and ") -> str:
    return last.join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def phrase(literal: Condition) -> str:
    """One literal as English."""
    return _case_phrase(literal) if literal.scope == "where" else _axis_phrase(literal)


def _case_phrase(literal: Condition) -> str:
    fact, value = literal.fact, literal.value
    if fact == "layer":
        return LAYERS[value].keras_name
    if fact in _BOOLEANS:
        return _BOOLEANS[fact][0 if value else 1]
    if fact in ("dtype", "data_format") and literal.operator == "==":
        return str(value)
    return _number_phrase(fact, literal)


def _axis_phrase(literal: Condition) -> str:
    fact, operator, value = literal.fact, literal.operator, literal.value
    if fact in DIFFERENCES:
        big, small = DIFFERENCES[fact]
        if operator in ("even", "odd"):
            return f"{big} - {small} {operator}"
        signs = {("==", 0): "=", ("!=", 0): "!=", (">=", 0): ">=", ("<=", 0): "<=", (">=", 1): ">", ("<=", -1): "<"}
        compared = signs.get((operator, value))
        if compared:
            return f"{big} {compared} {small}"
        return f"{big} - {small} {'=' if operator == '==' else operator} {value}"
    if fact == "size_mod_stride":
        if (operator, value) in (("==", 0), ("<=", 0)):
            return "an input size that is a multiple of the stride"
        if (operator, value) in (("!=", 0), (">=", 1)):
            return "an input size that is no multiple of the stride"
        return f"input size mod stride {operator if value is None or operator != '==' else '='} {'' if value is None else value}".rstrip()
    return _number_phrase(_NAMES.get(fact, fact), literal)


def _number_phrase(name: str, literal: Condition) -> str:
    operator, value = literal.operator, literal.value
    if operator in ("even", "odd"):
        return f"an {operator} {f'number of {name}' if name in _COUNTS else name}"
    if operator in ("none", "given"):
        if name == "output_padding":
            return "output_padding left to Keras" if operator == "none" else "output_padding given"
        return f"{'no' if operator == 'none' else 'a'} defined {name}"
    if operator == ">=" and value in (1, 2):
        return f"{name} > {value - 1}"
    return f"{name} {_SYMBOLS[operator]}{value}"
