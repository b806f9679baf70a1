"""Claim ``own_weights``: the layers of a user's model, with the weights that are in it, are as near to the defined result as others are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance import families, models
from conformance.cases import Case
from conformance.claims.base import Claim
from conformance.claims.bounded import arithmetic_of, held
from conformance.outcomes import Outcome, Verdict
from conformance.probes import Probe
from conformance.subjects import Subject
from reference.arguments import Array


def judge(subject: Subject, case: Case, mode: str) -> Verdict:
    """The claim ``bounded`` for every layer of the model that is this case, with its own kernels and bias, on random floats.

    The verdict is the first that does not conform, with the name of the layer, or else that of the layer with the largest error.
    """
    model = models.current()
    x = families.floats(case).x
    worst = Verdict(Outcome.CONFORMS)
    for number, layer in enumerate(model.layers if model is not None else ()):
        if layer.case != case or model is None:
            continue
        weights = {name: in_type(values, case.compute_dtype) for name, values in model.weights(number).items()}
        kernel, *pointwise = (weights[name] for name in case.kernel_names)
        # the layer may be kept for other inputs, so its weights have a name of their own
        probe = Probe(x, kernel, weights.get("bias"), {}, f"layer {number}", pointwise=pointwise[0] if pointwise else None)
        # trained weights have no mean that is known
        arithmetic = replace(arithmetic_of(subject, case, mode, "bounded", "output"), zero_mean=False)
        verdict = held(subject, case, mode, probe, arithmetic)
        if verdict.outcome != Outcome.CONFORMS:
            return replace(verdict, message=f"layer {layer.name}, with its own weights: {verdict.message}")
        if (verdict.error_in_bounds or 0.0) >= (worst.error_in_bounds or 0.0):
            worst = verdict
    return worst


def in_type(values: Array, dtype: str) -> Array:
    """What the weights are when the layer computes: the nearest numbers of its type, ties to even; NumPy has no bfloat16."""
    if dtype == "bfloat16":
        bits = values.astype(np.float32).view(np.uint32)
        return np.asarray((bits + 0x7FFF + (bits >> 16 & 1) & 0xFFFF0000).view(np.float32))
    return values.astype(dtype)


def has_weights(case: Case) -> bool:
    """Only layers from a file have weights of their own."""
    model = models.current()
    return model is not None and model.has_weights and any(layer.case == case for layer in model.layers)


OWN_WEIGHTS = Claim("own_weights", judge, concerns=has_weights, of_models=True, of_grids=False)
