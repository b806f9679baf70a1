"""What a claim is, and what an exception comes to where one judges. No pytest here: a claim is a function of subject, case and mode."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance.cases import Case
from conformance.contract import error_due
from conformance.outcomes import Outcome, Verdict
from conformance.quiet import quiet
from conformance.repro import Script
from conformance.subjects import NotOfferedError, Subject

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FRAMES = re.compile(r'(File "[^"]*", line [0-9]+, in \S+\s*)+')

ACCIDENTS = (ArithmeticError, AssertionError, AttributeError, ImportError, KeyError, MemoryError, NameError, RecursionError)
"""Exceptions that refuse nothing: where an error is due, these are a subject falling over, not declining."""


def _every(case: Case) -> bool:
    return True


@dataclass(frozen=True)
class Claim:
    """One thing that is claimed of a subject: judges a case in a mode.

    ``judge`` is given the subject, which has the method called ``method``: a subject without it does not offer the claim. ``concerns``
    says of which cases it speaks, ``modes`` in which modes, all if None. ``script`` shows a failing case without this project; a claim
    without it has none to show. ``of_models`` claims are checked of a user's model, ``of_grids`` of a grid, unless others are asked for.
    ``misuses``: it speaks of cases with a misuse, and of no others.
    """

    name: str
    judge: Callable[[Any, Case, str], Verdict]
    method: str = "forward"
    concerns: Callable[[Case], bool] = _every
    modes: tuple[str, ...] | None = None
    of_models: bool = False
    of_grids: bool = True
    script: Script | None = None
    misuses: bool = False

    def speaks_of(self, case: Case, mode: str) -> bool:
        """Whether there is anything to check for this case in this mode."""
        return self.misuses == bool(case.misuse) and (self.modes is None or mode in self.modes) and self.concerns(case)

    def __call__(self, subject: Subject, case: Case, mode: str) -> Verdict:
        """The verdict on a case that the claim speaks of. What is warned of meanwhile is none: results are judged, and errors.

        Raises:
            NotOfferedError: the subject does not run layers in this mode, or has no ``method``: nothing was checked.
            UntrustedCaseError: the case's data prove nothing; the project is at fault, not the subject.
        """
        if mode not in subject.modes:
            raise NotOfferedError(f"mode {mode}")
        if not hasattr(subject, self.method):
            raise NotOfferedError(f"no method {self.method!r}")
        with quiet():
            return self.judge(subject, case, mode)


def defined(case: Case) -> bool:
    """There is a result: a refused case has none, and no derivative."""
    return error_due(case) is None


KEPT = 300
"""Characters that are kept of the beginning of a long message, and of its end: some say what is wrong first, some last. The frames of a
traceback within it, which lead through this project, are left out."""


def exception(error: Exception, due: str | None) -> Verdict:
    """What an exception comes to: the error that was due, or a defined result declined."""
    if due is None:
        return Verdict(Outcome.DECLINED, said(error))
    if isinstance(error, ACCIDENTS):
        return Verdict(Outcome.DECLINED, f"an error is due ({due}), got an accident: {said(error)}")
    return Verdict(Outcome.CONFORMS)


def said(error: Exception) -> str:
    """An exception in one line: its type, and what it says, as far as that is not too long."""
    return f"{type(error).__name__}: {_shortened(' '.join(_FRAMES.sub('… ', _COLOUR.sub('', str(error))).split()))}"


def _shortened(text: str) -> str:
    return text if len(text) <= 2 * KEPT else f"{text[:KEPT]}…{text[-KEPT:]}"
