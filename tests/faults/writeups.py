"""What three public write-ups published as convolution, with their faults and in our own words: one channel, no batch, no bias.

Each was said to give exactly what Keras gives. `tests/faults/test_writeups.py` measures where that is so.
"""

from __future__ import annotations

import numpy as np

from reference.arguments import Array


def notebook_convolution(x: Array, kernel: Array) -> Array:
    """A direct valid convolution with stride 1 that takes the number of output columns from the number of input rows."""
    rows, columns = kernel.shape
    height, width = len(x) - rows + 1, len(x) - columns + 1
    y = np.zeros((height, width), x.dtype)
    for i, j in np.ndindex(height, width):
        y[i, j] = np.sum(x[i : i + rows, j : j + columns] * kernel)
    return y


def article_conv2d(x: Array, kernel: Array, strides: tuple[int, int], padding: str) -> Array:
    """A convolution that pads half of (k - s), rounded up, on both sides whatever the input size, and slides to the right as far as a
    window with as many columns as the kernel has *rows* would go.
    """
    rows, columns = kernel.shape
    if padding == "same":
        up, left = (-(-(k - s) // 2) for k, s in zip(kernel.shape, strides, strict=True))
        x = np.pad(x, [(up, up), (left, left)])
    height = range(0, x.shape[0] - rows + 1, strides[0])
    width = range(0, x.shape[1] - rows + 1, strides[1])
    return np.array([[np.sum(x[i : i + rows, j : j + columns] * kernel) for j in width] for i in height])


def article_conv2d_transpose(x: Array, kernel: Array, strides: tuple[int, int], padding: str) -> Array:
    """Overlap-add of which ``same`` keeps what lies behind a crop of floor((k - s) / 2), negative or not, and which measures the end of
    its columns from the number of its *rows*; ``valid`` ends with the last stamp.
    """
    (rows, columns), (down, right) = kernel.shape, strides
    height, width = (x.shape[0] - 1) * down + rows, (x.shape[1] - 1) * right + columns
    full = np.zeros((height, width), x.dtype)
    for i, j in np.ndindex(x.shape):
        full[i * down : i * down + rows, j * right : j * right + columns] += x[i, j] * kernel
    top = left = bottom = trailing = 0
    if padding == "same":
        top, left = (rows - down) // 2, (columns - right) // 2
        bottom, trailing = rows - down - top, columns - right - left
    return full[top : height - bottom, left : height - trailing]
