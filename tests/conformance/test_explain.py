"""``explain``: the text, the picture, and every way of asking for what cannot be explained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from conformance import explain
from conformance.__main__ import main
from conformance.cases import parse
from conformance.commands import CommandError
from conformance.contract import error_due, output_shape
from reference import definition
from tests.reference.geometries import of_layer
from tests.reference.test_worked_examples import KERNEL, C

VALID = "conv2d-valid-in1x4x4x1-k3x3-f1-s1x1"
SAME = "conv2d_transpose-same-in1x3x2x1-k3x3-f1-s2x2"


def drawn(file: Path) -> list[str]:
    """The texts of an svg, in the order they are drawn."""
    tree = ElementTree.parse(file)  # noqa: S314  our own file
    return ["".join(element.itertext()).strip() for element in tree.iter("{http://www.w3.org/2000/svg}text")]


def digits(texts: list[str], title: str, before: str) -> list[int]:
    """The numbers in the cells of the panel with this title, which is drawn after them, as the ``before`` title is after its own."""
    begin = next(i for i, text in enumerate(texts) if text.startswith(before))
    end = next(i for i, text in enumerate(texts) if text.startswith(title))
    return [int(text) for text in texts[begin:end] if text.isdigit()]


def test_text_of_a_valid_convolution(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", VALID]) == 0
    assert (
        capsys.readouterr().out
        == """\
conv2d-valid-in1x4x4x1-k3x3-f1-s1x1

  input                  4       4    n
  kernel                 3       3    k
  strides                1       1    s
  output                 2       2    floor((n - k) / s) + 1

One channel, one filter, no bias: y[0, 0] is the sum of 9 products

  kernel[0, 0] x[0, 0] = 1 * 1 = 1
  kernel[0, 1] x[0, 1] = 2 * 2 = 4
  kernel[0, 2] x[0, 2] = 3 * 3 = 9
  kernel[1, 0] x[1, 0] = 4 * 5 = 20
  kernel[1, 1] x[1, 1] = 5 * 6 = 30
  kernel[1, 2] x[1, 2] = 6 * 7 = 42
  kernel[2, 0] x[2, 0] = 7 * 9 = 63
  kernel[2, 1] x[2, 1] = 8 * 1 = 8
  kernel[2, 2] x[2, 2] = 9 * 2 = 18

y[0, 0] = 195
C is 4 x 16: vec(y) = C vec(x)
Each input element is seen by between 1 and 4 window(s).
"""
    )


def test_text_of_a_transposed_convolution_shows_the_crop() -> None:
    text = explain.text(explain.explain(SAME))
    for line in (
        "  stamped                7       5    (n - 1) s + k",
        "  output                 6       4    n s",
        "  crop in front          0       0    floor((stamped - output) / 2), at least 0",
        "  crop behind            1       1    the rest: the odd one is cut behind",
        "  kernel[2, 0] x[0, 1] = 7 * 2 = 14",
        "y[2, 2] = 36",
        "On each output element lie between 1 and 4 stamp(s), a checkerboard: the stride does not divide the kernel.",
    ):
        assert line in text.splitlines()


def test_text_fits_one_screen_and_says_what_it_leaves_out() -> None:
    text = explain.text(explain.explain("conv2d_transpose-same-in1x9x9x1-k7x7-f1-s1x1"))
    assert len(text.splitlines()) <= 48
    assert "y[4, 4] is the sum of 49 products" in text
    assert "  … and 24 more" in text.splitlines()
    dilated = explain.text(explain.explain("conv2d_transpose-same-in1x9x9x1-k5x5-f1-s1x1-d2x2"))
    assert "  span                   9       9    e = (k - 1) d + 1" in dilated.splitlines()
    appended = explain.text(explain.explain("conv2d_transpose-valid-in1x2x2x1-k1x2-f1-s3x2"))
    assert "  zeros appended         2       0    where no stamp reaches" in appended.splitlines()


@pytest.mark.parametrize("transposed", [False, True])
def test_arithmetic_of_the_element_is_the_definition_over_the_grid(transposed: bool) -> None:
    """For every case of the smoke grid: the products listed add up to the element, the result is the loop's, C and the edges fit."""
    explained, empty = 0, 0
    cases = [case for case in of_layer("smoke", transposed) if error_due(case) is None]
    for case in cases:
        if 0 in output_shape(case):
            with pytest.raises(CommandError, match=f"^{case} has no result to explain: its output is of size "):
                explain.explain(str(case))
            empty += 1
            continue
        e = explain.explain(str(case))
        assert sum(e.kernel[t] * e.x[i] for t, i in e.terms()) == e.y[e.element], str(case)
        operands = e.x[None, ..., None], e.kernel[..., None, None]
        if transposed:
            y = definition.conv_transpose(
                *operands,
                strides=case.strides,
                padding=case.padding,
                dilation_rate=case.dilation_rate,
                output_padding=case.output_padding,
            )
        else:
            y = definition.conv(*operands, strides=case.strides, padding=case.padding, dilation_rate=case.dilation_rate)
        assert np.array_equal(e.y, y[0, ..., 0]), str(case)
        c = e.matrix.T if transposed else e.matrix
        assert np.array_equal(c @ e.x.ravel(), e.y.ravel()), str(case)
        assert explain.text(e)
        explained += 1
    assert explained + empty == len(cases)
    assert explained > empty


