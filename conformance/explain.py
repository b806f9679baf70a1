"""``python -m conformance explain CASE-ID [-o FILE.png|.svg]``: what one configuration computes, in numbers and in a picture.

Shown are one batch item, one channel and one filter, on small numbers: the others do the same and add up, or, in a depthwise layer and
the first stage of a separable one, stand beside it. The text gives sizes, padding or
crop, and one output element as the sum that it is; the picture also C and C.T, and how many stamps lie on each element.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

import reference
from conformance.cases import Case, CaseError, parse
from conformance.commands import CommandError, write
from conformance.contract import axes, error_due
from reference import checkerboard, convolution_matrix, overlap_add, zero_insertion
from reference.arguments import Array
from reference.geometry import Axis, convolution_padding, effective_kernel, transposed_crop

SUMMARY = "what one case computes: sizes, padding or crop, and one output element as a sum; drawn with -o"

MOST_ELEMENTS = 2**20
"""Of input, kernel and output together, and of C: more takes too long to explain."""
MOST_DRAWN = 256
"""Elements of the input, and of the output, up to which C can still be seen in a picture."""
MOST_TERMS = 25
FORMATS = (".png", ".svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The case, and where to draw it."""
    parser.add_argument("case", metavar="CASE-ID", help="for instance conv2d-valid-in1x4x4x1-k3x3-f1-s1x1")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="draw it, as .png or .svg")


