"""What is done to see a misuse refused: the arguments of the layer, the inputs that it meets, and how."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from conformance import misuses
from conformance.cases import Case
from conformance.contract import Shape, output_shape
from conformance.misuses import Due, Misuse


class Attempt(NamedTuple):
    """One attempt at a layer: ``shapes`` are those of the inputs that it meets one after the other, the last of them the wrong one."""

    misuse: Misuse
    route: str
    arguments: dict[str, Any]
    shapes: tuple[Shape, ...]
    defined: Shape | None
    """The shape of the result, where the misuse is odd but has one."""


def of(case: Case) -> Attempt:
    """The attempt that a case with a misuse stands for."""
    misuse, route = misuses.find(case.layer, case.misuse)
    sound: Shape = case.in_layout(case.input_shape)
    wrong = sound if misuse.shape is None else _shape(case, misuse.shape)
    defined = _defined(case, misuse, wrong) if misuse.due == Due.DEFINED else None
    shapes = (sound, wrong) if misuse.built else (wrong,)
    return Attempt(misuse, route, {**case.layer_arguments(), **misuse.arguments}, shapes, defined)


def _defined(case: Case, misuse: Misuse, wrong: Shape) -> Shape | None:
    """The shape of the result, none where there is none after all, as of a valid window that is larger than its input."""
    if misuse.argument == "input":  # nothing along the batch or the channels
        return (wrong[0], *output_shape(case)[1:])
    per_axis: dict[str, Any] = {name: value if name == "filters" else (value,) * case.rank for name, value in misuse.arguments.items()}
    try:
        return output_shape(replace(case, misuse="", **per_axis))
    except ValueError:
        return None


def _shape(case: Case, described: tuple[str | int | None, ...]) -> Shape:
    of = {"batch": case.batch, "height": case.size[0], "width": case.size[-1], "channels": case.channels}
    shape = tuple(of[size] if isinstance(size, str) else size for size in described)
    return case.in_layout(shape) if len(shape) == case.rank + 2 else shape
