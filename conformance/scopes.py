"""How much of a grid a mode is run on. Where every case costs a model, or every layer a C++ compiler, that is less than what was asked for,
and the run says so: here it stands as data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from conformance import grids
from conformance.cases import Case, parse

PREDICTED = 5
"""Samples that ``predict`` is given: several of its batches, the last of them ragged."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of every grid: every so-manieth layer of ``grid``, and the regressions. ``why`` is the reason, for people."""

    grid: str
    why: str
    every: int = 1

    def __str__(self) -> str:
        layers = {1: "", 2: "every second layer of "}.get(self.every, f"every {self.every}th layer of ")
        return f"{layers}grid {self.grid} and the regressions, since {self.why}"


SCOPES: Mapping[tuple[str, str | None], Scope] = {
    ("graph", "torch"): Scope("smoke", "the C++ compiler takes seconds for a layer", every=7),
    ("predict", None): Scope("smoke", "a model is compiled for every case"),
    ("exported", None): Scope("smoke", "a model is exported for every case"),
    ("litert", None): Scope("smoke", "a model is converted for every case"),
    ("onnx", None): Scope("smoke", "a model is converted for every case"),
    ("onnx", "torch"): Scope("smoke", "the conversion takes a second for a case", every=7),
}
"""The costly modes of Keras's layers, on one backend or (None) on all. Any other mode is run on the whole grid."""


def scope(mode: str, backend: str) -> Scope | None:
    """What there is of a mode in every grid, None if all."""
    return SCOPES.get((mode, backend), SCOPES.get((mode, None)))


@lru_cache(maxsize=64)
def cases(grid: str, mode: str, backend: str | None) -> tuple[Case, ...]:
    """The cases of a grid, as they are run in a mode on this backend; on none, for a subject that is not Keras, all of them."""
    part = None if backend is None else scope(mode, backend)
    found: Iterable[Case] = grids.grid(grid)
    if part is not None:
        found = [*_every(part.every, grids.grid(part.grid)), *map(parse, grids.REGRESSIONS)]
    return tuple(dict.fromkeys(as_run(case, mode) for case in found))


def as_run(case: Case, mode: str) -> Case:
    """The case of a grid as a mode runs it: ``predict`` gets `PREDICTED` samples."""
    return replace(case, input_shape=(PREDICTED, *case.input_shape[1:])) if mode == "predict" else case


def _every(step: int, found: Iterable[Case]) -> Iterator[Case]:
    """The cases of every so-manieth layer. Those of one layer stand together, but for some that are refused."""
    layers: dict[Case, int] = {}
    for case in found:
        if layers.setdefault(case.configuration, len(layers)) % step == 0:
            yield case