def test_picture_of_the_write_ups_convolution_has_its_matrix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """4 x 4 input, 3 x 3 kernel: C is 4 x 16, and its cells hold the kernel where the notebook has it."""
    file = tmp_path / "valid.svg"
    assert main(["explain", VALID, "-o", str(file)]) == 0
    assert "C is 4 x 16" in capsys.readouterr().out
    texts = drawn(file)
    assert {"C: 4 × 16", "C.T: 16 × 4", "input x: 4 × 4", "kernel: 3 × 3", "output y: 2 × 2"} <= set(texts)
    counted = np.arange(1, 10).reshape(3, 3)  # the picture's kernel, where the write-up has its own
    expected = [int(v) for row in pattern(counted) for v in row if v]
    assert digits(texts, "C: 4", "windows on each") == expected
    assert np.array_equal(pattern(KERNEL), C)
    assert np.array_equal(explain.explain(VALID).matrix, pattern(counted))


def pattern(kernel: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The kernel set into a 4 x 4 image at its four places, each a row of C."""
    places = np.zeros((2, 2, 4, 4), int)
    for i, j in np.ndindex(2, 2):
        places[i, j, i : i + 3, j : j + 3] = kernel
    return places.reshape(4, 16)


def test_picture_of_a_transposed_convolution_has_the_crop(tmp_path: Path) -> None:
    file = tmp_path / "same.svg"
    explain.draw(explain.explain(SAME), file)
    texts = drawn(file)
    assert {"output y: 6 × 4, framed", "crop: 0 above, 1 below, 0 left, 1 right", "C: 6 × 24", "C.T: 24 × 6"} <= set(texts)
    full = explain.explain(SAME).before_the_crop
    assert full.shape == (7, 5)
    assert digits(texts, "output y", "kernel") == full.ravel().tolist()


@pytest.mark.parametrize(
    "case",
    [
        "conv2d-same-in2x5x4x6-k3x2-f4-s2x1-g2-channels_first",  # padded, and with more channels than are shown
        "conv2d_transpose-same-in1x3x3x1-k2x4-f1-s3x1-op2x0",  # appended on one axis, cropped on the other
        "conv2d-same-in1x16x16x1-k5x5-f1-s1x1",  # as large as can be drawn
        "conv2d_transpose-valid-in1x1x1x1-k1x1-f1-s1x1",  # as small
    ],
)
@pytest.mark.parametrize("suffix", explain.FORMATS)
def test_pictures_are_made_and_are_the_same_again(case: str, suffix: str, tmp_path: Path) -> None:
    if suffix == ".svg":
        files = [tmp_path / f"{name}.svg" for name in ("one", "other")]
        for file in files:
            explain.draw(explain.explain(case), file)
        assert files[0].read_bytes() == files[1].read_bytes()
        assert case in drawn(files[0])
    else:
        file = tmp_path / "one.png"
        explain.draw(explain.explain(case), file)
        assert file.read_bytes().startswith(b"\x89PNG")


REFUSALS = {
    "conv2d-vald-in1": "cannot read 'vald' in case id 'conv2d-vald-in1': expected a padding (valid, same)",
    "conv2d-valid-in1x2x2x1-k3x3-f1-s1x1": "has no result to explain: a valid window of 3 elements is larger than its input of 2",
    "conv2d-same-in1x9x9x1-k3x3-f1-s2x2-d2x2": "has no result to explain: strides (2, 2) together with dilation_rate (2, 2)",
    "conv2d_transpose-same-in1x1x1x1-k2x2-f1-s1x1-op0x0": "has no result to explain: its output is of size 0 x 0",
    "conv2d-same-in1x9000x9000x1-k3x3-f1-s1x1": "is too large to explain: an input of 9000 x 9000 and a kernel of 3 x 3",
    "conv2d-same-in1x17x16x1-k3x3-f1-s1x1": "is too large to draw: 272 elements, at most 256 can be seen",
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_explained_is_one_line(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", case, "-o", str(tmp_path / "never.png")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("python -m conformance explain: ")
    assert captured.err.rstrip("\n").endswith(REFUSALS[case])
    assert captured.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"^cannot draw '.*never\.gif': expected a name that ends with \.png or \.svg$"):
        explain.draw(explain.explain(VALID), tmp_path / "never.gif")
    with pytest.raises(CommandError, match=r"^cannot write .*never\.png: No such file or directory$"):
        explain.draw(explain.explain(VALID), tmp_path / "nowhere" / "never.png")


def test_without_matplotlib_the_text_is_there_and_the_picture_names_the_extra(tmp_path: Path) -> None:
    without = "import sys; sys.modules['matplotlib'] = None; from conformance.__main__ import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", without, "explain", VALID]
    house = Path(__file__).parents[2]
    plain = subprocess.run(command, cwd=house, capture_output=True, text=True, check=False)
    assert (plain.returncode, plain.stderr) == (0, "")
    assert "C is 4 x 16" in plain.stdout
    command += ["-o", str(tmp_path / "never.png")]
    drawing = subprocess.run(command, cwd=house, capture_output=True, text=True, check=False)
    assert drawing.returncode == 2
    assert drawing.stderr == "python -m conformance explain: drawing needs matplotlib: install the extra convformance[report]\n"


def test_overlap_count_of_a_case_is_spatial() -> None:
    assert explain.overlap_count(parse(SAME)).tolist() == [
        [1, 1, 2, 1],
        [1, 1, 2, 1],
        [2, 2, 4, 2],
        [1, 1, 2, 1],
        [2, 2, 4, 2],
        [1, 1, 2, 1],
    ]
