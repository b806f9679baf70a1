"""The subject in a process of its own, so that a run survives what it tests: crashes, hangs, exits, and memory without end.

A run keeps one such process and asks it case by case, which costs a message and its answer. When the process dies, or is killed since
it gave no answer in time or grew too large, that is the verdict on the case, and the next case starts another process. What is known
to crash or hang gets a process for itself. A new interpreter, not a fork: a framework that has run an operation does not survive forking.

A framework that compiles keeps what it compiled: after some thousand functions it holds gigabytes, and the kernel maps no more memory for
it. That says nothing of the case that happens to come then, so a process is ended well before, and another goes on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from conformance import served
from conformance.cases import Case
from conformance.claims import Claim
from conformance.messages import Messages
from conformance.outcomes import Outcome, Verdict, ended_by
from conformance.subjects import SubjectError

LOOK = 0.2
"""Seconds between two looks at a process that has not answered yet: does it still live, and how large is it?"""

LOG_KEPT = 1 << 20
"""Bytes of output after which the log of a process begins anew."""

WEIGHED = 200
"""Cases between two looks at what a process has come to hold: each compiles at most a few functions, of a few mappings each."""

REMEMBERED = 3
"""Cases named that a process judged before the one it died with."""


class Limits(NamedTuple):
    """What a process of the subject is allowed: seconds for a case, to start and import a framework, and to end; bytes of memory, and how
    many mappings of it. One that has come to hold half of what it may is followed by another.
    """

    seconds: float = 120.0
    start: float = 600.0
    end: float = 300.0
    """What was compiled is freed then: after a full grid on a busy machine that takes JAX more than half a minute."""
    memory: int | None = None
    mappings: int | None = None


def most_mappings() -> int | None:
    """The pieces of memory that the kernel lets a process have, each with rights of its own; None where that cannot be told."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/proc/sys/vm/max_map_count").read_text(encoding="ascii"))
    return None


def half_of_memory() -> int | None:
    """Half the bytes that this machine, or the container around us, has; None where that cannot be told."""
    found = []
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            found.append(int(Path(name).read_text(encoding="ascii")))
    return min(found) // 2 if found else None


class EndedError(Exception):
    """The process died or was killed instead of answering: the outcome, and how it ended."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


class Host(Protocol):
    """Where a subject lives and its cases are judged."""

    @property
    def environment(self) -> Mapping[str, Any]:
        """What the subject says that it is.

        Raises:
            SubjectError: it cannot be had; one line.
        """
        ...

    def judge(self, case: Case, mode: str, claim: Claim) -> tuple[Verdict, float]:
        """The verdict on a case by a claim, and the seconds that it took.

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

    def judge(self, case: Case, mode: str, claim: Claim) -> tuple[Verdict, float]:
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
        self._judged = 0
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

    def judge(self, case: Case, mode: str, claim: Claim) -> tuple[Verdict, float]:
        self._renew()
        process, started = self._running(), time.perf_counter()
        try:
            judged = self._ask(process, case, mode, claim)
        except EndedError as error:
            ended, seconds = Verdict(error.outcome, str(error)), time.perf_counter() - started
        else:
            self._before.append((case, mode, claim.name))
            return judged
        before = self._last_cases()
        self._before.clear()
        if ended.outcome != Outcome.CRASHED or not before:
            return ended, seconds
        return self._doubted(ended, before, case, mode, claim), seconds

    def alone(self, case: Case, mode: str, claim: Claim) -> tuple[Verdict, float]:
        return alone(self._subject, self._limits, case, mode, claim)

    def call(self, function: str, *arguments: Any) -> Any:
        return self._running().ask(self._limits.seconds, function, *arguments)

    def renewed(self) -> str | None:
        said, self._renewed = self._renewed, None
        return said

    def close(self) -> str | None:
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
        self._judged += 1
        if self._judged % WEIGHED or self._process is None or not self._process.lives:
            return
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

    def _ask(self, process: Process, case: Case, mode: str, claim: Claim) -> tuple[Verdict, float]:
        """Raises: EndedError."""
        judged: tuple[Verdict, float] = process.ask(self._limits.seconds, "conformance.served:judge", self._subject, case, mode, claim.name)
        return judged

    def _doubted(self, ended: Verdict, before: str, case: Case, mode: str, claim: Claim) -> Verdict:
        """Was it this case? One that spoils memory may be dead only some cases later. The new process, needed anyway, is asked again."""
        try:
            again, _ = self._ask(self._running(), case, mode, claim)
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


