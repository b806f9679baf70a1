"""How many stamps lie on each output element: where that number alternates, a transposed convolution draws a checkerboard.

Equal inputs and equal weights then give unequal outputs, in a pattern of the stride's period. Along one axis, away from both ends, the
number is the same for all elements exactly if the kernel size is divisible by the stride (and the dilation has no factor in common with
it): then each of the s places in a block gets k / s stamps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import gcd

import numpy as np

from reference.arguments import Array
from reference.geometry import Axis


def overlap_count(axes: Sequence[Axis]) -> Array:
    """``count[j] = number of pairs (i, t) with i s + t d - crop = j``, over all axes the product; shape (*big,).

    For a transposed convolution, how many kernel stamps lie on each element of the output; for a convolution, how many windows see each
    element of the input.
    """
    each = []
    for axis in axes:
        count = np.zeros(axis.big, int)
        for tap in axis.taps():
            count[tap.big] += 1
        each.append(count)
    return np.asarray(reduce(np.multiply.outer, each))


def interior(axis: Axis) -> range:
    """``e - 1 <= j + before <= (n - 1) s``: the big indices that every tap reaches, or would, if the stride let it."""
    first = (axis.kernel - 1) * axis.dilation - axis.before
    last = (axis.small - 1) * axis.stride - axis.before
    return range(max(first, 0), min(last, axis.big - 1) + 1)


def is_uniform(kernel: int, stride: int, dilation: int = 1) -> bool:
    """``k mod s = 0 and gcd(d, s) = 1``: whether all elements of the interior have the same number of stamps.

    The stamps on element ``j`` are those of the taps with ``t d = j + crop (mod s)``. All residues get equally many of the k taps if and
    only if d reaches every residue, and k goes round them a whole number of times.
    """
    return kernel % stride == 0 and gcd(dilation, stride) == 1
