"""The other end of `conformance.process`: what runs in the process of the subject. It answers one request after the other.

A request is the name of a function, ``module:function``, and the arguments of one or more calls of it; each call has an answer, which is
what the function gave, or how it ended otherwise. Whatever else the process writes goes to its log, so a framework may print what it likes.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import importlib
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from conformance import subjects
from conformance.cases import Case
from conformance.claims import CLAIMS
from conformance.messages import Messages
from conformance.outcomes import Outcome, Verdict
from conformance.quiet import quiet
from conformance.subjects import Subject

RESULT, RAISED = "result", "raised"
"""The two kinds of an answer: what the function returned, or the exception that it raised, with its traceback as text."""


class Request(NamedTuple):
    """Calls of a function, one after the other until they have taken so many seconds: at least the first, the rest as far as that goes."""

    function: str
    calls: Sequence[tuple[Any, ...]]
    seconds: float


class Answer(NamedTuple):
    """How one call ended, how large the log was then, and whether no other call of the same request follows."""

    kind: str
    value: Any
    written: int
    last: bool


def serve(descriptor: int, parent: int) -> None:
    """Answer requests from the socket with this file descriptor until it is closed. ``parent`` is the process at its other end."""
    _prepare(parent)
    messages = Messages(socket.socket(fileno=descriptor))
    log = os.dup(1)  # a file descriptor of our own: a framework may do with its standard output what it likes
    while True:
        try:
            request: Request = messages.receive()
        except EOFError:
            return
        started, left = time.perf_counter(), len(request.calls)
        for arguments in request.calls:
            kind, value = _answer(request.function, arguments)
            left = left - 1 if time.perf_counter() - started < request.seconds else 0
            messages.send(Answer(kind, value, os.fstat(log).st_size, last=not left))
            if not left:
                break


def _answer(name: str, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return RESULT, function(name)(*arguments)
    except Exception as error:
        # only those that can be met at the other end: to read a framework's own it would have to be imported there
        ours = type(error).__module__.partition(".")[0] in ("builtins", "conformance")
        return RAISED, (error if ours else RuntimeError(f"{type(error).__name__}: {error}"), traceback.format_exc())


def _prepare(parent: int) -> None:
    """Leave a trace at a crash but no core file of many gigabytes, and do not outlive the parent, not even in a hang."""
    faulthandler.enable()
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        death_of_parent = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(death_of_parent, signal.SIGKILL)
        with contextlib.suppress(OSError):  # where memory runs out, this process is to go, not the one that reports
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if os.getppid() != parent:
        os._exit(1)


@lru_cache
def function(name: str) -> Callable[..., Any]:
    """What ``module:function`` names, imported when it is first asked for."""
    module, _, attribute = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found


@lru_cache
def subject(name: str) -> Subject:
    """The subject of this name, loaded once in a process.

    Raises:
        SubjectError: it cannot be had.
    """
    with quiet():
        return subjects.load(name)


@lru_cache
def environment(name: str) -> dict[str, Any]:
    """What the subject says that it is."""
    with quiet():
        return subject(name).environment()


def judge(name: str, case: Case, mode: str, claim: str) -> tuple[Verdict, float]:
    """The verdict on a case by a claim, and the seconds that it took.

    A subject that raises what ends a process (SystemExit, KeyboardInterrupt) has crashed, as far as whoever calls it is concerned.
    """
    found = subject(name)
    started = time.perf_counter()
    try:
        verdict = CLAIMS[claim](found, case, mode)
    except Exception:
        raise
    except BaseException as error:
        verdict = Verdict(Outcome.CRASHED, f"{error!r} was raised, which ends a process")
    return verdict, time.perf_counter() - started
