"""The geometries of the standard grid, each once: what a convolution is along its axes, without channels, batch or data."""

from __future__ import annotations

import zlib
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from conformance.cases import Case
from conformance.contract import axes
from conformance.grids import grid
from reference.arguments import Array


class Geometry(NamedTuple):
    """The spatial arguments of one call. ``error`` is the message due for a valid window larger than its input, else None."""

    transposed: bool
    padding: str
    size: tuple[int, ...]
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation_rate: tuple[int, ...]
    output_padding: tuple[int, ...] | None
    error: str | None

    def options(self) -> dict[str, Any]:
        """The keyword arguments of the call."""
        options = {"strides": self.strides, "padding": self.padding, "dilation_rate": self.dilation_rate}
        return {**options, "output_padding": self.output_padding} if self.transposed else options

    def operands(self, channels: int = 2, filters: int = 3, batch: int = 1) -> tuple[Array, Array]:
        """Input and kernel of nonzero integers, always the same ones for the same geometry."""
        rng = np.random.default_rng(zlib.crc32(repr(self).encode()))
        inner = (filters, channels) if self.transposed else (channels, filters)
        return integers(rng, (batch, *self.size, channels)), integers(rng, (*self.kernel_size, *inner))


def integers(rng: np.random.Generator, shape: tuple[int, ...], largest: int = 9) -> Array:
    """Random integers from -largest to largest, none of them zero: a zero would hide a lost product."""
    values: Array = rng.integers(1, largest + 1, shape) * rng.choice((-1, 1), shape)
    return values


@cache
def geometries(name: str, transposed: bool) -> tuple[Geometry, ...]:
    """Every geometry of Conv2D, or of Conv2DTranspose, in the named grid that the reference defines or refuses for its window.

    Strides together with dilation, which Keras alone refuses, are among them: they have a meaning. An output padding not below its stride
    has none; that every form refuses it is told by the tests of arguments.
    """
    found: dict[Geometry, None] = {}
    for case in of_layer(name, transposed):
        if any(p >= s for p, s in zip(case.output_padding or (), case.strides, strict=False)):
            continue
        error = None
        try:
            axes(case)
        except ValueError as due:
            error = str(due)
        geometry = Geometry(
            transposed, case.padding, case.size, case.kernel_size, case.strides, case.dilation_rate, case.output_padding, error
        )
        found[geometry] = None
    return tuple(found)


def of_layer(name: str, transposed: bool) -> list[Case]:
    """The cases of the named grid that are the plain layer of two axes."""
    layer = "conv2d_transpose" if transposed else "conv2d"
    return [case for case in grid(name) if case.layer == layer]


@cache
def counts(name: str, transposed: bool) -> tuple[int, int]:
    """How many geometries have a result, and how many are refused for a window larger than its input, counted from the cases."""
    paddings = [(c, c.output_padding or (0,) * c.rank) for c in of_layer(name, transposed)]
    seen = {
        (c.padding, c.size, c.kernel_size, c.strides, c.dilation_rate, c.output_padding): c.padding == "valid"
        and not transposed
        and any(n <= (k - 1) * d for n, k, d in zip(c.size, c.kernel_size, c.dilation_rate, strict=True))
        for c, output_padding in paddings
        if all(p < s for p, s in zip(output_padding, c.strides, strict=True))
    }
    refused = sum(seen.values())
    return len(seen) - refused, refused
