"""The closed vocabulary of what a case can come to."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What became of one case. Nothing else exists: a result that fits none of these is a bug of the project."""

    CONFORMS = "conforms"
    """The result is the defined one, or the error that is due was raised."""
    WRONG_SHAPE = "wrong_shape"
    """A result of another shape than the defined one."""
    WRONG_VALUE = "wrong_value"
    """The right shape and type, but at least one element is not the defined one."""
    WRONG_DTYPE = "wrong_dtype"
    """A result of another type than the case has."""
    DECLINED = "declined"
    """A Python exception where a result is defined."""
    ACCEPTED = "accepted"
    """A result where an error is due."""
    CRASHED = "crashed"
    """The process died."""
    HUNG = "hung"
    """No result within the time allowed."""


FATAL = (Outcome.CRASHED, Outcome.HUNG)
"""What takes the process down with it: whatever may come to these is run in one of its own."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome, and for people why: ``message`` is empty for a case that conforms.

    ``at`` is the first element that differs, if elements were compared. ``error_in_bounds`` is the largest error in units of the proven
    bound; None where equality was asked for. ``characteristics`` are what correct implementations may differ in, by name: recorded and
    compared between runs, never judged.
    """

    outcome: Outcome
    message: str = ""
    at: tuple[int, ...] | None = None
    error_in_bounds: float | None = None
    characteristics: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)


def ended_by(code: int) -> str:
    """How a process ended that has this exit code, as `subprocess` has it: negative where a signal ended it."""
    if code >= 0:
        return f"the process ended with exit code {code}"
    try:
        return f"the process was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"the process was killed by signal {-code}"
