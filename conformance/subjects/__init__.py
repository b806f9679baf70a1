"""What is under test, behind one protocol. This package is the only place that imports a framework."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Protocol

from conformance.cases import Case
from conformance.probes import Probe
from reference.arguments import Array

MODES = ("eager",)
"""The ways of running a layer that a subject may offer; see `Subject.modes`."""


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What came out: the numbers, exactly, in a NumPy array, and the name of the type that the subject's result had."""

    values: Array
    dtype: str


class Subject(Protocol):
    """An implementation of convolution layers. It is made once a process, and never asked what is right."""

    modes: tuple[str, ...]
    """Those of `MODES` that it offers."""

    def environment(self) -> dict[str, Any]:
        """What it is, for the results file and for the deviations: ``{"keras": version or None, "backend": name, "device": "cpu",
        "versions": {package: version}, "flags": {name: value}}``.
        """
        ...

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        """Run the layer that ``case`` describes, with the kernel and bias of the probe, on the input of the probe.

        Raises:
            Exception: the subject declines the case, at construction or at call; any exception says so.
        """
        ...


class SubjectError(ValueError):
    """A subject that cannot be had; the message is one line."""


def load(name: str) -> Subject:
    """The subject called ``module:attribute``: an object with the protocol above, or a callable that makes one.

    Raises:
        SubjectError: there is no such module or attribute, or it has not the methods of a subject.
    """
    module, separator, attribute = name.partition(":")
    if not separator or not module or not attribute:
        raise SubjectError(f"cannot read subject {name!r}: expected module:attribute")
    try:
        found: Any = importlib.import_module(module)
    except ImportError as error:
        raise SubjectError(f"cannot import {module!r} for subject {name!r}: {error}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise SubjectError(f"subject {name!r}: {module} has no {part!r}")
        found = getattr(found, part)
    if not hasattr(found, "forward") or isinstance(found, type):
        found = found()
    lacking = [method for method in ("modes", "environment", "forward") if not hasattr(found, method)]
    if lacking:
        raise SubjectError(f"subject {name!r} lacks {', '.join(lacking)} (see conformance.subjects.Subject)")
    subject: Subject = found
    return subject
