"""Sizes, padding and crop of one axis: against numbers worked out on paper, and against counting that knows no formula."""

from __future__ import annotations

from itertools import product

import pytest

from reference.geometry import (
    Axis,
    convolution_axis,
    convolution_padding,
    convolution_size,
    effective_kernel,
    outside,
    split_same,
    stamps,
    transposed_axis,
    transposed_crop,
    transposed_size,
    widths,
)

# n, k, s, d: output size, zeros before and after
VALID = [
    ((4, 3, 1, 1), 2),
    ((5, 5, 1, 1), 1),
    ((5, 3, 2, 1), 2),
    ((6, 3, 2, 1), 2),  # the last input element is not read
    ((7, 3, 2, 1), 3),
    ((9, 1, 4, 1), 3),  # elements 0, 4, 8
    ((8, 1, 4, 1), 2),
    ((9, 3, 1, 2), 5),  # the kernel spans 5
    ((7, 3, 1, 3), 1),  # the kernel spans 7
]
SAME = [
    ((4, 3, 1, 1), 4, (1, 1)),
    ((4, 2, 1, 1), 4, (0, 1)),  # the odd zero goes after
    ((4, 4, 1, 1), 4, (1, 2)),
    ((4, 5, 1, 1), 4, (2, 2)),
    ((1, 4, 1, 1), 1, (1, 2)),
    ((4, 3, 2, 1), 2, (0, 1)),
    ((5, 3, 2, 1), 3, (1, 1)),
    ((5, 2, 2, 1), 3, (0, 1)),
    ((3, 1, 2, 1), 2, (0, 0)),
    ((5, 1, 3, 1), 2, (0, 0)),  # elements 0 and 3; element 4 is not read
    ((6, 2, 3, 1), 2, (0, 0)),
    ((8, 5, 4, 1), 2, (0, 1)),
    ((9, 5, 4, 1), 3, (2, 2)),
    ((7, 3, 1, 2), 7, (2, 2)),
    ((7, 2, 1, 3), 7, (1, 2)),
    ((3, 3, 1, 3), 3, (3, 3)),
]
CAUSAL = [
    ((4, 3, 1, 1), 4, (2, 0)),
    ((4, 2, 2, 1), 2, (1, 0)),  # elements 0 and 2, and the one before each
    ((5, 3, 2, 1), 3, (2, 0)),
    ((5, 1, 3, 1), 2, (0, 0)),
    ((6, 3, 1, 2), 6, (4, 0)),
    ((1, 4, 1, 3), 1, (9, 0)),
]
# n, k, s, d, padding, output_padding: output size, elements cropped from the full length before and after
TRANSPOSED = [
    ((2, 3, 1, 1, "valid", None), 4, (0, 0)),
    ((2, 2, 1, 1, "valid", None), 3, (0, 0)),
    ((2, 3, 2, 1, "valid", None), 5, (0, 0)),
    ((2, 1, 2, 1, "valid", None), 4, (0, -1)),  # extended to n s
    ((3, 2, 4, 1, "valid", None), 12, (0, -2)),
    ((3, 2, 1, 3, "valid", None), 6, (0, 0)),
    ((2, 3, 2, 1, "valid", 0), 5, (0, 0)),
    ((2, 3, 2, 1, "valid", 1), 6, (0, -1)),
    ((2, 1, 3, 1, "valid", 0), 4, (0, 0)),
    ((2, 1, 3, 1, "valid", 2), 6, (0, -2)),
    ((2, 2, 1, 1, "same", None), 2, (0, 1)),  # the odd element is cropped behind
    ((2, 3, 1, 1, "same", None), 2, (1, 1)),
    ((2, 3, 2, 1, "same", None), 4, (0, 1)),
    ((3, 4, 2, 1, "same", None), 6, (1, 1)),
    ((3, 5, 2, 1, "same", None), 6, (1, 2)),
    ((2, 1, 2, 1, "same", None), 4, (0, -1)),
    ((2, 2, 3, 1, "same", None), 6, (0, -1)),
    ((3, 2, 1, 3, "same", None), 3, (1, 2)),
    ((2, 3, 2, 1, "same", 0), 3, (1, 1)),
    ((2, 3, 2, 1, "same", 1), 4, (0, 1)),
    ((2, 2, 2, 1, "same", 0), 2, (1, 1)),
    ((2, 2, 2, 1, "same", 1), 3, (0, 1)),
    ((1, 2, 1, 1, "same", 0), 0, (1, 1)),  # nothing is left
    ((3, 1, 2, 1, "same", 1), 6, (0, -1)),
    ((2, 5, 3, 1, "same", 2), 6, (1, 1)),
    ((2, 2, 1, 2, "same", 0), 2, (1, 1)),
]

