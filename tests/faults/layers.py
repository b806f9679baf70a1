"""A right implementation of the layers in replaceable steps, from a formulation of its own: every fault replaces one step of it.

Along each axis, output ``j`` and kernel tap ``t`` meet one input element or nothing; a table of these meeting points says all there is to
say about an axis. The input is gathered through the tables into one row of terms an output element, and the rows are multiplied with the
kernel. A transposed convolution differs in its tables alone; a depthwise one has as many groups as channels; a separable one is a depthwise
one, and its result once more multiplied. Nothing of `reference` is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from conformance.cases import Case
from conformance.probes import Probe
from conformance.subjects import Announced, Observed
from reference.arguments import Array

NOTHING = -1
"""Stands in a table where a tap meets no input element."""


@dataclass(frozen=True, slots=True)
class Side:
    """One axis of a case; the fields have the letters of the equations: input n, kernel k, stride s, dilation d, output padding p."""

    case: Case
    axis: int

    @property
    def other(self) -> Side:
        """The other axis of a layer of two, the next one of three, itself of one."""
        return Side(self.case, (self.axis + 1) % self.case.rank)

    @property
    def same(self) -> bool:
        return self.case.padding == "same"

    @property
    def valid(self) -> bool:
        return self.case.padding == "valid"

    @property
    def n(self) -> int:
        return self.case.size[self.axis]

    @property
    def k(self) -> int:
        return self.case.kernel_size[self.axis]

    @property
    def s(self) -> int:
        return self.case.strides[self.axis]

    @property
    def d(self) -> int:
        return self.case.dilation_rate[self.axis]

    @property
    def p(self) -> int | None:
        return None if self.case.output_padding is None else self.case.output_padding[self.axis]

    @property
    def e(self) -> int:
        """The elements from a kernel's first tap to its last."""
        return self.k * self.d - (self.d - 1)

    @property
    def full(self) -> int:
        """The elements from the first stamp of a transposed convolution to the end of its last."""
        return self.n * self.s - self.s + self.e


