"""Were the rule of "same" wrong, who would notice? It is moved to the other side, and unlike claims must fail, each for itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).parents[2]

# a fresh interpreter: nothing computed with the right rule is remembered
MOVED = """
import sys
import pytest
import reference.geometry as geometry

geometry.split_same = lambda total: (total - total // 2, total // 2)
# where the package is installed, pytest warns that it comes too late to rewrite the assertions of the reference, which has none
late = "ignore::pytest.PytestAssertRewriteWarning"
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "--tb=no", "-rf", "-W", late, *sys.argv[1:]]))
"""
ROOM = "tests/reference"
CLAIMS = {
    "the definitional loop agrees, convolutions": f"{ROOM}/test_agreement.py::test_all_forms_agree_pairwise_over_the_grid[smoke-False]",
    "the definitional loop agrees, transposed": f"{ROOM}/test_agreement.py::test_all_forms_agree_pairwise_over_the_grid[smoke-True]",
    "padding by counting": f"{ROOM}/test_geometry.py::test_convolution_by_counting",
    "crop by counting": f"{ROOM}/test_geometry.py::test_transposed_by_counting",
    "padding on paper": f"{ROOM}/test_geometry.py::test_same_by_hand[axis1-4-padding1]",
    "crop on paper": f"{ROOM}/test_geometry.py::test_transposed_by_hand[axis12-4-crop12]",
    "the split on paper": f"{ROOM}/test_geometry.py::test_split_by_hand[1-0-1]",
    "the article's example": f"{ROOM}/test_worked_examples.py::test_transposed_convolution_of_the_article[x2-kernel2-same-y2-taps]",
    "the article's table": "tests/faults/test_writeups.py::test_as_published_right_on[Conv2DTranspose-same]",
}
# what the rule is nothing to: it stays right, and so the failures above are not those of a broken run
BYSTANDERS = [
    f"{ROOM}/test_worked_examples.py::test_convolution_matrix_of_the_notebook",
    f"{ROOM}/test_geometry.py::test_both_directions_are_one_relation",  # the adjoint moves with it
    f"{ROOM}/test_worked_examples.py::test_transposed_convolution_of_the_article[x2-kernel2-same-y2-definition]",
]


def test_same_moved_to_the_other_side_breaks_unlike_claims() -> None:
    run = subprocess.run(
        [sys.executable, "-c", MOVED, *CLAIMS.values(), *BYSTANDERS], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    failed = {line.split(" ")[1] for line in run.stdout.splitlines() if line.startswith("FAILED ")}
    assert failed == set(CLAIMS.values()), run.stdout + run.stderr
    assert f"{len(CLAIMS)} failed, {len(BYSTANDERS)} passed" in run.stdout
