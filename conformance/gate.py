"""One process's share of a run: the subject, what is known to deviate, and the judgement of one case after the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any, NamedTuple

from conformance import deviations
from conformance.baseline import BASELINE, Baseline
from conformance.cases import Case
from conformance.claims import Claim
from conformance.deviations import Deviation
from conformance.isolated import Asked, Host
from conformance.outcomes import FATAL, Outcome, Verdict
from conformance.records import Record, case_record
from conformance.subjects import SubjectError

KERAS = "conformance.subjects.keras_layers:KerasLayers"
"""The subject when no other is asked for."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a run makes of a verdict: the line for the results file, and the text for people if the case does not pass or deviates."""

    record: Record
    text: str

    @property
    def passes(self) -> bool:
        return bool(self.record["passes"])

    @property
    def known(self) -> bool:
        """Whether it passes as something that deviates."""
        return self.passes and self.record["deviation"] is not None


class _Held(NamedTuple):
    """A verdict held against what was to be expected: the name of the deviation that covers it, whether it passes, and why."""

    deviation: str | None
    passes: bool
    why: str


class Gate:
    """Judges cases by claims. ``host`` loads the subject when the first case asks for it, so collecting and the controller stay light."""

    def __init__(self, subject: str, entries: tuple[Deviation, ...], host: Host, baseline: Baseline | None = None) -> None:
        self._name = subject
        self._entries = entries
        self.host = host
        self._baseline = baseline
        self._speaking: dict[tuple[str, ...], tuple[Deviation, ...]] = {}

    @cached_property
    def environment(self) -> dict[str, Any]:
        """What the subject says that it is; of one that cannot be loaded, why not."""
        try:
            own = self.host.environment
        except SubjectError as error:
            own = {"keras": None, "backend": None, "device": None, "versions": {}, "flags": {}, "error": str(error)}
        return {"subject": self._name, **own}

    @cached_property
    def _known(self) -> tuple[Deviation, ...]:
        """The entries that speak of this environment."""
        return tuple(entry for entry in self._entries if entry.applies(self.environment))

    def fatal(self, case: Case, mode: str, claim: Claim) -> bool:
        """Whether it is known that this check takes its process down; `judge` then gives it one for itself."""
        return _is_fatal(*self._expected(case, mode, claim))

    def _expected(self, case: Case, mode: str, claim: Claim) -> tuple[Deviation | None, Outcome | None]:
        """The deviation that covers the check, and what it came to in the baseline."""
        before = self._baseline.outcome(case, mode, claim.name) if self._baseline else None
        return self._covering(case, mode, claim), before

    def _covering(self, case: Case, mode: str, claim: Claim, verdict: Verdict | None = None) -> Deviation | None:
        scope = {"layer": case.layer, "padding": case.padding, "mode": mode, "claim": claim.name}
        key = tuple(scope.values())
        if key not in self._speaking:  # most entries speak of other layers, and few layers are met by turns
            self._speaking[key] = tuple(entry for entry in self._known if entry.speaks_of(**scope))
        return deviations.covering(self._speaking[key], case, mode, claim.name, verdict)

    def judge(self, case: Case, mode: str, claim: Claim, following: Iterable[Asked] = ()) -> Judgement:
        """Check one case by one claim and hold the verdict against what is known to deviate, or against the baseline if it has the case.

        ``following`` is what will be asked next, as far as that is known: what is not fatal may be judged already.
        """
        known, before = self._expected(case, mode, claim)
        try:
            if _is_fatal(known, before):
                verdict, seconds = self.host.alone(case, mode, claim)
            else:
                verdict, seconds = self.host.judge(case, mode, claim, takewhile(lambda asked: not self.fatal(*asked), following))
        except SubjectError as error:
            verdict, seconds = Verdict(Outcome.CRASHED, str(error)), 0.0
        if known is not None:
            known = self._covering(case, mode, claim, verdict)
        held = _held_to_entry(verdict, known, claim.name) if before is None else _held_to_baseline(verdict, known, before)
        record = case_record(case, claim.name, mode, verdict, held.deviation, seconds, held.passes)
        return Judgement(record, held.why if held.passes else self._text(case, mode, claim, verdict, held.why))

    def _text(self, case: Case, mode: str, claim: Claim, verdict: Verdict, why: str) -> str:
        text = "\n".join(part for part in (f"{case} [{mode}]: {verdict.outcome}", why, verdict.message) if part)
        if self.environment.get("keras") is None or verdict.outcome == Outcome.CONFORMS or claim.script is None:
            return text
        script = claim.script(case, self.environment["backend"], verdict.at, verdict.message, mode)
        return text if script is None else f"{text}\nto see it without convformance:\n\n{script}\n"


def _is_fatal(known: Deviation | None, before: Outcome | None) -> bool:
    return before in FATAL or (known is not None and known.fatal)


def _held_to_entry(verdict: Verdict, known: Deviation | None, claim: str) -> _Held:
    """Strict both ways: what no entry covers must conform, and what one covers must deviate as it says."""
    if known is not None and known.may_conform(claim) and verdict.outcome == Outcome.CONFORMS:
        known = None
    if known is None:
        return _Held(None, verdict.outcome == Outcome.CONFORMS, "")
    if known.says(verdict):
        return _Held(known.id, True, f"{known.id}: {known.reason}")
    if verdict.outcome == Outcome.CONFORMS:
        return _Held(known.id, False, f"though deviation {known.id!r} says {known.outcome}\nfixed upstream: narrow or delete the entry")
    return _Held(known.id, False, f"but deviation {known.id!r} says {known.outcome} ({known.reason})")


def _held_to_baseline(verdict: Verdict, known: Deviation | None, before: Outcome) -> _Held:
    """What came to the same outcome before passes, and what conforms now."""
    if verdict.outcome == Outcome.CONFORMS:
        return _Held(None, True, "")
    also = f"; deviation {known.id!r} knows of it: {known.reason}" if known is not None and known.says(verdict) else ""
    if verdict.outcome == before:
        return _Held(known.id if known else BASELINE, True, f"as in the baseline{also}")
    return _Held(known.id if known else None, False, f"{before} in the baseline{also}")
