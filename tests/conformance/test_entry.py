"""What is registered with pytest brings the gate's options to runs that ask for the gate, and nothing to others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.entry import PACKAGE, names_the_gate

CHECKOUT = Path(__file__).parents[2]
CASE = "conv2d-valid-in1x3x4x1-k1x2-f1-s1x1"


@pytest.mark.parametrize(
    ("argument", "names"),
    [
        ("conformance", True),
        ("conformance.test_forward", True),
        (f"conformance.test_forward::test_forward[{CASE}]", True),
        (str(PACKAGE), True),
        (str(PACKAGE / "test_forward.py"), True),
        (f"{PACKAGE / 'test_forward.py'}::test_forward[a/../b]", True),
        ("tests", False),
        ("tests/conformance", False),
        ("conformance_of_mine", False),
        (str(PACKAGE.parent), False),  # an environment in the folder of another project is not asked for
        ("test_own.py::test_own[conformance]", False),
    ],
)
def test_an_argument_names_the_gate(argument: str, names: bool, tmp_path: Path) -> None:
    assert names_the_gate(argument, tmp_path) == names


def elsewhere(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Pytest in a folder that knows nothing of the checkout, with the package and its plugin as they are once installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(folder)]), "PYTEST_PLUGINS": "conformance.entry"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_every_option_works_outside_the_checkout(tmp_path: Path, workers: tuple[str, ...]) -> None:
    subject = ("--subject", "tests.conformance.subjects:Shifted", "--claim", "forward")
    done = elsewhere(tmp_path, "--pyargs", "conformance", "--case", CASE, *subject, "--results", "run.jsonl", "-W", "error", *workers)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{CASE} [eager]: wrong_value" in done.stdout
    assert (tmp_path / "run.jsonl").exists()


def test_the_runs_of_other_projects_see_nothing_of_it(tmp_path: Path) -> None:
    """One that has options of the same names runs as it did."""
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    for name in ('--grid', '--case', '--mode'):\n        parser.addoption(name)\n", encoding="utf-8"
    )
    (tmp_path / "test_own.py").write_text(
        "import sys\n\ndef test_own(pytestconfig):\n    assert pytestconfig.getoption('mode') == 'mine'\n"
        "    ours = {name for name in sys.modules if name.partition('.')[0] in ('conformance', 'reference')}\n"
        "    assert ours == {'conformance', 'conformance.entry'}\n",
        encoding="utf-8",
    )
    done = elsewhere(tmp_path, "--mode", "mine", "-p", "no:xdist")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
