"""Claim ``errors``: what a layer must refuse it refuses, by an exception that names what is wrong, on every way to meet the layer."""

from __future__ import annotations

import re

from conformance import attempts, repro
from conformance.cases import Case
from conformance.claims.base import Claim, said
from conformance.misuses import Due, Misuse
from conformance.outcomes import Outcome, Verdict
from conformance.subjects import NotOfferedError, Refusing

FALLEN = (AssertionError, AttributeError, LookupError, NameError, RecursionError, ZeroDivisionError)
"""Exceptions that say nothing to a user, whatever was due."""


def judge(subject: Refusing, case: Case, mode: str) -> Verdict:
    """The layer raises an exception of a sensible type whose message names the argument, at construction, build or call.

    ``accepted`` if it gives a result, ``declined`` if the exception is of another type or does not say what is wrong.
    """
    misuse, route, arguments, shapes, defined = attempts.of(case)
    try:
        observed = subject.attempt(case.keras_name, arguments, shapes, route)
    except NotOfferedError:
        raise
    except Exception as error:
        return _judged(error, misuse)
    if defined is None:
        return Verdict(Outcome.ACCEPTED, f"{misuse.due} is due ({misuse}), got a result of shape {observed}")
    if observed != defined:
        return Verdict(Outcome.WRONG_SHAPE, f"{misuse}: expected shape {defined}, or an exception, got {observed}")
    return Verdict(Outcome.CONFORMS)


def _judged(error: Exception, misuse: Misuse) -> Verdict:
    """Whether this is the exception that is due."""
    if misuse.due != Due.NAMED:
        if isinstance(error, FALLEN):
            return Verdict(Outcome.DECLINED, f"{misuse.due} is due ({misuse}), got an accident: {said(error)}")
        return Verdict(Outcome.CONFORMS)
    own = str(error).partition("Arguments received by")[0]  # what Keras repeats of the call names everything
    if not isinstance(error, (ValueError, TypeError)):
        return Verdict(Outcome.DECLINED, f"{misuse.due} is due ({misuse}), got another type: {said(error)}")
    if re.search(misuse.names or _named(misuse.argument), own, re.IGNORECASE) is None:
        return Verdict(Outcome.DECLINED, f"{misuse.due} is due ({misuse}), got one that does not name it: {said(error)}")
    return Verdict(Outcome.CONFORMS)


def _named(argument: str) -> str:
    """How a message may name an argument: in the singular, in words; an initializer, regularizer or constraint without what it is of."""
    kind = re.fullmatch("(?:kernel|bias|activity)_((?:initializ|regulariz|constrain).*)", argument)
    stem = "dilation" if argument == "dilation_rate" else kind[1] if kind else argument.removesuffix("s")
    return rf"(?<![a-z]){stem.replace('_', '[_ ]?')}"


ERRORS = Claim("errors", judge, "attempt", modes=("eager",), script=repro.misuse, misuses=True)