class Process:
    """One process that answers requests, and the socket and the log between it and us."""

    def __init__(self, limits: Limits) -> None:
        self._allowed = limits.memory
        with tempfile.NamedTemporaryFile() as named:
            # always appended to, so that cutting it leaves no hole; its name goes at once
            self._log = Path(named.name).open("a+b")  # noqa: SIM115 - closed with the process
        ours, theirs = socket.socketpair()
        with theirs:
            code = f"import conformance.threads; from conformance.served import serve; serve({theirs.fileno()}, {os.getpid()})"
            self._popen = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-c", code],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(part or str(Path.cwd()) for part in sys.path)},
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is for the run, which then ends this process
            )
        self._messages = Messages(ours)
        self._asked = False
        self._shown = 0
        self.lives = True

    @property
    def memory(self) -> int:
        """Bytes of memory that the process has; 0 where that cannot be told."""
        return _resident(self._popen.pid)

    @property
    def mappings(self) -> int:
        """The pieces of memory that the process has; 0 where that cannot be told."""
        with contextlib.suppress(OSError), Path(f"/proc/{self._popen.pid}/maps").open("rb") as lines:
            return sum(1 for _ in lines)
        return 0

    def ask(self, seconds: float, function: str, *arguments: Any) -> Any:
        """What ``function`` returns there.

        Raises:
            EndedError: no answer came, and the process is no more.
            Exception: what the function raised there.
        """
        self._asked = True
        try:
            self._messages.send((function, arguments))
            kind, value = self._answer(seconds)
        except (EOFError, OSError):
            raise EndedError(Outcome.CRASHED, self._ending()) from None
        self._asked = False
        self._show()
        if kind == served.RESULT:
            return value
        error, where = value
        error.add_note(where)
        raise error

    def end(self, seconds: float) -> str | None:
        """Let the process end, or kill it if it is still at something; how it ended if not well."""
        if not self.lives:
            return None
        if self._asked:
            self._kill()
            self._close()
            return None
        self._messages.close()
        try:
            code = self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self._kill()
            self._close()
            return f"the process did not end within {seconds:g} s when it was told to"
        said = None if code == 0 else f"{ended_by(code)} when it was told to end: {_last_words(self._said())}"
        self._close()
        return said

    def _answer(self, seconds: float) -> Any:
        """Raises: EndedError, EOFError, OSError."""
        last = time.monotonic() + seconds
        while True:
            try:
                return self._messages.receive(max(min(LOOK, last - time.monotonic()), 1e-3))
            except TimeoutError:
                if self._popen.poll() is not None:
                    raise EOFError from None  # its end of the socket may live on in a process that it made
            used = self.memory if self._allowed is not None else 0
            if self._allowed is not None and used > self._allowed:
                outcome, why = Outcome.CRASHED, f"the process had {_gib(used)} of memory, {_gib(self._allowed)} are allowed: killed"
            elif time.monotonic() >= last:
                outcome, why = Outcome.HUNG, f"no result within {seconds:g} s"
            else:
                continue
            self._kill()
            self._close()
            raise EndedError(outcome, why)

    def _kill(self) -> None:
        """End it, with whatever it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.kill()
        self._popen.wait()

    def _ending(self) -> str:
        """How the process ended that gave no answer, and its last words."""
        try:
            code = self._popen.wait(10.0)
        except subprocess.TimeoutExpired:  # it closed the socket and lives on
            self._kill()
            code = 0
        words = _last_words(self._said())
        self._kill()
        self._close()
        return f"{ended_by(code)}, no result: {words}"

    def _close(self) -> None:
        self.lives = False
        self._messages.close()
        self._log.close()

    def _said(self) -> str:
        """What the process wrote since it was last shown."""
        size = os.fstat(self._log.fileno()).st_size
        start = max(self._shown, size - LOG_KEPT)
        return os.pread(self._log.fileno(), size - start, start).decode("utf-8", "replace")

    def _show(self) -> None:
        """Hand on what was written, as if it had been written here: pytest captures it, or shows it with ``-s``."""
        size = os.fstat(self._log.fileno()).st_size
        if size == self._shown:
            return
        sys.stderr.write(self._said())
        self._shown = size
        if size > LOG_KEPT:
            self._log.truncate(0)
            self._shown = 0


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where that cannot be told."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


TRACE = "Fatal Python error: "
"""How Python's own words at a crash begin: they say where it was, and the line before them why."""


def _last_words(said: str) -> str:
    """The line that tells why: the first that speaks of a failed check or a fatal error, else the last before Python's own trace."""
    own, _, trace = said.partition(TRACE)
    lines = [line.strip() for line in own.splitlines() if line.strip()]
    telling = [line for line in lines if "check fail" in line.lower() or "fatal" in line.lower()]
    at = next((f" at {line.strip()}" for line in trace.splitlines() if line.startswith("  File ")), "")
    return (telling or lines[-1:] or [f"{trace.splitlines()[0]}{at}" if trace else "no message"])[0][:300]
