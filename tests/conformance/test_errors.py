"""The claim ``errors`` passes a subject that refuses as it must, and rejects every other way to meet a misuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from conformance import attempts, deviations, grids, repro
from conformance.cases import Case, CaseError, parse
from conformance.claims import CLAIMS
from conformance.claims.errors import ERRORS
from conformance.contract import Shape
from conformance.facts import MISUSE_FACTS, case_facts
from conformance.misuses import MISUSES, ROUTES, Due, words
from conformance.outcomes import Outcome
from conformance.subjects import NotOfferedError, load
from tests.conformance.subjects import Right

CASES = grids.misused()
SOUND = "conv2d-valid-in2x5x6x4-k3x2-f4-s1x1"


class Answering(Right):
    """Raises, or gives, one and the same whatever it is asked."""

    def __init__(self, answer: Exception | Shape) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, Any], tuple[Shape, ...], str]] = []

    def attempt(self, layer: str, arguments: Mapping[str, Any], shapes: Sequence[Shape], route: str) -> Shape:
        self.asked.append((layer, dict(arguments), tuple(shapes), route))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def judged(answer: Exception | Shape, case: Case) -> tuple[Outcome, str]:
    verdict = ERRORS(Answering(answer), case, "eager")
    return verdict.outcome, verdict.message


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_must_be_refused_by_name_or_is_odd_but_defined(case: Case) -> None:
    attempt = attempts.of(case)
    assert parse(str(case)) == case
    word = f"{attempt.misuse.argument} channels, shape" if attempt.misuse.argument == "input" else attempt.misuse.argument
    for kind in (ValueError, TypeError):
        assert judged(kind(f"invalid {word}"), case) == (Outcome.CONFORMS, "")
    named = attempt.misuse.due == Due.NAMED
    assert (judged(ValueError("invalid"), case)[0] == Outcome.DECLINED) == named
    assert (judged(RuntimeError(f"invalid {word}"), case)[0] == Outcome.DECLINED) == named
    assert judged(AttributeError(f"{word} has no attribute"), case)[0] == Outcome.DECLINED
    wrong = judged((1, 2, 3), case)[0]
    assert wrong == (Outcome.ACCEPTED if attempt.defined is None else Outcome.WRONG_SHAPE)
    if attempt.defined is not None:
        assert attempt.misuse.due == Due.DEFINED
        assert judged(attempt.defined, case) == (Outcome.CONFORMS, "")


def test_what_keras_repeats_of_the_call_names_nothing() -> None:
    error = ValueError("it went wrong.\n\nArguments received by Conv2D.call():\n  strides=0")
    outcome, message = judged(error, parse(f"{SOUND}-strides=zero"))
    assert outcome == Outcome.DECLINED
    assert "does not name it" in message


@pytest.mark.parametrize(
    ("argument", "message", "names"),
    [
        ("strides=zero", "the stride must be positive", True),
        ("strides=zero", "restrides", False),
        ("kernel_size=zero", "kernel size", True),
        ("dilation_rate=zero", "the dilation", True),
        ("kernel_initializer=unknown", "could not interpret initializer", True),
        ("kernel_initializer=unknown", "could not interpret kernel", False),
        ("input=other_channels", "expected axis -1 to have 4", True),
    ],
)
def test_an_argument_may_be_named_in_words(argument: str, message: str, names: bool) -> None:
    assert (judged(ValueError(message), parse(f"{SOUND}-{argument}"))[0] == Outcome.CONFORMS) is names


def test_the_layer_is_met_as_the_case_says() -> None:
    for text, shapes, route in (
        ("strides=zero@symbolic", ((2, 5, 6, 4),), "symbolic"),
        ("input=other_channels@shape", ((2, 5, 6, 4), (2, 5, 6, 7)), "shape"),
        ("input=too_few_axes", ((2, 5, 4),), "eager"),
        ("channels_first-input=no_channels", ((2, 0, 5, 6),), "eager"),
    ):
        subject = Answering(ValueError())
        ERRORS(subject, parse(f"{SOUND}-{text}"), "eager")
        ((layer, arguments, met, by),) = subject.asked
        assert (layer, met, by) == ("Conv2D", shapes, route)
        assert arguments["strides" if "strides" in text else "filters"] == (0 if "strides" in text else 4)


def test_what_is_defined_is_told_by_the_reference() -> None:
    assert attempts.of(parse(f"{SOUND}-strides=huge")).defined == (2, 1, 1, 4)
    assert attempts.of(parse(f"{SOUND}-dilation_rate=huge")).defined is None
    assert attempts.of(parse(f"{SOUND}-input=no_batch")).defined == (0, 3, 5, 4)
    assert attempts.of(parse("conv2d_transpose-valid-in2x5x6x4-k3x2-f4-s1x1-filters=huge")).defined == (2, 7, 7, 2**40)


def test_every_argument_is_misused_on_every_route() -> None:
    of_layers = {
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "activation", "dtype", "kernel_initializer",
        "bias_initializer", "kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint",
        "input",
    }  # fmt: skip
    assert {misuse.argument for misuse in MISUSES["conv2d"].values()} == of_layers | {"groups"}
    assert {misuse.argument for misuse in MISUSES["conv2d_transpose"].values()} == of_layers | {"output_padding"}
    for misuses in MISUSES.values():
        assert {len(words(misuse)) for misuse in misuses.values()} == {len(ROUTES), len(ROUTES) - 1}


def test_claims_speak_of_misuses_or_of_what_is_sound() -> None:
    sound, wrong = parse(SOUND), parse(f"{SOUND}-strides=zero")
    assert [claim.name for claim in CLAIMS.values() if claim.speaks_of(wrong, "eager")] == ["errors"]
    assert not ERRORS.speaks_of(sound, "eager")
    assert not any(case.misuse for grid in grids.BOUNDS for case in grids.grid(grid))


def test_a_subject_that_cannot_be_given_anything_does_not_offer_it() -> None:
    with pytest.raises(NotOfferedError, match="no method 'attempt'"):
        CLAIMS["errors"](load("tests.conformance.subjects:Right"), CASES[0], "eager")


def test_only_entries_that_speak_of_misuses_cover_them() -> None:
    wrong = parse(f"{SOUND}-strides=zero@shape")
    assert [case_facts(wrong, "eager", "errors")[name] for name in MISUSE_FACTS] == ["strides", "zero", "shape"]
    assert [case_facts(parse(SOUND), "eager", "errors")[name] for name in MISUSE_FACTS] == [None] * 3
    for entry in deviations.load():
        covered = [case for case in CASES if entry.covers(case, "eager", "errors")]
        assert bool(covered) == bool(set(MISUSE_FACTS) & set(entry.where)), entry.id


@pytest.mark.parametrize(
    "text", ["strides=", "strides=sideways", "=", "strides=zero@", "strides=zero@eager", "output_padding=stride", "a=b@c"]
)
def test_what_is_no_misuse_is_no_case(text: str) -> None:
    with pytest.raises(CaseError, match="unknown misuse"):
        parse(f"{SOUND}-{text}")


@pytest.mark.parametrize("case", CASES[::7], ids=str)
def test_the_script_is_python_and_says_what_is_due(case: Case) -> None:
    script = repro.misuse(case, "jax")
    compile(script, "script", "exec")
    assert f"({attempts.of(case).misuse})" in script.splitlines()[-1]
    assert len(script.splitlines()) <= 15
