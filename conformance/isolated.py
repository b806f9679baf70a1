"""The subject in a process of its own, so that a run survives what it tests: crashes, hangs, exits, and memory without end.

A run keeps one such process, which judges case by case. When the process dies, or is killed since it gave no answer in time or grew too
large, that is the verdict on the case, and the next case starts another process. What is known to crash or hang gets a process for itself.

The process is asked for some cases at once, if it is known which follow, and answers each when it is judged. One that waits while another
reports finds its caches cold, case by case, which costs a framework an eighth of its time.

A framework that compiles keeps what it compiled: after some thousand functions it holds gigabytes, and the kernel maps no more memory for
it. That says nothing of the case that happens to come then, so a process is ended well before, and another goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import Any, Protocol

from conformance import served
from conformance.cases import Case
from conformance.claims import Claim
from conformance.outcomes import FATAL, Outcome, Verdict
from conformance.process import EndedError, Limits, Process, Reply
from conformance.subjects import SubjectError

WEIGHED = 200
"""Cases between two looks at what a process has come to hold: each compiles at most a few functions, of a few mappings each."""

REMEMBERED = 3
"""Cases named that a process judged before the one it died with."""

TOGETHER, TOGETHER_SECONDS = 16, 0.3
"""Cases that a process is asked for at once, and the seconds after which it begins no other of them: people look at progress."""

Asked = tuple[Case, str, Claim]
"""What is judged: a case, in a mode, by a claim."""


class Host(Protocol):
    """Where a subject lives and its cases are judged."""

    @property
    def environment(self) -> Mapping[str, Any]:
        """What the subject says that it is.

        Raises:
            SubjectError: it cannot be had; one line.
        """
        ...

    def judge(self, case: Case, mode: str, claim: Claim, following: Iterable[Asked] = ()) -> tuple[Verdict, float]:
        """The verdict on a case by a claim, and the seconds that it took; ``following`` is what will be asked next, so far as known.

        Raises:
            NotOfferedError: the subject has nothing to be judged here.
            UntrustedCaseError: the project is at fault.
        """
        ...

    def alone(self, case: Case, mode: str, claim: Claim) -> tuple[Verdict, float]:
        """As `judge`, in a process that nothing else is judged in."""
        ...

    def call(self, function: str, *arguments: Any) -> Any:
        """What ``function``, a ``module:function``, returns where the subject lives.

        Raises:
            EndedError: the process died, or was killed, instead of answering.
            Exception: what the function raised.
        """
        ...

    def renewed(self) -> str | None:
        """What the process had come to hold that another follows, if one does that was not asked about before."""
        ...

    def close(self) -> str | None:
        """End what was started; what went wrong with that, if anything did."""
        ...


class InProcess:
    """The subject in this very process, for debuggers, profilers, and whoever reaches into it. A crash ends the run."""

    def __init__(self, subject: str, limits: Limits) -> None:
        self._subject, self._limits = subject, limits

    @property
    def environment(self) -> Mapping[str, Any]:
        return served.environment(self._subject)

    def judge(self, case: Case, mode: str, claim: Claim, following: Iterable[Asked] = ()) -> tuple[Verdict, float]:
        return served.judge(self._subject, case, mode, claim.name)

    def alone(self, case: Case, mode: str, claim: Claim) -> tuple[Verdict, float]:
        return alone(self._subject, self._limits, case, mode, claim)

    def call(self, function: str, *arguments: Any) -> Any:
        return served.function(function)(*arguments)

    def renewed(self) -> str | None:
        return None

    def close(self) -> str | None:
        return None


class Isolated:
    """The subject in a process of its own, started when it is first asked for and started again after it died."""

    def __init__(self, subject: str, limits: Limits) -> None:
        self._subject, self._limits = subject, limits
        self._process: Process | None = None
        self._before: deque[tuple[Case, str, str]] = deque(maxlen=REMEMBERED)
        self._ahead: dict[Asked, Reply] = {}
        self._judged = self._weighed = 0
        self._ended_badly: list[str] = []
        self._renewed: str | None = None

    @cached_property
    def _loaded(self) -> Mapping[str, Any] | SubjectError:
        """The environment, or why there is none: asked once, since a subject that cannot be loaded can be waited for long."""
        self._process = Process(self._limits)
        try:
            found: Mapping[str, Any] = self._process.ask(self._limits.start, "conformance.served:environment", self._subject)
        except SubjectError as error:
            return error
        except EndedError as error:
            return SubjectError(f"subject {self._subject!r} cannot be loaded: {error}")
        except Exception as error:
            return SubjectError(f"subject {self._subject!r} cannot be loaded: {type(error).__name__}: {error}")
        return found

    @property
    def environment(self) -> Mapping[str, Any]:
        if isinstance(self._loaded, SubjectError):
            raise self._loaded
        return self._loaded

    def judge(self, case: Case, mode: str, claim: Claim, following: Iterable[Asked] = ()) -> tuple[Verdict, float]:
        asked = case, mode, claim
        if asked not in self._ahead:
            self._let_go()
            self._ask(asked, *islice(following, TOGETHER - 1))
        judged: tuple[Verdict, float] = self._ahead.pop(asked).told()
        return judged

    def alone(self, case: Case, mode: str, claim: Claim) -> tuple[Verdict, float]:
        return alone(self._subject, self._limits, case, mode, claim)

    def call(self, function: str, *arguments: Any) -> Any:
        return self._running().ask(self._limits.seconds, function, *arguments)

    def renewed(self) -> str | None:
        said, self._renewed = self._renewed, None
        return said

    def close(self) -> str | None:
        self._let_go()
        self._end()
        said, self._ended_badly = "\n".join(self._ended_badly), []
        return said or None

    def _end(self) -> None:
        """End the process if there is one, and remember what was wrong with that."""
        said = self._process.end(self._limits.end) if self._process is not None else None
        if said is not None:
            self._ended_badly.append(f"{said}; its last cases were {self._last_cases() or 'none'}")
        self._process = None

    def _renew(self) -> None:
        """Now and then see whether the process holds so much that another is to go on."""
        due = (self._judged + 1) // WEIGHED
        if due == self._weighed or self._process is None or not self._process.lives:
            return
        self._weighed = due
        held = (("memory", self._process.memory, self._limits.memory), ("mappings", self._process.mappings, self._limits.mappings))
        much = [name for name, has, most in held if most is not None and has > most / 2]
        if much:
            self._renewed = f"half of the {' and '.join(much)} that a process may have"
            self._end()
            self._before.clear()

    def _last_cases(self) -> str:
        return ", ".join(f"{case} [{mode}] ({claim})" for case, mode, claim in self._before)

    def _running(self) -> Process:
        """The process, a new one if the last has died; with the subject loaded, so that a slow import counts for no case.

        Raises:
            SubjectError: it cannot be loaded, or could before, but no longer.
        """
        if isinstance(self._loaded, SubjectError):  # whatever is asked first starts the first process, and no other is started beside it
            raise self._loaded
        if self._process is None or not self._process.lives:
            self._process = Process(self._limits)
            try:
                self._process.ask(self._limits.start, "conformance.served:environment", self._subject)
            except EndedError as error:
                raise SubjectError(f"subject {self._subject!r} cannot be loaded again: {error}") from None
        return self._process

    def _ask(self, *together: Asked) -> None:
        """Ask the process for these, one after the other, and keep what it answers, or that it ended, until it is asked for."""
        self._renew()
        for asked, reply in zip(together, self._replies(*together), strict=False):  # the last may have been left for later
            self._judged += 1
            if isinstance(reply.error, EndedError):
                self._ahead[asked] = replace(reply, value=(self._ended(reply.error, *asked), reply.seconds), error=None)
                break
            case, mode, claim = asked
            if reply.error is None:
                self._before.append((case, mode, claim.name))
            self._ahead[asked] = reply

    def _replies(self, *together: Asked) -> list[Reply]:
        calls = [(self._subject, case, mode, claim.name) for case, mode, claim in together]
        return self._running().ask_together(self._limits.seconds, "conformance.served:judge", calls, TOGETHER_SECONDS)

    def _let_go(self) -> None:
        """Forget what was judged but never asked for: another worker took it over, or the run stops. Not that a process died of it."""
        for (case, mode, claim), reply in self._ahead.items():
            if reply.error is None and reply.value[0].outcome in FATAL:
                self._ended_badly.append(f"{case} [{mode}] ({claim.name}), judged in advance: {reply.value[0].message}")
        self._ahead.clear()

    def _ended(self, error: EndedError, case: Case, mode: str, claim: Claim) -> Verdict:
        """The verdict on a case that a process ended with."""
        before, ended = self._last_cases(), Verdict(error.outcome, str(error))
        self._before.clear()
        return self._doubted(ended, before, case, mode, claim) if before and ended.outcome == Outcome.CRASHED else ended

    def _doubted(self, ended: Verdict, before: str, case: Case, mode: str, claim: Claim) -> Verdict:
        """Was it this case? One that spoils memory may be dead only some cases later. The new process, needed anyway, is asked again."""
        try:
            again, _ = self._replies((case, mode, claim))[0].told()
        except EndedError as error:
            return Verdict(error.outcome, str(error))
        except Exception as error:
            said = f"raises {type(error).__name__}"
        else:
            said = f"comes to {again.outcome}"
        return Verdict(
            ended.outcome,
            f"{ended.message}\nin a new process this case {said}: one of those before it may have done the damage; the last were {before}",
        )


def alone(subject: str, limits: Limits, case: Case, mode: str, claim: Claim) -> tuple[Verdict, float]:
    """The verdict on a case from a process that nothing else is judged in; ``crashed`` or ``hung`` if that process brings none."""
    host = Isolated(subject, limits)
    try:
        verdict, seconds = host.judge(case, mode, claim)
    finally:
        at_end = host.close()
    if at_end is not None and verdict.outcome == Outcome.CONFORMS:
        return Verdict(Outcome.CRASHED, at_end), seconds
    return verdict, seconds
