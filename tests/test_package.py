"""Wheel and sdist, and what a user does with the wheel: installed into an empty environment, used where the checkout is not."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.package
CHECKOUT = Path(__file__).parents[1]
SUBJECT = '''
"""The reference under its own test, as a user's implementation would be."""
import numpy as np
from conformance.contract import compute, error_due
from conformance.subjects import Observed


class Mine:
    modes = ("eager",)

    def environment(self):
        return {"keras": None, "backend": "mine", "device": "cpu", "versions": {"numpy": np.__version__}, "flags": {}}

    def forward(self, case, probe, mode):
        if error_due(case):
            raise ValueError(error_due(case))
        return Observed(compute(case, probe.x, probe.kernel, probe.bias, probe.pointwise), case.dtype)
'''


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Wheel and sdist, built from a clean clone: what git does not have is not in them."""
    folder = tmp_path_factory.mktemp("built")
    assert run("git", "clone", "--quiet", CHECKOUT, folder / "clone", folder=folder).returncode == 0
    done = run(sys.executable, "-m", "build", "--outdir", folder / "dist", folder / "clone", folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (sdist,) = (list((folder / "dist").glob(pattern)) for pattern in ("*.whl", "*.tar.gz"))
    return wheel, sdist


def test_the_wheel_has_the_packages_their_data_and_their_types(built: tuple[Path, Path]) -> None:
    names = zipfile.ZipFile(built[0]).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"conformance", "reference"}
    tracked = run("git", "ls-files", "conformance", "reference", folder=CHECKOUT).stdout.split()
    assert set(tracked) <= set(names)
    assert {"conformance/py.typed", "reference/py.typed", "conformance/deviations.toml"} <= set(names)
    done = run(
        sys.executable, "-m", "check_wheel_contents", "--ignore", "W009", built[0], folder=CHECKOUT
    )  # W009: two packages, on purpose
    assert done.returncode == 0, done.stdout


def test_the_sdist_has_what_its_own_tests_need(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tracked = set(run("git", "ls-files", folder=CHECKOUT).stdout.split())
    assert {name for name in tracked - names if not name.startswith(".ci/")} <= {".gitignore"}


def test_the_descriptions_can_be_shown(built: tuple[Path, Path]) -> None:
    done = run(sys.executable, "-m", "twine", "check", "--strict", *built, folder=CHECKOUT)
    assert done.returncode == 0, done.stdout


def test_the_wheel_runs_the_gate_in_an_empty_environment(built: tuple[Path, Path], tmp_path: Path) -> None:
    assert run(sys.executable, "-m", "venv", tmp_path / "venv", folder=tmp_path).returncode == 0
    python = tmp_path / "venv" / "bin" / "python"
    done = run(python, "-m", "pip", "install", "--quiet", f"{built[0]}[explore,report]", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "mine.py").write_text(SUBJECT, encoding="utf-8")
    gate = (python, "-m", "pytest", "--pyargs", "conformance", "--subject", "mine:Mine", "--claim", "forward")
    done = run(*gate, "--grid", "smoke", "-n", "2", "--results", "run.jsonl", "-W", "error", "--strict-markers", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    records = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sum(record["kind"] == "case" for record in records) > 600
    for more in (["--grid", "smoke", "--baseline", "run.jsonl"], ["--explore", "2"], ["--case", "conv1d-same-in1x3x1-k2-f1-s1"]):
        done = run(*gate, *more, folder=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    done = run(python, "-m", "conformance", "page", "run.jsonl", "-o", "page.html", folder=tmp_path)
    assert (done.returncode, (tmp_path / "page.html").exists()) == (0, True), done.stderr
    # what is installed tells what else to install, and says what is not there in one line
    assert "keras>=" in run(python, "-m", "conformance", "stack", "jax", folder=tmp_path).stdout
    done = run(python, "-m", "pytest", "--pyargs", "conformance", folder=tmp_path)
    assert (done.returncode, "pip install 'convformance[tensorflow]'" in done.stderr) == (4, True), done.stdout + done.stderr
