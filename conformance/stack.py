"""``python -m conformance stack BACKEND``: what pip is to install for Keras on this backend, in these versions.

The packages and their supported ranges are those of this package's extras; an action or a job needs no list of its own.
"""

from __future__ import annotations

import argparse
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from conformance.commands import CommandError

SUMMARY = "what pip is to install for a backend: pip install -r <(python -m conformance stack tensorflow --keras 3.14.0)"

NIGHTLY = "nightly"
NIGHTLIES = {"keras": "keras-nightly", "tensorflow": "tf-nightly", "tensorflow-cpu": "tf-nightly-cpu"}
"""The packages that have a nightly build where pip finds it. Both of TensorFlow's need that of Keras, as TensorFlow needs Keras."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A backend and two versions."""
    parser.add_argument("backend", choices=("tensorflow", "jax", "torch"))
    for name, of in (("--keras", "Keras"), ("--framework", "the framework")):
        parser.add_argument(
            name, default="", metavar="VERSION", help=f"version of {of}: 3.14.0, '>=3.10,<3.12' or nightly (default: newest)"
        )


def run(arguments: argparse.Namespace) -> int:
    """Print the requirements, one a line.

    Raises:
        CommandError: a version cannot be read, is not supported, or has no nightly, or this package is not installed.
    """
    print("\n".join(requirements(arguments.backend, arguments.keras, arguments.framework)))  # noqa: T201 - this is what was asked for
    return 0


def requirements(backend: str, keras: str, framework: str) -> list[str]:
    """Requirements in pip's form.

    Raises:
        CommandError: as `run`.
    """
    if backend == "tensorflow" and (keras == NIGHTLY) != (framework == NIGHTLY):
        raise CommandError("TensorFlow brings its own Keras: ask for the nightly of both or of neither")
    try:
        declared = [Requirement(text) for text in metadata.requires("convformance") or ()]
    except metadata.PackageNotFoundError:
        raise CommandError("convformance is not installed here, and what it supports stands in its metadata: pip install -e .") from None
    extra = [each for each in declared if each.marker is not None and each.marker.evaluate({"extra": backend})]
    # pip takes pre-releases where a requirement names one: so only of what was asked for
    return [_in_version(each, keras if each.name == "keras" else framework) for each in extra]


def _in_version(declared: Requirement, version: str) -> str:
    """The requirement for one package as a user asked for it, within what is supported."""
    version = version.strip()
    if version == NIGHTLY:
        if declared.name not in NIGHTLIES:
            raise CommandError(f"{declared.name} has no nightly that pip finds by itself: set up an interpreter that has it")
        return f"{NIGHTLIES[declared.name]}>=0.dev0"
    if not version:
        return f"{declared.name}{declared.specifier}"
    try:
        exact = Version(version)
    except InvalidVersion:
        try:
            return f"{declared.name}{declared.specifier & SpecifierSet(version)}"
        except InvalidSpecifier:
            raise CommandError(
                f"cannot read version {version!r} of {declared.name}: expected 3.14.0, '>=3.10,<3.12' or {NIGHTLY}"
            ) from None
    if not declared.specifier.contains(exact, prereleases=True):
        raise CommandError(f"{declared.name} {exact} is not supported: expected {declared.specifier}")
    return f"{declared.name}=={exact}"
