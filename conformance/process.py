"""A process of the subject as the run sees it: it answers requests, is watched while it does, and tells how it ended if it does not.

A new interpreter, not a fork: a framework that has run an operation does not survive forking.
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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from conformance import served
from conformance.messages import Messages
from conformance.outcomes import Outcome, ended_by

LOOK = 0.2
"""Seconds between two looks at a process that has not answered yet: does it still live, and how large is it?"""

LOG_KEPT = 1 << 20
"""Bytes of output after which the log of a process begins anew."""


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


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a call: what the function returned, or what it raised or `EndedError`; how long that took; and what was written."""

    value: Any
    error: Exception | None
    seconds: float
    written: str

    def told(self) -> Any:
        """The value. What was written is handed on as if it had been written here: pytest captures it, or shows it with ``-s``.

        Raises:
            EndedError: no answer came, and the process is no more.
            Exception: what the function raised there.
        """
        sys.stderr.write(self.written)
        if self.error is not None:
            raise self.error
        return self.value


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
        (reply,) = self.ask_together(seconds, function, [arguments], most=0.0)
        return reply.told()

    def ask_together(self, seconds: float, function: str, calls: Sequence[tuple[Any, ...]], most: float) -> list[Reply]:
        """What became of the first call and of each that could be begun within ``most`` seconds, of which each may take ``seconds``.

        They run one after the other. The last reply may be that the process ended.
        """
        self._asked = True
        replies: list[Reply] = []
        started = time.perf_counter()
        try:
            self._messages.send(served.Request(function, calls, most))
            while self._asked:
                answer = self._answer(seconds)
                self._asked = not answer.last
                error, where = (None, "") if answer.kind == served.RESULT else answer.value
                if error is not None:
                    error.add_note(where)
                now, said = time.perf_counter(), self._said(answer.written)
                self._shown = max(self._shown, answer.written)
                replies.append(Reply(None if error else answer.value, error, now - started, said))
                started = now
        except (EOFError, OSError):
            replies.append(Reply(None, EndedError(Outcome.CRASHED, self._ending()), time.perf_counter() - started, ""))
        except EndedError as error:
            replies.append(Reply(None, error, time.perf_counter() - started, ""))
        if self.lives and self._shown > LOG_KEPT:
            self._log.truncate(0)
            self._shown = 0
        return replies

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
        said = None if code == 0 else f"{ended_by(code)} when it was told to end: {last_words(self._said())}"
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
        words = last_words(self._said())
        self._kill()
        self._close()
        return f"{ended_by(code)}, no result: {words}"

    def _close(self) -> None:
        self.lives = False
        self._messages.close()
        self._log.close()

    def _said(self, size: int | None = None) -> str:
        """What the process wrote after what has been read, until the log had this size, or all."""
        size = os.fstat(self._log.fileno()).st_size if size is None else size
        start = max(self._shown, size - LOG_KEPT)
        return os.pread(self._log.fileno(), size - start, start).decode("utf-8", "replace") if size > start else ""


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


def last_words(said: str) -> str:
    """The line that tells why: the first that speaks of a failed check or a fatal error, else the last before Python's own trace."""
    own, _, trace = said.partition(TRACE)
    lines = [line.strip() for line in own.splitlines() if line.strip()]
    telling = [line for line in lines if "check fail" in line.lower() or "fatal" in line.lower()]
    at = next((f" at {line.strip()}" for line in trace.splitlines() if line.startswith("  File ")), "")
    return (telling or lines[-1:] or [f"{trace.splitlines()[0]}{at}" if trace else "no message"])[0][:300]