def run(arguments: argparse.Namespace) -> int:
    """Print the text, and draw the picture if one is asked for.

    Raises:
        CommandError: the id is wrong, the case has no result or is too large, or it cannot be drawn.
    """
    explanation = explain(arguments.case)
    if arguments.output is not None:
        draw(explanation, arguments.output)
    sys.stdout.write(text(explanation))
    return 0


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """One case on small numbers: a batch of one, one channel, one filter. All arrays have the spatial axes alone.

    ``x`` counts up from 1, row by row, and ``kernel`` too, both starting again after 9.
    """

    case: Case
    axes: tuple[Axis, ...]
    x: Array
    kernel: Array
    y: Array
    element: tuple[int, ...]
    """The output element whose arithmetic is shown: the one in the middle of those with the most terms."""

    @property
    def edges(self) -> list[tuple[int, int]]:
        """Zeros put before and after the input of a convolution; elements cut from the full output of a transposed one, negative for
        zeros appended.
        """
        case = self.case
        each = zip(case.size, case.kernel_size, case.strides, case.dilation_rate, strict=True)
        if case.transposed:
            given = case.output_padding or (None,) * case.rank
            return [transposed_crop(n, k, s, d, case.padding, p) for (n, k, s, d), p in zip(each, given, strict=True)]
        return [convolution_padding(n, k, s, d, case.padding) for n, k, s, d in each]

    @property
    def before_the_crop(self) -> Array:
        """All that a transposed convolution stamps, nothing cropped and nothing appended."""
        x, kernel = self.x[None, ..., None], self.kernel[..., None, None]
        return overlap_add.stamp(x, kernel, self.case.strides, self.case.dilation_rate)[0, ..., 0]

    @property
    def padded(self) -> Array:
        """The input of a convolution with the zeros around it."""
        return zero_insertion.surround(self.x[None, ..., None], self.edges)[0, ..., 0]

    @property
    def matrix(self) -> Array:
        """C of the convolution: (elements of the small side, elements of the big side)."""
        options: dict[str, Any] = {"strides": self.case.strides, "padding": self.case.padding, "dilation_rate": self.case.dilation_rate}
        kernel = self.kernel[..., None, None]
        if self.case.transposed:
            return convolution_matrix.transposed_matrix(kernel, self.case.size, **options, output_padding=self.case.output_padding).T
        return convolution_matrix.matrix(kernel, self.case.size, **options)

    @property
    def overlaps(self) -> Array:
        """`overlap_count` of the case."""
        return overlap_count(self.case)

    def terms(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """The pairs of kernel tap and input element whose products `element` sums."""
        found = []
        for t in np.ndindex(self.case.kernel_size):
            at = []
            for axis, tap, o in zip(self.axes, t, self.element, strict=True):
                if self.case.transposed:
                    i, rest = divmod(o + axis.before - tap * axis.dilation, axis.stride)
                    at.append(i if not rest and 0 <= i < axis.small else None)
                else:
                    j = o * axis.stride + tap * axis.dilation - axis.before
                    at.append(j if 0 <= j < axis.big else None)
            position = tuple(index for index in at if index is not None)
            if len(position) == len(at):
                found.append((t, position))
        return found


def overlap_count(case: Case) -> Array:
    """How many kernel stamps lie on each output element of a transposed convolution; of a convolution, how many windows see each element
    of the input. Spatial shape.

    Raises:
        ValueError: a valid window is larger than its input.
    """
    return checkerboard.overlap_count(axes(case))


def explain(case_id: str) -> Explanation:
    """The case with this id on small numbers.

    Raises:
        CommandError: the id cannot be read, or the case has no result, or is too large.
    """
    try:
        case = parse(case_id)
    except CaseError as error:
        raise CommandError(str(error)) from None
    due = error_due(case)
    if due is not None:
        raise CommandError(f"{case} has no result to explain: {due}")
    each = axes(case)
    output = tuple(axis.big if case.transposed else axis.small for axis in each)
    if 0 in output:
        raise CommandError(f"{case} has no result to explain: its output is of size {_by(output)}")
    if max(prod(case.size) * prod(case.kernel_size), prod(output)) > MOST_ELEMENTS:
        raise CommandError(f"{case} is too large to explain: an input of {_by(case.size)} and a kernel of {_by(case.kernel_size)}")
    x = (np.arange(prod(case.size)) % 9 + 1).reshape(case.size)
    kernel = (np.arange(prod(case.kernel_size)) % 9 + 1).reshape(case.kernel_size)
    options: dict[str, Any] = {"strides": case.strides, "padding": case.padding, "dilation_rate": case.dilation_rate}
    operands = x[None, ..., None], kernel[..., None, None]
    if case.transposed:
        y = reference.conv_transpose(*operands, **options, output_padding=case.output_padding)
    else:
        y = reference.conv(*operands, **options)
    return Explanation(case, each, x, kernel, y[0, ..., 0], tuple(_fullest(axis, case.transposed) for axis in each))


def text(explanation: Explanation) -> str:
    """Sizes, padding or crop, and the arithmetic of one output element, on one screen."""
    case = explanation.case
    each = list(zip(case.size, case.kernel_size, case.strides, case.dilation_rate, strict=True))
    rows = [
        ("input", [n for n, _, _, _ in each], "n"),
        ("kernel", [k for _, k, _, _ in each], "k"),
        ("strides", [s for _, _, s, _ in each], "s"),
    ]
    if max(case.dilation_rate) > 1:
        rows.append(("dilation", [d for _, _, _, d in each], "d"))
        rows.append(("span", [effective_kernel(k, d) for _, k, _, d in each], "e = (k - 1) d + 1"))
    span = "e" if max(case.dilation_rate) > 1 else "k"
    if case.transposed:
        if case.output_padding is not None:
            rows.append(("output padding", list(case.output_padding), "p"))
        rows.append(("stamped", list(explanation.before_the_crop.shape), f"(n - 1) s + {span}"))
        rows.append(("output", list(explanation.y.shape), _transposed_size_rule(case, span)))
    else:
        rows.append(("output", list(explanation.y.shape), "ceil(n / s)" if case.padding != "valid" else f"floor((n - {span}) / s) + 1"))
    lines = [str(case), ""]
    for name, numbers, meaning in rows:
        lines.append(f"  {name:<16}{''.join(f'{number:>8}' for number in numbers)}    {meaning}")
    for name, side, meaning in _edge_rows(explanation, span):
        lines.append(f"  {name:<16}{''.join(f'{number:>8}' for number in side)}    {meaning}")
    terms = explanation.terms()
    what = "One channel, one filter, no bias, the depthwise stage alone" if case.separable else "One channel, one filter, no bias"
    lines += ["", f"{what}: y[{_at(explanation.element)}] is the sum of {len(terms)} products", ""]
    for t, i in terms[:MOST_TERMS]:
        w, v = explanation.kernel[t], explanation.x[i]
        lines.append(f"  kernel[{_at(t)}] x[{_at(i)}] = {w} * {v} = {w * v}")
    if len(terms) > MOST_TERMS:
        lines.append(f"  … and {len(terms) - MOST_TERMS} more")
    lines += ["", f"y[{_at(explanation.element)}] = {explanation.y[explanation.element]}"]
    rows_of_c, columns_of_c = (prod(getattr(axis, side) for axis in explanation.axes) for side in ("small", "big"))
    used = f"C is {rows_of_c} x {columns_of_c}: " + ("vec(y) = C.T vec(x)" if case.transposed else "vec(y) = C vec(x)")
    return "\n".join([*lines, used, _overlap_line(explanation), ""])


def draw(explanation: Explanation, file: Path) -> None:
    """The picture of `conformance.drawing`, in the format that the name of the file asks for.

    Raises:
        CommandError: the case is too large or has too many axes, the format is another, matplotlib is missing, or the file cannot be
            written.
    """
    case = explanation.case
    if file.suffix not in FORMATS:
        raise CommandError(f"cannot draw {str(file)!r}: expected a name that ends with {' or '.join(FORMATS)}")
    if case.rank > 2:
        raise CommandError(f"{case} cannot be drawn: it has {case.rank} spatial axes, and a picture has 2")
    largest = max(explanation.x.size, explanation.y.size, explanation.kernel.size)
    if largest > MOST_DRAWN:
        raise CommandError(f"{case} is too large to draw: {largest} elements, at most {MOST_DRAWN} can be seen")
    try:
        from conformance import drawing
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise CommandError("drawing needs matplotlib: install the extra convformance[report]") from None
    write(file, drawing.drawn(explanation, file.suffix))


def _transposed_size_rule(case: Case, span: str) -> str:
    if case.padding == "same":
        return "n s" if case.output_padding is None else f"(n - 1) s + ({span} mod 2) + p"
    return f"(n - 1) s + max({span}, s)" if case.output_padding is None else f"(n - 1) s + {span} + p"


def _edge_rows(explanation: Explanation, span: str) -> list[tuple[str, list[int], str]]:
    """Padding or crop, in front and behind, where there is any."""
    edges, same = explanation.edges, explanation.case.padding == "same"
    front, back = [edge[0] for edge in edges], [edge[1] for edge in edges]
    if explanation.case.transposed:
        rows = []
        if any(front) or any(b > 0 for b in back):
            rows.append(("crop in front", front, "floor((stamped - output) / 2), at least 0" if same else ""))
            rows.append(("crop behind", [max(b, 0) for b in back], "the rest: the odd one is cut behind" if same else ""))
        if min(back) < 0:
            rows.append(("zeros appended", [max(-b, 0) for b in back], "where no stamp reaches"))
        return rows
    if explanation.case.padding == "causal":
        return [("zeros in front", front, f"{span} - 1: no output sees what comes after it")]
    if not same:
        return []
    return [
        ("zeros in front", front, f"floor(total / 2), total = max((output - 1) s + {span} - n, 0)"),
        ("zeros behind", back, "the rest: the odd one goes behind"),
    ]


def _overlap_line(explanation: Explanation) -> str:
    counts = explanation.overlaps
    seen = f"between {counts.min()} and {counts.max()}" if counts.min() < counts.max() else f"{counts.min()}"
    if not explanation.case.transposed:
        return f"Each input element is seen by {seen} window(s)."
    even = all(checkerboard.is_uniform(axis.kernel, axis.stride, axis.dilation) for axis in explanation.axes)
    inside = "the same number inside: the stride divides the kernel" if even else "a checkerboard: the stride does not divide the kernel"
    return f"On each output element lie {seen} stamp(s), {inside}."


def _fullest(axis: Axis, transposed: bool) -> int:
    """Along one axis, the output element in the middle of those that most taps contribute to."""
    count = np.zeros(axis.big if transposed else axis.small, int)
    for tap in axis.taps():
        count[tap.big if transposed else tap.small] += 1
    fullest = np.flatnonzero(count == count.max())
    return int(fullest[(len(fullest) - 1) // 2])


def _at(index: tuple[int, ...]) -> str:
    return ", ".join(map(str, index))


def _by(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))
