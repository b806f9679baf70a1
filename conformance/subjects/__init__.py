"""What is under test, behind one protocol. This package is the only place that imports a framework."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from conformance.cases import Case
from conformance.probes import Probe
from reference.arguments import Array

MODES = ("eager", "graph", "xla", "predict", "saved", "exported", "litert", "onnx")
"""The ways of running a layer that a subject may offer; see `Subject.modes`. ``eager``: called. ``graph``: compiled by the framework.
``xla``: compiled by XLA where ``graph`` is not. ``predict``: a compiled model, in batches. ``saved``: saved and loaded, then called.
``exported``: exported for the framework's own serving, ``litert`` and ``onnx`` for these runtimes, and run there."""


class NotOfferedError(Exception):
    """The subject has no such mode, or cannot do in it what is asked: nothing was checked. The message says what is not offered."""


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
            NotOfferedError: the subject has not this mode for this case; nothing was run.
            Exception: the subject declines the case, at construction or at call; any other exception says so.
        """
        ...


class Differentiable(Subject, Protocol):
    """A subject that differentiates its layers; offering it is up to the subject, as is every method beyond those of `Subject`."""

    def gradients(self, case: Case, probe: Probe, mode: str) -> Mapping[str, Observed]:
        """The gradients of ``sum(probe.upstream * layer(probe.x))`` with respect to ``input``, ``kernel`` and, if there is one, ``bias``.

        Raises:
            NotOfferedError: not in this mode.
            Exception: the subject declines the case.
        """
        ...


class Refusing(Subject, Protocol):
    """A subject whose layers can be given any arguments, to see what they refuse."""

    def attempt(
        self, layer: str, arguments: Mapping[str, Any], shapes: Sequence[tuple[int | None, ...]], route: str
    ) -> tuple[int | None, ...]:
        """The shape of what the Keras layer called ``layer``, made with these arguments, gives for an input of the last of these shapes.

        It meets the earlier ones before. ``route`` is one of `conformance.misuses.ROUTES`: called on ones, or on a symbolic input, or asked
        by ``compute_output_shape``; the result is what that gives.

        Raises:
            Exception: the layer refuses.
        """
        ...


@dataclass(frozen=True, slots=True)
class Announced:
    """What is said of a result before there is one: its shape, None for sizes that depend on unknown ones, and its type if that is said."""

    shape: tuple[int | None, ...]
    dtype: str | None = None


class Announcing(Subject, Protocol):
    """A subject that tells shapes before values."""

    shape_functions: tuple[str, ...]
    """The ways it has to tell them, by the names that its users know."""

    def output_shape(self, case: Case, input_shape: tuple[int | None, ...], function: str) -> Announced:
        """What one of the `shape_functions` says of the layer that ``case`` describes, on an input of this shape in the case's data format.

        The shape may be another than the case's own. One layer serves every question about a `Case.configuration`, as it would a user.

        Raises:
            NotOfferedError: it has not this function for this case; nothing was run.
            Exception: the subject declines the case.
        """
        ...


class Adaptable(Subject, Protocol):
    """A subject whose layers can be asked for in other words than those of `forward`."""

    def made_and_called(self, case: Case, probe: Probe, mode: str, arguments: Mapping[str, Any], native: bool) -> Observed:
        """As `forward`, by a layer made from exactly these arguments, which have Keras's names, and called on ``probe.x`` as it is.

        Nothing is done to ``probe.x`` unless ``native``: it is then handed over as a tensor of the framework's own, of its type.

        Raises:
            NotOfferedError: not in this mode, or not these arguments.
            Exception: the subject declines the case.
        """
        ...


class Operating(Subject, Protocol):
    """A subject that has the convolutions as functions, too."""

    def op(self, case: Case, probe: Probe, mode: str) -> Observed:
        """The function that belongs to the case's layer, called on ``probe.x`` and ``probe.kernels``; without a bias."""
        ...

    def op_output_shape(self, case: Case) -> Announced:
        """What the same function says on a symbolic input of the case's shape."""
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
