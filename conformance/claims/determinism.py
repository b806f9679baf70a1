"""Claim ``determinism``: on the same machine, the same layer gives the same bits for the same floats, forwards and backwards.

Told beside it, as characteristics, is whether the bits of an item depend on the batch that it is in, and those of a result on the data
format: floats may be summed in another order there. (On exact data they may not, and claim ``forward`` sees to it.)

One case in `ONE_IN`: every other shape that a layer meets may be compiled anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from conformance import families
from conformance.cases import DATA_FORMATS, Case
from conformance.claims.base import Claim, defined, exception
from conformance.outcomes import Outcome, Verdict
from conformance.spread import part
from conformance.subjects import NotOfferedError, Observed, Subject
from reference.arguments import Array

ONE_IN = 16

SAME, OTHER, NO = "the same bits", "other bits", "declined"
"""What the characteristics say."""


def judge(subject: Subject, case: Case, mode: str) -> Verdict:
    """``layer(x)`` twice, and its gradients twice, to the bit; then ``layer(x[i : i + 1])`` and the other data format."""
    probe = families.floats(case)
    try:
        first, again = subject.forward(case, probe, mode), subject.forward(case, probe, mode)
    except NotOfferedError:
        raise
    except Exception as error:
        return exception(error, None)
    moved = _moved("output", first, again) or _gradients_moved(subject, case, mode)
    if moved:
        return Verdict(Outcome.WRONG_VALUE, moved)
    characteristics: dict[str, str | int | float | bool | None] = {}
    if case.batch > 1:
        item = case.batch - 1
        alone = replace(case, input_shape=(1, *case.input_shape[1:]))
        found = _tried(lambda: subject.forward(alone, replace(probe, x=probe.x[item:]), mode).values, first.values[item:])
        characteristics["an item alone"] = found
    one, other = (-1, 1) if case.data_format == DATA_FORMATS[0] else (1, -1)
    turned = replace(case, data_format=next(each for each in DATA_FORMATS if each != case.data_format))
    x = np.ascontiguousarray(np.moveaxis(probe.x, one, other))
    characteristics["the other data format"] = _tried(
        lambda: np.moveaxis(subject.forward(turned, replace(probe, x=x), mode).values, other, one), first.values
    )
    return Verdict(Outcome.CONFORMS, characteristics=characteristics)


def _gradients_moved(subject: Subject, case: Case, mode: str) -> str | None:
    """What differs between two calls for gradients; None if nothing does, or there are none, which claim ``gradients`` judges."""
    gradients = getattr(subject, "gradients", None)
    if gradients is None:
        return None
    probe = families.float_gradients(case)
    try:
        first, again = gradients(case, probe, mode), gradients(case, probe, mode)
    except Exception:  # said by claim gradients
        return None
    return next((said for name in first if (said := _moved(f"gradient with respect to the {name}", first[name], again[name]))), None)


def _moved(what: str, first: Observed, again: Observed) -> str | None:
    """How two results differ, in words; None if they do not."""
    if first.values.shape != again.values.shape:
        return f"{what}: the second call gives shape {again.values.shape}, the first {first.values.shape}"
    differs = _bits(first.values) != _bits(again.values)
    if not differs.any():
        return None
    at = tuple(int(i) for i in np.argwhere(differs)[0])
    return (
        f"{what}: {np.count_nonzero(differs)} of {differs.size} elements have other bits in the second call, first at {list(at)}:"
        f" {first.values[at]:.9g}, then {again.values[at]:.9g}"
    )


def _tried(run: Callable[[], Array], wanted: Array) -> str:
    """Whether what a subject gives has the bits of what it gave before."""
    try:
        found = run()
    except Exception:  # a subject need not do everything: claim forward judges what it declines
        return NO
    return SAME if found.shape == wanted.shape and np.array_equal(_bits(found), _bits(wanted)) else OTHER


def _bits(values: Array) -> Array:
    """The numbers as bits: so is NaN equal to itself, and zero to no zero of the other sign."""
    return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")


def chosen(case: Case) -> bool:
    """One in `ONE_IN` of the cases where a result is defined."""
    return part(case, ONE_IN, "determinism") == 0 and defined(case)


DETERMINISM = Claim("determinism", judge, concerns=chosen, modes=("eager", "graph", "xla"))  # the others make a model of every case
