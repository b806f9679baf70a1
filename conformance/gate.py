"""One process's share of a run: the subject, what is known to deviate, and the judgement of one case after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from conformance import deviations, repro
from conformance.cases import Case
from conformance.claims import Claim
from conformance.deviations import Deviation
from conformance.isolated import Host
from conformance.outcomes import Outcome, Verdict
from conformance.results import Record, case_record
from conformance.subjects import SubjectError

KERAS = "conformance.subjects.keras_layers:KerasLayers"
"""The subject when no other is asked for."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a run makes of a verdict: the line for the results file, whether the case passes, and the text for people if it does not."""

    record: Record
    passes: bool
    text: str
    deviation: Deviation | None


class Gate:
    """Judges cases by claims. ``host`` loads the subject when the first case asks for it, so collecting and the controller stay light."""

    def __init__(self, subject: str, entries: tuple[Deviation, ...], host: Host) -> None:
        self._name = subject
        self._entries = entries
        self._host = host

    @cached_property
    def environment(self) -> dict[str, Any]:
        """What the subject says that it is; of one that cannot be loaded, why not."""
        try:
            own = self._host.environment
        except SubjectError as error:
            own = {"keras": None, "backend": None, "device": None, "versions": {}, "flags": {}, "error": str(error)}
        return {"subject": self._name, **own}

    @cached_property
    def _known(self) -> tuple[Deviation, ...]:
        """The entries that speak of this environment."""
        return tuple(entry for entry in self._entries if entry.applies(self.environment))

    def judge(self, case: Case, mode: str, claim: Claim) -> Judgement:
        """Check one case by one claim and hold the verdict against what is known to deviate."""
        known = deviations.covering(self._known, case, mode, claim.name)
        fatal = known is not None and known.outcome in (Outcome.CRASHED, Outcome.HUNG)
        try:
            verdict, seconds = (self._host.alone if fatal else self._host.judge)(case, mode, claim)
        except SubjectError as error:
            verdict, seconds = Verdict(Outcome.CRASHED, str(error)), 0.0
        if known is not None and known.heuristic and verdict.outcome == Outcome.CONFORMS:
            known = None
        record = case_record(case, claim.name, mode, verdict, known.id if known else None, seconds)
        if known is None:
            passes = verdict.outcome == Outcome.CONFORMS
            return Judgement(record, passes, "" if passes else self._text(case, mode, verdict), None)
        if known.says(verdict):
            return Judgement(record, True, f"{known.id}: {known.reason}", known)
        if verdict.outcome == Outcome.CONFORMS:
            text = (
                f"{case} [{mode}]: conforms, though deviation {known.id!r} says {known.outcome}\nfixed upstream: narrow or delete the entry"
            )
        else:
            text = f"deviation {known.id!r} says {known.outcome} ({known.reason}), but:\n{self._text(case, mode, verdict)}"
        return Judgement(record, False, text, known)

    def _text(self, case: Case, mode: str, verdict: Verdict) -> str:
        text = f"{case} [{mode}]: {verdict.outcome}\n{verdict.message}"
        if self.environment.get("keras") is None:
            return text
        return f"{text}\nto see it with numpy and keras alone:\n\n{repro.script(case, self.environment['backend'], verdict.at)}\n"
