"""The worked examples of the write-ups, number by number, in every form of the reference."""

from __future__ import annotations

from itertools import product
from math import ceil, floor
from typing import Any

import numpy as np
import pytest

from reference import convolution_matrix, geometry, kronecker, zero_insertion
from reference.arguments import Array
from tests.reference.test_agreement import CONV, TRANSPOSED, Form

X = np.array([[3, 5, 2, 7], [4, 1, 3, 8], [6, 3, 8, 2], [9, 6, 1, 5]])
KERNEL = np.array([[1, 2, 1], [2, 1, 2], [1, 1, 2]])
SMALL = np.array([[55, 52], [57, 50]])  # the valid convolution of X
STAMP = np.array([[1, 2], [2, 1]])

# the article: input, kernel, padding, result; no batch, one channel, no bias, strides 1
CONVOLUTIONS = {
    "valid": (X, KERNEL, [[55, 52], [57, 50]]),
    "same": (X, KERNEL, [[19, 26, 46, 22], [29, 55, 52, 40], [42, 57, 50, 43], [36, 46, 44, 19]]),
}
TRANSPOSED_CONVOLUTIONS = [
    (SMALL, KERNEL, "valid", [[55, 162, 159, 52], [167, 323, 319, 154], [169, 264, 326, 204], [57, 107, 164, 100]]),
    (SMALL, STAMP, "valid", [[55, 162, 104], [167, 323, 152], [114, 157, 50]]),
    (SMALL, STAMP, "same", [[55, 162], [167, 323]]),
]
# the notebook: 4 x 4 input, 3 x 3 kernel, 2 x 2 output; one row an output element, one column an input element
C = [
    [1, 2, 1, 0, 2, 1, 2, 0, 1, 1, 2, 0, 0, 0, 0, 0],
    [0, 1, 2, 1, 0, 2, 1, 2, 0, 1, 1, 2, 0, 0, 0, 0],
    [0, 0, 0, 0, 1, 2, 1, 0, 2, 1, 2, 0, 1, 1, 2, 0],
    [0, 0, 0, 0, 0, 1, 2, 1, 0, 2, 1, 2, 0, 1, 1, 2],
]
# the note: 2 x 3 input, 2 x 2 kernel, strides 2, and one 2 x 2 block an input element
NOTE = [
    [1, 2, 2, 4, 3, 6],
    [3, 4, 6, 8, 9, 12],
    [4, 8, 5, 10, 6, 12],
    [12, 16, 15, 20, 18, 24],
]


def plane(form: Form, x: Array, kernel: Array, **options: Any) -> list[list[int]]:
    """A form on one channel without batch."""
    values: list[list[int]] = form(x[None, ..., None], kernel[..., None, None], **options)[0, ..., 0].tolist()
    return values


@pytest.mark.parametrize("form", CONV)
@pytest.mark.parametrize("padding", CONVOLUTIONS)
def test_convolution_of_the_article(form: str, padding: str) -> None:
    x, kernel, y = CONVOLUTIONS[padding]
    assert plane(CONV[form], x, kernel, padding=padding) == y


@pytest.mark.parametrize("form", TRANSPOSED)
@pytest.mark.parametrize(("x", "kernel", "padding", "y"), TRANSPOSED_CONVOLUTIONS)
def test_transposed_convolution_of_the_article(form: str, x: Array, kernel: Array, padding: str, y: list[list[int]]) -> None:
    assert plane(TRANSPOSED[form], x, kernel, padding=padding) == y


def test_overlaps_of_the_article_by_hand() -> None:
    """2 x 2 input, 2 x 2 kernel: four stamps on 3 x 3, the middle one under all of them."""
    stamps = np.zeros((4, 3, 3), int)
    stamps[0, :2, :2] = [[55, 110], [110, 55]]
    stamps[1, :2, 1:] = [[52, 104], [104, 52]]
    stamps[2, 1:, :2] = [[57, 114], [114, 57]]
    stamps[3, 1:, 1:] = [[50, 100], [100, 50]]
    assert stamps.sum(axis=0).tolist() == TRANSPOSED_CONVOLUTIONS[1][3]


def test_four_steps_of_the_article() -> None:
    """``z = s - 1``, ``p' = k - p - 1``: stride 1 inserts nothing and pads by 1; stride 2 inserts one zero and pads by 1."""
    x = SMALL[None, ..., None]
    assert zero_insertion.insert_zeros(x, (1, 1))[0, ..., 0].tolist() == [[55, 52], [57, 50]]
    z = zero_insertion.insert_zeros(x, (2, 2))
    assert z[0, ..., 0].tolist() == [[55, 0, 52], [0, 0, 0], [57, 0, 50]]
    padded = zero_insertion.surround(z, [(1, 1), (1, 1)])
    assert padded.shape == (1, 5, 5, 1)
    turned = STAMP[::-1, ::-1, None, None]
    blocks = zero_insertion.direct(padded, turned, (1, 1), (1, 1))
    assert blocks[0, ..., 0].tolist() == [[55, 110, 52, 104], [110, 55, 104, 52], [57, 114, 50, 100], [114, 57, 100, 50]]
    assert plane(zero_insertion.conv_transpose, SMALL, STAMP, strides=2) == blocks[0, ..., 0].tolist()


def test_sizes_of_the_write_ups() -> None:
    """``(in - k + 2P) / S + 1`` and its like; ``(n - 1) s + k`` holds for a kernel no shorter than the stride, Keras extends others."""
    for n, k, s in product(range(1, 10), range(1, 6), range(1, 5)):
        assert geometry.convolution_size(n, k, s, 1, "same") == ceil(n / s)
        if n >= k:
            assert geometry.convolution_size(n, k, s, 1, "valid") == floor((n - k) / s) + 1
        assert geometry.transposed_size(n, k, s, 1, "same", None) == n * s
        assert geometry.transposed_size(n, k, s, 1, "valid", None) == ((n - 1) * s + k if k >= s else n * s)


def test_convolution_matrix_of_the_notebook() -> None:
    c = convolution_matrix.matrix(KERNEL[..., None, None], (4, 4))
    assert c.tolist() == C
    assert (c @ X.ravel()).tolist() == [55, 52, 57, 50]
    back = c.T @ SMALL.ravel()
    assert back.reshape(4, 4).tolist() == TRANSPOSED_CONVOLUTIONS[0][3]
    assert convolution_matrix.transposed_matrix(KERNEL[..., None, None], (2, 2)).tolist() == np.transpose(C).tolist()


def test_notebook_emulates_the_transposed_convolution_by_a_direct_one() -> None:
    """The 2 x 2 result, padded by 2 to 6 x 6, convolved with the kernel turned round: 4 x 4."""
    padded = np.pad(SMALL, 2)
    assert padded.shape == (6, 6)
    for form in CONV.values():
        assert plane(form, padded, KERNEL[::-1, ::-1]) == TRANSPOSED_CONVOLUTIONS[0][3]


def test_note_up_samples_block_by_block() -> None:
    x, kernel = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[1, 2], [3, 4]])
    for form in (*TRANSPOSED.values(), kronecker.conv_transpose):
        assert plane(form, x, kernel, strides=2) == NOTE
    for i, j in np.ndindex(x.shape):
        assert np.array_equal(np.array(NOTE)[2 * i : 2 * i + 2, 2 * j : 2 * j + 2], x[i, j] * kernel)
    assert np.multiply.outer(x, kernel).transpose(0, 2, 1, 3).reshape(4, 6).tolist() == NOTE