class Layers:
    """The layers as they are defined. A fault is a subclass that overrides one method, and says in its docstring what it gets wrong."""

    modes: tuple[str, ...] = ("eager",)
    shape_functions: tuple[str, ...] = ("the function of shapes",)

    def environment(self) -> dict[str, Any]:
        return {"keras": None, "backend": "numpy", "device": "cpu", "versions": {"numpy": np.__version__}, "flags": {}}

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        self.refuse(case)
        kernel, bias = self.weights(case, probe)
        y = self.add_bias(case, self.linear(case, self.channels_last(case, probe.x), kernel, self.pointwise(probe)), bias)
        return self.result(case, self.from_channels_last(case, y))

    def gradients(self, case: Case, probe: Probe, mode: str) -> dict[str, Observed]:
        self.refuse(case)
        x, upstream = self.channels_last(case, probe.x), self.upstream(case, probe)
        tables = [self.table(Side(case, axis)) for axis in range(case.rank)]
        first, inner, of_weights = self.first_stage(case), upstream, {}
        if case.separable:
            of_weights["pointwise_kernel"] = self.pointwise_gradient(case, self.layer(first, x, probe.kernel), upstream)
            inner = self.inner_gradient(case, self.pointwise(probe), upstream)
        of_weights[case.kernel_names[0]] = self.kernel_gradient(first, x, inner, tables)
        if probe.bias is not None:
            of_weights["bias"] = self.bias_gradient(case, upstream)
        of_input = self.from_channels_last(case, self.input_gradient(first, probe.kernel, inner, tables))
        return {
            "input": Observed(of_input, case.compute_dtype),
            **{name: Observed(values, case.variable_dtype) for name, values in of_weights.items()},
        }

    # in other words, and as functions

    def made_and_called(self, case: Case, probe: Probe, mode: str, arguments: Mapping[str, Any], native: bool) -> Observed:
        asked = self.understood(case, arguments)
        x = self.taken(asked, probe.x)
        y = self.forward(replace(asked, input_shape=(len(x), *asked.input_shape[1:])), replace(probe, x=x), mode)
        return Observed(self.activate(arguments.get("activation"), y.values), y.dtype)

    def understood(self, case: Case, arguments: Mapping[str, Any]) -> Case:
        """The case that the arguments of a layer stand for."""
        fields: dict[str, Any] = {name: getattr(case, name) for name in ("layer", "input_shape", "data")}
        fields |= {"padding": "valid", "strides": (1,) * case.rank}
        for name, value in arguments.items():
            if name in ("kernel_size", "strides", "dilation_rate", "output_padding"):
                fields[name] = None if value is None else self.numbers(case, value)
            elif name != "activation":
                fields[name] = self.lower(value) if name == "padding" else value
        if case.depthwise:
            fields["filters"] = case.channels * fields.get("depth_multiplier", 1)
        return Case(**fields)

    def numbers(self, case: Case, value: Any) -> tuple[int, ...]:
        return (value,) * case.rank if isinstance(value, int) else tuple(value)

    def lower(self, padding: str) -> str:
        return padding.lower()

    def taken(self, case: Case, x: Array) -> Array:
        """The input in the type that is computed in."""
        return np.asarray(x, case.compute_dtype)

    def activate(self, name: str | None, y: Array) -> Array:
        if name is None:
            return y
        if name == "softsign":
            return np.asarray(y / (abs(y) + 1))
        return np.asarray(np.minimum(np.where(y < 0, y.dtype.type(0), y), 6 if name == "relu6" else np.inf))

    def op(self, case: Case, probe: Probe, mode: str) -> Observed:
        return self.forward(replace(case, use_bias=False), replace(probe, bias=None), mode)

    def op_output_shape(self, case: Case) -> Announced:
        return self.output_shape(case, case.in_layout(case.input_shape), "the function beside the layer")

    # what is said before there are values

    def output_shape(self, case: Case, input_shape: tuple[int | None, ...], function: str) -> Announced:
        batch, *size = input_shape[:-1] if case.data_format == "channels_last" else (input_shape[0], *input_shape[2:])
        # a side whose size is not known is as long as the window
        spans = [Side(case, axis).e for axis in range(case.rank)]
        some = replace(case, input_shape=(batch or 1, *(n or span for n, span in zip(size, spans, strict=True)), case.channels))
        self.refuse(some)
        told = [self.told(Side(some, axis), n is not None) for axis, n in enumerate(size)]
        return Announced(self.arranged(case, batch, told), case.compute_dtype)

    def told(self, side: Side, known: bool) -> int | None:
        """What is said of one side of the output."""
        return self.told_size(side) if known else None

    def told_size(self, side: Side) -> int:
        """The same, for a side of the input whose size is known."""
        return self.transposed_outputs(side) if side.case.transposed else self.outputs(side)

    def arranged(self, case: Case, batch: int | None, told: list[int | None]) -> tuple[int | None, ...]:
        return (batch, *told, case.filters) if case.data_format == "channels_last" else (batch, case.filters, *told)

    # what is refused

    def refuse(self, case: Case) -> None:
        """Raise for what the layers do not do."""
        if max(case.strides) > 1 and max(case.dilation_rate) > 1 and not (case.depthwise or case.separable):
            raise ValueError("strides together with dilation")
        for axis in range(case.rank):
            self.refuse_side(Side(case, axis))

    def refuse_side(self, side: Side) -> None:
        if side.p is not None and side.p >= side.s:
            raise ValueError("output_padding not below the stride")
        if not side.case.transposed and side.valid and side.e > side.n:
            raise ValueError("the window does not fit")

    # where things lie along one axis

    def table(self, side: Side) -> Array:
        """Which input element each output element meets through each tap, shape (outputs, taps)."""
        return self.transposed_table(side) if side.case.transposed else self.convolution_table(side)

    def convolution_table(self, side: Side) -> Array:
        met = self.starts(side)[:, None] + self.reach(side)
        return np.where((met >= 0) & (met < side.n), met, NOTHING)

    def starts(self, side: Side) -> Array:
        """Where the windows start in the input."""
        return np.arange(self.outputs(side)) * side.s - self.before(side)

    def reach(self, side: Side) -> Array:
        """How far every tap lies from the first."""
        return np.arange(side.k) * side.d

    def outputs(self, side: Side) -> int:
        return len(range(side.e, side.n + 1, side.s)) if side.valid else len(range(0, side.n, side.s))

    def before(self, side: Side) -> int:
        """How far the first window starts in front of the input."""
        if side.case.padding == "causal":
            return self.past(side)
        return self.share(max(self.total(side), 0)) if side.same else 0

    def past(self, side: Side) -> int:
        """How far a causal window reaches back from the element that it stands at."""
        return side.e - 1

    def total(self, side: Side) -> int:
        """How much longer all windows together are than the input."""
        return (self.outputs(side) - 1) * side.s + side.e - side.n

    def share(self, total: int) -> int:
        """The part of a padding, or of a crop, that lies in front."""
        return total // 2

    def transposed_table(self, side: Side) -> Array:
        way = self.kept(side)[:, None] - self.reach(side)  # from the first stamp's start
        met, rest = np.divmod(way, side.s)
        return np.where((rest == 0) & (met >= 0) & (met < side.n), met, NOTHING)

    def kept(self, side: Side) -> Array:
        """The elements of the full length that are the output, in order; there are zeros behind it."""
        return np.arange(self.transposed_outputs(side)) + self.crop(side)

    def transposed_outputs(self, side: Side) -> int:
        if side.same:
            return side.n * side.s if side.p is None else side.full - side.e + side.e % 2 + side.p
        return max(side.full, side.n * side.s) if side.p is None else side.full + side.p

    def crop(self, side: Side) -> int:
        """How many elements of the full length are cut from its front."""
        return self.share(max(side.full - self.transposed_outputs(side), 0)) if side.same else 0

    # what is computed there

    def weights(self, case: Case, probe: Probe) -> tuple[Array, Array | None]:
        return probe.kernel, probe.bias

    def channels_last(self, case: Case, x: Array) -> Array:
        return x if case.data_format == "channels_last" else np.moveaxis(x, 1, -1)

    def linear(self, case: Case, x: Array, kernel: Array, pointwise: Array) -> Array:
        """The result without bias, channels last. Only a separable layer looks at its ``pointwise`` kernel."""
        y = self.layer(self.first_stage(case), x, kernel)
        return self.second_stage(case, y, pointwise) if case.separable else y

    def pointwise(self, probe: Probe) -> Array:
        """The second kernel of a separable layer, of others nothing."""
        return probe.x[:0] if probe.pointwise is None else probe.pointwise

    def first_stage(self, case: Case) -> Case:
        """The depthwise layer that a separable one begins with; every other layer has one stage, itself."""
        if not case.separable:
            return case
        filters = case.channels * case.depth_multiplier
        return replace(case, layer=case.layer.replace("separable", "depthwise"), filters=filters, data="symmetric")

    def second_stage(self, case: Case, y: Array, pointwise: Array) -> Array:
        """All that lies at one place, multiplied with the pointwise kernel."""
        return self.multiply(y, self.as_matrix(case, pointwise))

    def as_matrix(self, case: Case, pointwise: Array) -> Array:
        """The pointwise kernel with a row for each of what the first stage gives, and a column for each filter."""
        return pointwise.reshape(case.channels * case.depth_multiplier, case.filters)

    def groups(self, case: Case) -> int:
        """In how many groups channels are kept apart: in a depthwise layer each on its own."""
        return case.channels if case.depthwise else case.groups

    def in_groups(self, case: Case, kernel: Array) -> Array:
        """The kernel as the groups have it, (*taps, channels of a group, all filters)."""
        if case.transposed:
            return np.swapaxes(kernel, -1, -2)
        return kernel.reshape(*case.kernel_size, 1, case.filters) if case.depthwise else kernel

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        """The result without bias of a layer of one stage, channels last."""
        kernel = self.in_groups(case, kernel)
        tables = [self.table(Side(case, axis)) for axis in range(case.rank)]
        met, strange = self.gather(x, tables), ~np.isfinite(kernel)
        y = self.grouped(case, met, np.where(strange, kernel.dtype.type(0), kernel))
        return self.with_strange_weights(case, y, met, self.gather(np.ones_like(x), tables) != 0, kernel) if strange.any() else y

    def with_strange_weights(self, case: Case, y: Array, met: Array, there: Array, kernel: Array) -> Array:
        """What NaN and Inf in the kernel add: a term for every element that they meet, and nothing where they meet none."""
        for *tap, c, f in np.argwhere(~np.isfinite(kernel)):
            channel = (..., *tap, f // (case.filters // self.groups(case)) * kernel.shape[-2] + c)
            y[..., f] += np.where(there[channel], met[channel] * kernel[*tap, c, f], y.dtype.type(0))
        return y

    def gather(self, x: Array, tables: list[Array]) -> Array:
        """The input as every output element meets it: (batch, *outputs, *taps, channels)."""
        rank = len(tables)
        for axis, table in enumerate(tables):
            x = np.moveaxis(x, axis + 1, -1)
            x = (
                np.where(table == NOTHING, x.dtype.type(0), x[..., table])
                if table.size
                else x[..., :0].reshape(*x.shape[:-1], *table.shape)
            )
            x = np.moveaxis(x, (-2, -1), (axis + 1, -1))
            # the taps of this axis wait at the end until all axes are done
        return np.moveaxis(x, rank + 1, -1)

    def grouped(self, case: Case, met: Array, kernel: Array) -> Array:
        """The groups side by side, each with its own channels and its own filters."""
        results = []
        for xs, ws in self.pairs(self.groups(case), met, kernel):
            terms = prod(ws.shape[:-1])
            rows = xs.reshape(*xs.shape[: case.rank + 1], terms)
            results.append(self.multiply(rows, ws.reshape(terms, ws.shape[-1])))
        return np.concatenate(results, axis=-1)

    def pairs(self, groups: int, met: Array, kernel: Array) -> list[tuple[Array, Array]]:
        """The channels and the filters of each group."""
        return list(zip(np.split(met, groups, axis=-1), np.split(kernel, groups, axis=-1), strict=True))

    def multiply(self, rows: Array, columns: Array) -> Array:
        """``rows @ columns``: (batch, *outputs, terms) with (terms, filters)."""
        return np.asarray(rows @ columns)

    def add_bias(self, case: Case, y: Array, bias: Array | None) -> Array:
        return y if bias is None else y + bias

    def from_channels_last(self, case: Case, y: Array) -> Array:
        return y if case.data_format == "channels_last" else np.moveaxis(y, -1, 1)

    def result(self, case: Case, y: Array) -> Observed:
        return Observed(y, case.compute_dtype)

    # its derivatives, by the same tables: what a term of an output element was made of is what it is differentiated by

    def upstream(self, case: Case, probe: Probe) -> Array:
        """What the elements of the output are weighted with, channels last."""
        given = np.asarray(probe.upstream)
        return given if case.data_format == "channels_last" else np.moveaxis(given, 1, -1)

    def input_gradient(self, case: Case, kernel: Array, upstream: Array, tables: list[Array]) -> Array:
        """Every term's derivative is its kernel element: weighted, and brought back to the input element that it came from."""
        pairs = self.gradient_groups(self.groups(case), upstream, self.in_groups(case, kernel))
        terms = [self.terms(case, ws, gs) for gs, ws in pairs]
        return self.brought_back(case, np.concatenate(terms, axis=-1), self.ways_back(case, tables))

    def gradient_groups(self, groups: int, one: Array, other: Array) -> list[tuple[Array, Array]]:
        """The last axes of both, group by group."""
        return list(zip(np.split(one, groups, axis=-1), np.split(other, groups, axis=-1), strict=True))

    def terms(self, case: Case, kernel: Array, upstream: Array) -> Array:
        """The weighted derivatives of all terms of one group: (batch, *outputs, *taps, channels)."""
        flat = kernel.reshape(-1, kernel.shape[-1]).T
        return np.asarray((upstream @ flat).reshape(*upstream.shape[:-1], *kernel.shape[:-1]))

    def ways_back(self, case: Case, tables: list[Array]) -> list[Array]:
        """For each axis, 1 where an output element meets an input element through a tap, 0 elsewhere: (outputs, taps, inputs)."""
        return [(table[..., None] == np.arange(n)).reshape(*table.shape, n) for table, n in zip(tables, case.size, strict=True)]

    def brought_back(self, case: Case, terms: Array, ways: list[Array]) -> Array:
        """The sums of the terms over outputs and taps, for every input element: (batch, *inputs, channels)."""
        for axis, way in enumerate(ways):
            terms = np.tensordot(terms, way.astype(terms.dtype), axes=([1, 1 + case.rank - axis], [0, 1]))
        return np.moveaxis(terms, 1, -1)

    def kernel_gradient(self, case: Case, x: Array, upstream: Array, tables: list[Array]) -> Array:
        """Every term's derivative is its input element: weighted, and summed over the batch and the outputs."""
        pairs = self.gradient_groups(self.groups(case), self.gather(x, tables), upstream)
        kernel = np.concatenate([self.correlation(case, met, gs) for met, gs in pairs], axis=-1)
        return np.swapaxes(kernel, -1, -2) if case.transposed else kernel.reshape(case.kernel_shape)

    def correlation(self, case: Case, met: Array, upstream: Array) -> Array:
        """The kernel's gradient of one group: (*taps, channels, filters)."""
        taps = met.shape[case.rank + 1 :]
        positions = prod(upstream.shape[:-1])
        return np.asarray(met.reshape(positions, prod(taps)).T @ upstream.reshape(positions, upstream.shape[-1])).reshape(*taps, -1)

    def inner_gradient(self, case: Case, pointwise: Array, upstream: Array) -> Array:
        """What the elements of a separable layer's first stage are weighted with: each is a term of every filter."""
        return np.asarray(upstream @ self.as_matrix(case, pointwise).T)

    def pointwise_gradient(self, case: Case, inner: Array, upstream: Array) -> Array:
        """The pointwise kernel's terms have the first stage's elements for derivatives: weighted, and summed over batch and outputs."""
        positions = prod(upstream.shape[:-1])
        rows = inner.reshape(positions, inner.shape[-1])
        return np.asarray(rows.T @ upstream.reshape(positions, case.filters)).reshape(case.pointwise_shape)

    def bias_gradient(self, case: Case, upstream: Array) -> Array:
        """Each filter's bias is a term of each of its outputs."""
        return np.asarray(upstream.sum(axis=tuple(range(upstream.ndim - 1)), dtype=upstream.dtype))
