"""Overlap counts: what they are, and when they are uniform."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from reference import checkerboard, definition
from reference.geometry import Axis, transposed_axis
from tests.reference.geometries import Geometry, counts, geometries


def axes_of(geometry: Geometry) -> list[Axis]:
    each = zip(
        geometry.size,
        geometry.kernel_size,
        geometry.strides,
        geometry.dilation_rate,
        geometry.output_padding or (None, None),
        strict=True,
    )
    return [transposed_axis(n, k, s, d, geometry.padding, p) for n, k, s, d, p in each]


def test_overlaps_by_hand() -> None:
    """3 inputs, kernel 3, stride 2: stamps on 0-2, 2-4 and 4-6, so every other element has two; kernel 4 goes round evenly."""
    assert checkerboard.overlap_count([transposed_axis(3, 3, 2, 1, "valid", None)]).tolist() == [1, 1, 2, 1, 2, 1, 1]
    assert checkerboard.overlap_count([transposed_axis(3, 4, 2, 1, "valid", None)]).tolist() == [1, 1, 2, 2, 2, 2, 1, 1]
    assert checkerboard.overlap_count([transposed_axis(3, 4, 2, 1, "same", None)]).tolist() == [1, 2, 2, 2, 2, 1]
    assert checkerboard.overlap_count([transposed_axis(2, 1, 3, 1, "same", None)]).tolist() == [1, 0, 0, 1, 0, 0]
    both = [transposed_axis(2, 3, 2, 1, "same", None), transposed_axis(2, 2, 1, 1, "valid", None)]
    assert checkerboard.overlap_count(both).tolist() == [[1, 2, 1], [1, 2, 1], [2, 4, 2], [1, 2, 1]]


def test_overlap_count_is_the_transposed_convolution_of_ones(agreed: Callable[[str], None]) -> None:
    """Ones stamped with ones count themselves; by the definitional loop, along both axes of every geometry of the standard grid."""
    compared = 0
    for transposed in geometries("standard", transposed=True):
        for axis, n, k, s, d, p in zip(
            axes_of(transposed),
            transposed.size,
            transposed.kernel_size,
            transposed.strides,
            transposed.dilation_rate,
            transposed.output_padding or (None, None),
            strict=True,
        ):
            y = definition.conv_transpose(
                np.ones((1, n, 1), int),
                np.ones((k, 1, 1), int),
                strides=s,
                padding=transposed.padding,
                dilation_rate=d,
                output_padding=p,
            )
            assert np.array_equal(checkerboard.overlap_count([axis]), y[0, :, 0]), axis
            compared += 1
    assert compared == 2 * sum(counts("standard", transposed=True))
    agreed(f"overlap count: {compared} axes of the transposed standard grid equal to the definition on ones")


def test_uniform_exactly_if_the_stride_divides_the_kernel(agreed: Callable[[str], None]) -> None:
    """Over the standard grid, in the interior. An interior shorter than the stride does not see all residues, and may look uniform."""
    seen: Counter[str] = Counter()
    axes = dict.fromkeys(axis for geometry in geometries("standard", transposed=True) for axis in axes_of(geometry))
    for axis in axes:
        inside = checkerboard.interior(axis)
        counts = set(checkerboard.overlap_count([axis])[inside.start : inside.stop].tolist())
        uniform = checkerboard.is_uniform(axis.kernel, axis.stride, axis.dilation)
        if uniform:
            assert counts <= {axis.kernel // axis.stride}, axis
        if len(inside) < axis.stride:
            seen["too short to tell"] += 1
        else:
            assert (len(counts) == 1) == uniform, axis
            seen["uniform" if uniform else "uneven"] += 1
        if axis.dilation == 1:
            assert uniform == (axis.kernel % axis.stride == 0)
    assert seen.total() == len(axes)
    assert set(seen) == {"uniform", "uneven", "too short to tell"}
    agreed(f"checkerboard: of {len(axes)} transposed axes of the standard grid, {dict(sorted(seen.items()))}")
