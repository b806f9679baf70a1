"""As published, right on ...: the algorithms of the write-ups against the definition, over every small configuration.

Right is the defined result: the same shape and every element equal. An exception where a result is defined is wrong, as is another shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from reference import taps
from reference.arguments import Array
from tests.faults.writeups import article_conv2d, article_conv2d_transpose, notebook_convolution
from tests.reference.geometries import integers

KERNELS, STRIDES, SIZES = range(1, 6), range(1, 4), range(3, 7)
Axis = tuple[int, int, int]  # kernel, stride, size
DOCUMENT = Path(__file__).parents[2] / "docs" / "transposed-convolution.md"

# algorithm, padding: right and all among square kernels, strides and inputs; right and all among everything
TABLE = {
    ("Conv2D", "same"): ((32, 60), (385, 3600)),
    ("Conv2D", "valid"): ((51, 51), (1005, 2601)),
    ("Conv2DTranspose", "same"): ((48, 60), (476, 3600)),
    ("Conv2DTranspose", "valid"): ((48, 60), (1237, 3600)),
}
PUBLISHED: dict[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
    "Conv2D": (article_conv2d, taps.conv2d),
    "Conv2DTranspose": (article_conv2d_transpose, taps.conv2d_transpose),
}


def plane(form: Callable[..., Array], x: Array, kernel: Array, **options: object) -> Array:
    """A form of the reference on one channel without batch."""
    return form(x[None, ..., None], kernel[..., None, None], **options)[0, ..., 0]


def is_right(published: Callable[..., Array], reference: Callable[..., Array], height: Axis, width: Axis, padding: str) -> bool:
    (rows, down, high), (columns, right, wide) = height, width
    rng = np.random.default_rng(rows + 10 * columns)
    x, kernel = integers(rng, (high, wide), 99), integers(rng, (rows, columns), 99)
    expected = plane(reference, x, kernel, strides=(down, right), padding=padding)
    try:
        got = published(x, kernel, (down, right), padding)
    except ValueError:
        return False
    return np.array_equal(got, expected)  # False for unlike shapes, too


def axes(layer: str, padding: str) -> Iterator[Axis]:
    """Kernel, stride and size of one axis; a valid window larger than the input has no result to be right about."""
    for k, s, n in product(KERNELS, STRIDES, SIZES):
        if layer == "Conv2DTranspose" or padding == "same" or n >= k:
            yield k, s, n


@pytest.mark.parametrize(("layer", "padding"), TABLE)
def test_as_published_right_on(layer: str, padding: str, agreed: Callable[[str], None]) -> None:
    every = list(axes(layer, padding))
    right = {(h, w) for h, w in product(every, every) if is_right(*PUBLISHED[layer], h, w, padding)}
    square = sum(h == w for h, w in right)
    assert ((square, len(every)), (len(right), len(every) ** 2)) == TABLE[layer, padding]
    agreed(
        f"{layer} as published, {padding}: right on {square} of {len(every)} square and {len(right)} of {len(every) ** 2} configurations"
    )


def test_notebook_is_right_on_square_inputs_alone(agreed: Callable[[str], None]) -> None:
    right, square, total = 0, 0, 0
    for high, wide, rows, columns in product(SIZES, SIZES, KERNELS, KERNELS):
        if rows > high or columns > wide:
            continue
        rng = np.random.default_rng(0)
        x, kernel = integers(rng, (high, wide), 99), integers(rng, (rows, columns), 99)
        try:
            same = np.array_equal(notebook_convolution(x, kernel), plane(taps.conv2d, x, kernel))
        except ValueError:
            same = False
        assert same == (high == wide), (high, wide, rows, columns)
        right, square, total = right + same, square + (high == wide), total + 1
    assert (right, square, total) == NOTEBOOK
    agreed(f"notebook's convolution as published: right on all {right} square inputs and on none of the other {total - square}")


NOTEBOOK = (75, 75, 289)


def test_table_in_the_documentation_is_this_one() -> None:
    rows = [
        f"| its {layer}, {padding} | {square[0]} of {square[1]} | {everything[0]:,} of {everything[1]:,} |"
        for (layer, padding), (square, everything) in TABLE.items()
    ]
    text = DOCUMENT.read_text(encoding="utf-8")
    for row in rows:
        assert row in text
