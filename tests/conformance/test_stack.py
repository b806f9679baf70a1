"""What pip is to install: the package's own extras, in the versions that were asked for, or one clear line."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

from conformance import stack
from conformance.__main__ import main

EXTRAS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
HERE = default_environment()


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the metadata of an installed convformance says, whether it is installed here or not; on an ordinary Linux."""
    declared = []
    for extra in ("tensorflow", "jax", "torch"):
        for each in map(Requirement, EXTRAS[extra]):
            marker = f"({each.marker}) and " if each.marker else ""
            declared.append(f"{each.name}{each.specifier}; {marker}extra == '{extra}'")
    monkeypatch.setattr("importlib.metadata.requires", lambda name: ["numpy>=1.26", *declared] if name == "convformance" else None)
    monkeypatch.setattr("packaging.markers.default_environment", lambda: {**HERE, "sys_platform": "linux", "platform_machine": "x86_64"})


def names(lines: list[str]) -> list[str]:
    return [Requirement(line).name for line in lines]


@pytest.mark.parametrize(("backend", "framework"), [("tensorflow", "tensorflow-cpu"), ("jax", "jax"), ("torch", "torch")])
def test_nothing_said_is_the_newest_that_is_supported(backend: str, framework: str) -> None:
    lines = stack.requirements(backend, "", "")
    assert names(lines) == ["keras", framework]
    assert [f"{Requirement(line).specifier}" for line in lines] == [str(Requirement(text).specifier) for text in EXTRAS[backend][:2]]


def test_where_tensorflow_has_no_cpu_build_its_only_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packaging.markers.default_environment", lambda: {**HERE, "sys_platform": "darwin", "platform_machine": "arm64"})
    assert names(stack.requirements("tensorflow", "", "")) == ["keras", "tensorflow"]


def test_versions_are_exact_ranges_or_nightlies() -> None:
    assert stack.requirements("torch", "3.14.0", "2.9.1") == ["keras==3.14.0", "torch==2.9.1"]
    (keras, _) = stack.requirements("jax", ">=3.10, <3.12", "")
    assert Requirement(keras).specifier.contains("3.11.3")
    assert not Requirement(keras).specifier.contains("3.12.0")
    assert stack.requirements("tensorflow", "nightly", "nightly") == ["keras-nightly>=0.dev0", "tf-nightly-cpu>=0.dev0"]
    assert stack.requirements("jax", "nightly", "")[0] == "keras-nightly>=0.dev0"
    assert Requirement("keras-nightly>=0.dev0").specifier.contains("3.16.0.dev2026102704")  # pip takes what a requirement names


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tensorflow", "--keras", "nightly"], "TensorFlow brings its own Keras: ask for the nightly of both or of neither"),
        (["tensorflow", "--framework", "nightly"], "TensorFlow brings its own Keras: ask for the nightly of both or of neither"),
        (["torch", "--framework", "nightly"], "torch has no nightly that pip finds by itself"),
        (["jax", "--keras", "2.15.0"], "keras 2.15.0 is not supported: expected >=3.3"),
        (["jax", "--keras", "newest"], "cannot read version 'newest' of keras: expected 3.14.0"),
    ],
)
def test_what_cannot_be_had_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stack", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert said in shown.err


def test_a_checkout_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def nothing(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", nothing)
    assert main(["stack", "torch"]) == 2
    assert "convformance is not installed here" in capsys.readouterr().err