# every axis within these bounds, dilated strides included
KERNELS, STRIDES, DILATIONS, SIZES = range(1, 6), range(1, 5), range(1, 4), range(1, 10)
AXES = list(product(SIZES, KERNELS, STRIDES, DILATIONS))


@pytest.mark.parametrize(("axis", "size"), VALID)
def test_valid_by_hand(axis: tuple[int, int, int, int], size: int) -> None:
    assert convolution_size(*axis, "valid") == size
    assert convolution_padding(*axis, "valid") == (0, 0)


@pytest.mark.parametrize(("axis", "size", "padding"), SAME)
def test_same_by_hand(axis: tuple[int, int, int, int], size: int, padding: tuple[int, int]) -> None:
    assert convolution_size(*axis, "same") == size
    assert convolution_padding(*axis, "same") == padding


@pytest.mark.parametrize(("axis", "size", "padding"), CAUSAL)
def test_causal_by_hand(axis: tuple[int, int, int, int], size: int, padding: tuple[int, int]) -> None:
    assert convolution_size(*axis, "causal") == size
    assert convolution_padding(*axis, "causal") == padding


@pytest.mark.parametrize(("axis", "size", "crop"), TRANSPOSED)
def test_transposed_by_hand(axis: tuple[int, int, int, int, str, int | None], size: int, crop: tuple[int, int]) -> None:
    assert transposed_size(*axis) == size
    assert transposed_crop(*axis) == crop


@pytest.mark.parametrize(("total", "before", "after"), [(0, 0, 0), (1, 0, 1), (2, 1, 1), (3, 1, 2), (4, 2, 2), (5, 2, 3)])
def test_split_by_hand(total: int, before: int, after: int) -> None:
    assert split_same(total) == (before, after)


@pytest.mark.parametrize(("kernel", "dilation", "span"), [(1, 1, 1), (1, 5, 1), (3, 1, 3), (3, 2, 5), (2, 4, 5)])
def test_span_by_hand(kernel: int, dilation: int, span: int) -> None:
    assert effective_kernel(kernel, dilation) == span


def test_a_window_larger_than_its_input_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"^a valid window of 5 elements is larger than its input of 4$"):
        convolution_size(4, 3, 1, 2, "valid")


def dealt(total: int) -> tuple[int, int]:
    """``total`` elements dealt out one by one, the first behind, the next in front, and so on."""
    before = after = 0
    for turn in range(total):
        if turn % 2:
            before += 1
        else:
            after += 1
    return before, after


def test_convolution_by_counting() -> None:
    """Windows are slid along a list; ``same`` puts zeros around it one by one until every s-th element has its window."""
    errors = 0
    for n, k, s, d in AXES:
        offsets = [t * d for t in range(k)]
        windows = [start for start in range(n) if start % s == 0 and all(start + offset < n for offset in offsets)]
        if windows:
            assert convolution_size(n, k, s, d, "valid") == len(windows)
        else:
            errors += 1
            with pytest.raises(ValueError, match="larger than its input"):
                convolution_size(n, k, s, d, "valid")
        stands = [j for j in range(n) if j % s == 0]
        zeros = 0
        while stands[-1] + offsets[-1] >= n + zeros:
            zeros += 1
        assert convolution_size(n, k, s, d, "same") == len(stands)
        assert convolution_padding(n, k, s, d, "same") == dealt(zeros)
        # as many zeros in front as let the first window end on the first element: every window then ends at a stand
        assert convolution_size(n, k, s, d, "causal") == len(stands)
        assert convolution_padding(n, k, s, d, "causal") == (offsets[-1], 0)
    # spans 1; 2, 3, 4; 3, 5, 7; 4, 7, 10; 5, 9, 13 (of kernels 1 to 5 by dilations 1 to 3) leave out so many of 9 sizes, for 4 strides
    assert errors == 4 * (0 + (1 + 2 + 3) + (2 + 4 + 6) + (3 + 6 + 9) + (4 + 8 + 9))


def test_transposed_by_counting() -> None:
    """Stamps are marked in a set, the blocks of s elements beside them; the crop is dealt out one by one."""
    for n, k, s, d in AXES:
        stamped = {i * s + t * d for i in range(n) for t in range(k)}
        blocks = {i * s + offset for i in range(n) for offset in range(s)}
        full = max(stamped) + 1
        centre = 1 if (k - 1) * d % 2 == 0 else 0  # a kernel that spans an odd number of elements has a middle one
        for p in (None, *range(s)):
            valid = max(stamped | blocks) + 1 if p is None else full + p
            assert transposed_size(n, k, s, d, "valid", p) == valid
            assert transposed_crop(n, k, s, d, "valid", p) == (0, full - valid)
            same = len(blocks) if p is None else max(i * s for i in range(n)) + centre + p
            before, after = dealt(max(full - same, 0))
            assert transposed_size(n, k, s, d, "same", p) == same
            assert transposed_crop(n, k, s, d, "same", p) == ((before, after) if full >= same else (0, full - same))


