"""How a fault is planted: a class that gets one step wrong, its sentence, and the members of its family."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeVar

from conformance.cases import Case
from conformance.outcomes import Outcome
from tests.faults.layers import Layers, Side

S = TypeVar("S", bound=type[Layers])

BOTH_AXES = (0, 1)
BOTH_LAYERS = ("conv2d", "conv2d_transpose")


@dataclass(frozen=True)
class Fault:
    """One wrong implementation."""

    kind: str
    name: str
    sentence: str
    make: Callable[[], Layers] = field(repr=False)
    outcomes: frozenset[Outcome]
    """What cases that it gets wrong may come to. A fault that falls over where it should compute is not the one it claims to be."""

    def __str__(self) -> str:
        return f"{self.kind}-{self.name}"


FAULTS: list[Fault] = []
"""All that were planted by the modules imported so far; `tests.faults.catalogue` imports all of them."""


def planted(kind: str, *outcomes: Outcome, **family: Sequence[Any]) -> Callable[[S], S]:
    """Add a class to the faults, once for every combination of the values of ``family``, which become its attributes."""

    def add(cls: S) -> S:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()
        for values in product(*family.values()):
            member = dict(zip(family, values, strict=True))
            FAULTS.append(
                Fault(
                    kind=kind,
                    name=name + "".join(f"-{value}" for value in member.values()),
                    sentence=" ".join((cls.__doc__ or "").split()),
                    make=lambda member=member: _made(cls, member),  # type: ignore[misc]
                    outcomes=frozenset(outcomes or (Outcome.WRONG_VALUE, Outcome.WRONG_SHAPE)),
                )
            )
        return cls

    return add


def _made(cls: type[Layers], member: dict[str, Any]) -> Layers:
    made = cls()
    for name, value in member.items():
        setattr(made, name, value)
    return made


class OnOneAxis(Layers):
    """A fault of one axis: ``wrong`` is asked on that axis only."""

    axis: int

    def here(self, side: Side) -> bool:
        return side.axis == self.axis

    def has(self, case: Case) -> bool:
        """Whether a layer has such an axis."""
        return self.axis < case.rank


class OfOneLayer(Layers):
    """A fault of one of the layers: the other is right."""

    of: str

    def concerns(self, case: Case) -> bool:
        return case.layer == self.of
