"""Up-sampling without weights, for comparison with the transposed convolution that learns them.

Interpolation is linear, and one axis at a time: ``y[i] = sum over j of W[i, j] x[j]``. Output element ``i`` of ``o`` lies over the position

    u = (i + 1/2) n / o - 1/2                                                                       (1)

of the ``n`` input elements (both have their elements' centres at half-integers of the same image), and the weights are a filter phi round
that position, of which the elements outside the input have none and the others get it all:

    W[i, j] = phi(j - u) / sum over j' of phi(j' - u)                                               (2)

This is what Keras computes in ``UpSampling2D`` and ``ops.image.resize`` (without antialiasing) where it says ``bilinear``, ``bicubic``,
``lanczos3`` and ``lanczos5``. ``nearest`` is the element that holds the position.

Bed of nails and max-unpooling interpolate nothing: they put values in places, and zeros elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, pi, sin
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reference.arguments import DATA_FORMATS, Array
from reference.geometry import PADDINGS, convolution_axis, taps

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
BORDERS = ("absent", "repeated")

HALF = Fraction(1, 2)
KEYS = Fraction(-1, 2)
"""The coefficient of the cubic filter: the one value with which it reproduces every parabola (Keys 1981)."""


def up_sample(
    x: ArrayLike,
    size: int | Sequence[int] = 2,
    interpolation: str = "nearest",
    *,
    data_format: str = "channels_last",
) -> Array:
    """``resize(x, (n1 s1, n2 s2, ...))``: every spatial axis ``size`` times as long, as ``keras.layers.UpSampling2D`` does it.

    Args:
        x: (batch, *spatial, channels), or (batch, channels, *spatial) for ``channels_first``; any number of spatial axes.
        size: a factor for all spatial axes, or one for each.

    Returns:
        As `resize`.

    Raises:
        ValueError: a bad argument.
    """
    x = _channels_last(x, data_format)
    factors = _factors("size", size, x.ndim - 2)
    y = resize(x, [n * s for n, s in zip(x.shape[1:-1], factors, strict=True)], interpolation)
    return _in_layout(y, data_format)


def resize(
    x: ArrayLike,
    size: Sequence[int],
    interpolation: str = "bilinear",
    *,
    data_format: str = "channels_last",
    coefficient: Fraction = KEYS,
    border: str = "absent",
) -> Array:
    """``y[i1, i2, ...] = sum over j1, j2, ... of W1[i1, j1] W2[i2, j2] ... x[j1, j2, ...]``, with the `weights` of each axis.

    Args:
        x: (batch, *spatial, channels), or (batch, channels, *spatial) for ``channels_first``.
        size: the spatial shape of the result, larger or smaller.
        coefficient: of the cubic filter, see `samples`.
        border: what lies outside the input, see `samples`.

    Returns:
        (batch, *size, channels) in the same data format: in the type of ``x`` for ``nearest``, else in float64. With ``dtype=object`` and a
        filter that is rational (all but the lanczos ones) `fractions.Fraction`, exactly.

    Raises:
        ValueError: a bad argument.
    """
    y = _channels_last(x, data_format)
    size = _factors("size", size, y.ndim - 2)
    for axis, (n, o) in enumerate(zip(y.shape[1:-1], size, strict=True), start=1):
        w = weights(n, o, interpolation, coefficient=coefficient, border=border)
        if interpolation == "nearest":
            y = y.take(w.argmax(axis=1), axis)
        else:
            y = np.moveaxis(np.tensordot(w if y.dtype == object else w.astype(float), y, axes=(1, axis)), 0, axis)
    return _in_layout(y, data_format)


@lru_cache(maxsize=4096)
def weights(n: int, o: int, interpolation: str, *, coefficient: Fraction = KEYS, border: str = "absent") -> Array:
    """``W[i, j] = P[i, j] / sum over j' of P[i, j']``, P the `samples` of the filter; shape (o, n).

    Returns:
        An array of `fractions.Fraction`, exact; of floats for the lanczos filters, whose sines are rounded.

    Raises:
        ValueError: a bad argument.
    """
    p = samples(n, o, interpolation, coefficient=coefficient, border=border)
    w: Array = p / p.sum(axis=1, keepdims=True)
    w.flags.writeable = False  # it is remembered
    return w


def samples(n: int, o: int, interpolation: str, *, coefficient: Fraction = KEYS, border: str = "absent") -> Array:
    """``P[i, j] = phi(j - u)``, ``u = (i + 1/2) n / o - 1/2``; shape (o, n).

    ============ ================================================= ==================
    filter       phi(v)                                            where, 0 elsewhere
    ============ ================================================= ==================
    nearest      ``1``                                             ``-1/2 < v <= 1/2``
    bilinear     ``1 - |v|``                                       ``|v| <= 1``
    bicubic      ``(a + 2) |v|^3 - (a + 3) |v|^2 + 1``             ``|v| <= 1``
    .            ``a (|v|^3 - 5 |v|^2 + 8 |v| - 4)``               ``1 < |v| <= 2``
    lanczos r    ``sin(pi v) sin(pi v / r) r / (pi v)^2``          ``|v| <= r``
    ============ ================================================= ==================

    Args:
        coefficient: ``a`` of the cubic filter.
        border: ``absent``, what lies outside the input has no weight, as in (2); ``repeated``, the first and the last element stand for
            what lies beyond them.

    Returns:
        As `weights`.

    Raises:
        ValueError: a bad argument.
    """
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"interpolation must be one of {', '.join(INTERPOLATIONS)}, got {interpolation!r}")
    if border not in BORDERS:
        raise ValueError(f"border must be one of {', '.join(BORDERS)}, got {border!r}")
    phi, reach = _filter(interpolation, coefficient)
    p = np.full((o, n), Fraction(0))
    for i in range(o):
        u = (i + HALF) * Fraction(n, o) - HALF
        for j in range(ceil(u - reach), floor(u + reach) + 1):
            if border == "repeated":
                p[i, min(max(j, 0), n - 1)] += phi(j - u)
            elif 0 <= j < n:
                p[i, j] = phi(j - u)
    return p


def bed_of_nails(x: ArrayLike, size: int | Sequence[int] = 2, *, data_format: str = "channels_last") -> Array:
    """``y[i s] = x[i]``, zeros elsewhere: every value in the first corner of its block.

    Shapes: (batch, *spatial, channels) to (batch, *(n s), channels), both in ``data_format``.

    Raises:
        ValueError: a bad argument.
    """
    x = _channels_last(x, data_format)
    factors = _factors("size", size, x.ndim - 2)
    y = np.zeros((x.shape[0], *(n * s for n, s in zip(x.shape[1:-1], factors, strict=True)), x.shape[-1]), x.dtype)
    y[:, *(slice(None, None, s) for s in factors)] = x
    return _in_layout(y, data_format)


def max_pool(
    x: ArrayLike,
    pool_size: int | Sequence[int] = 2,
    *,
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    data_format: str = "channels_last",
) -> tuple[Array, Array]:
    """``y[i] = max over t of x[i s + t - before]``, terms outside x absent; and where that maximum is.

    The windows are those of a convolution. Of several equal maxima the first in row-major order is taken.

    Args:
        x: (batch, *spatial, channels), or (batch, channels, *spatial) for ``channels_first``; numbers that can be ordered, so no NaN.
        strides: by default the pool size.

    Returns:
        The maxima, (batch, *output, channels), and their positions in the same shape: the row-major index of the element in the spatial
        shape of the input, batch and channels not counted.

    Raises:
        ValueError: a bad argument, or a valid window larger than its input.
    """
    x = _channels_last(x, data_format)
    rank = x.ndim - 2
    pool = _factors("pool_size", pool_size, rank)
    steps = pool if strides is None else _factors("strides", strides, rank)
    if padding not in PADDINGS:
        raise ValueError(f"padding must be one of {', '.join(PADDINGS)}, got {padding!r}")
    size = x.shape[1:-1]
    axes = tuple(convolution_axis(n, k, s, 1, padding) for n, k, s in zip(size, pool, steps, strict=True))
    here = np.broadcast_to(np.arange(np.prod(size)).reshape(*size, 1), x.shape)
    shape = (x.shape[0], *(axis.small for axis in axes), x.shape[-1])
    maxima, positions = np.zeros(shape, x.dtype), np.full(shape, -1)
    for _, small, big in taps(axes):
        seen, best, where = x[:, *big], maxima[:, *small], positions[:, *small]
        better = (where < 0) | (seen > best)
        best[better] = seen[better]
        where[better] = here[:, *big][better]
    return _in_layout(maxima, data_format), _in_layout(positions, data_format)


def max_unpool(values: ArrayLike, positions: ArrayLike, size: Sequence[int], *, data_format: str = "channels_last") -> Array:
    """``y[positions[i]] = values[i]``, zeros elsewhere: what `max_pool` took goes back to where it took it from.

    Args:
        values: (batch, *pooled, channels), in ``data_format``.
        positions: as `max_pool` gives them. Where windows overlap, one position may come twice, with the same value.
        size: the spatial shape of the result, that of the pooled input.

    Returns:
        (batch, *size, channels) in the same data format.

    Raises:
        ValueError: a bad argument, or a position outside ``size``.
    """
    values, positions = _channels_last(values, data_format), _channels_last(positions, data_format)
    size = _factors("size", size, values.ndim - 2)
    if values.shape != positions.shape:
        raise ValueError(f"values and positions must have one shape, got {values.shape} and {positions.shape}")
    elements = int(np.prod(size))
    if positions.size and not (positions.min() >= 0 and positions.max() < elements):
        raise ValueError(f"every position must be one of the {elements} elements of {tuple(size)}")
    batch, channels = values.shape[0], values.shape[-1]
    y = np.zeros((batch, elements, channels), values.dtype)
    np.put_along_axis(y, positions.reshape(batch, -1, channels), values.reshape(batch, -1, channels), axis=1)
    return _in_layout(y.reshape(batch, *size, channels), data_format)


def _filter(interpolation: str, a: Fraction) -> tuple[Callable[[Fraction], Any], Fraction]:
    """``phi`` and its reach, by the table in `samples`."""
    if interpolation == "nearest":
        return (lambda v: Fraction(v != -HALF)), HALF
    if interpolation == "bilinear":
        return (lambda v: 1 - abs(v)), Fraction(1)
    if interpolation == "bicubic":
        return (lambda v: _cubic(abs(v), a)), Fraction(2)
    r = int(interpolation.removeprefix("lanczos"))
    return (lambda v: r * sin(pi * v) * sin(pi * v / r) / (pi * v) ** 2 if v else 1.0), Fraction(r)


def _cubic(v: Fraction, a: Fraction) -> Fraction:
    return (a + 2) * v**3 - (a + 3) * v**2 + 1 if v <= 1 else a * (v**3 - 5 * v**2 + 8 * v - 4)


def _channels_last(x: ArrayLike, data_format: str) -> Array:
    if data_format not in DATA_FORMATS:
        raise ValueError(f"data_format must be one of {', '.join(DATA_FORMATS)}, got {data_format!r}")
    x = np.asarray(x)
    if x.ndim < 3 or 0 in x.shape:
        raise ValueError(f"expected an input of (batch, *spatial, channels), every size positive, got shape {x.shape}")
    return x if data_format == "channels_last" else np.moveaxis(x, 1, -1)


def _in_layout(y: Array, data_format: str) -> Array:
    return y if data_format == "channels_last" else np.moveaxis(y, -1, 1)


def _factors(name: str, value: int | Sequence[int], rank: int) -> tuple[int, ...]:
    """``value`` as one positive integer an axis."""
    each = (value,) * rank if isinstance(value, (int, np.integer)) else tuple(value)
    if len(each) != rank or any(isinstance(v, bool) or not isinstance(v, (int, np.integer)) or v < 1 for v in each):
        raise ValueError(f"{name} must be an integer >= 1 or {rank} of them, got {value!r}")
    return tuple(int(v) for v in each)