def joined(axis: Axis) -> set[tuple[int, int, int]]:
    """The triples (tap, small, big) that `Axis.taps` lists as slices."""
    return {(t.tap, small, big) for t in axis.taps() for small, big in zip(range(axis.small)[t.small], range(axis.big)[t.big], strict=True)}


def test_taps_by_trying_every_triple() -> None:
    """``j = i s + t d - before``, tried for all i, j and t; ``before`` counted as above."""
    compared = 0
    for n, k, s, d in AXES:
        found = [convolution_axis(n, k, s, d, "same"), transposed_axis(n, k, s, d, "same", None), transposed_axis(n, k, s, d, "valid", 0)]
        if n >= (k - 1) * d + 1:
            found.append(convolution_axis(n, k, s, d, "valid"))
        for axis in found:
            tried = {
                (t, i, i * s + t * d - axis.before)
                for i, t in product(range(axis.small), range(k))
                if i * s + t * d - axis.before in range(axis.big)
            }
            assert joined(axis) == tried
            compared += 1
    assert compared == 4 * len(AXES) - 4 * 57


def test_both_directions_are_one_relation() -> None:
    """A transposed axis joins exactly what the axis of the convolution leading back joins: they are adjoint."""
    for n, k, s, d in AXES:
        there = transposed_axis(n, k, s, d, "same", None)
        back = convolution_axis(there.big, k, s, d, "same")
        assert joined(there) == joined(back)
        assert (back.small, back.before) == (n, there.before)


def every_axis() -> list[Axis]:
    """The axes within the bounds, of every padding and of both directions; an output of no element among them."""
    found = [transposed_axis(1, 2, 1, 1, "same", 0)]
    for n, k, s, d in AXES:
        found += [convolution_axis(n, k, s, d, "same"), transposed_axis(n, k, s, d, "same", None), transposed_axis(n, k, s, d, "valid", 0)]
    return found


def test_an_axis_turned_joins_the_same_from_the_other_side() -> None:
    without_stride = [axis for axis in every_axis() if axis.stride == 1]
    for axis in without_stride:
        last = axis.kernel - 1
        assert joined(axis.turned()) == {(last - tap, big, small) for tap, small, big in joined(axis)}
        assert axis.turned().turned() == axis
    assert len(without_stride) == 1 + 3 * len(AXES) // len(STRIDES)


def test_the_phases_of_an_axis_are_the_axis_in_pieces() -> None:
    """Each of what is joined is in one phase, and with it the places of the phase are counted without a gap."""
    for axis in every_axis():
        found: list[tuple[int, int, int]] = []
        for big, some, phase in axis.phases():
            assert (phase.stride, phase.big) == (1, len(range(axis.big)[big]))
            found += [(range(axis.kernel)[some][t], small, range(axis.big)[big][q]) for t, small, q in joined(phase)]
        assert sorted(found) == sorted(joined(axis))
        assert len(axis.phases()) == len({(t * axis.dilation - axis.before) % axis.stride for t in range(axis.kernel)})


def test_stamps_along_one_row_meet_what_their_taps_meet() -> None:
    """A pixel on the small side and a pixel of a phase are counted along rows of one length: the stamp's start is their difference."""
    axes = [axis for axis in every_axis() if axis.big][::11]
    compared = 0
    for first, second in zip(axes, reversed(axes), strict=True):
        pair = (first, second)
        (width,) = widths(pair)
        left_out = {(tap, column) for _, tap, beyond in outside(pair) for column in range(width)[beyond]}
        found = set()
        places = -(-first.big // first.stride) * width
        for tap, (down, across), start in stamps(pair):
            for pixel in range(first.small * width):
                (i, c), (row, column) = divmod(pixel, width), divmod(start + pixel, width)
                j, b = row * first.stride + down, column * second.stride + across
                if start + pixel in range(places) and j < first.big and (tap[1], c) not in left_out:
                    found.add((tap, (i, c), (j, b)))
        expected = {((p, q), (i, c), (j, b)) for (p, i, j), (q, c, b) in product(joined(first), joined(second))}
        assert found == expected
        compared += len(expected)
    assert compared > 10_000
