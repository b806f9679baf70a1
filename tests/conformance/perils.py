"""A subject that takes its process down, each way at inputs of a height of its own, and is right otherwise."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from conformance.cases import Case
from conformance.outcomes import Outcome
from conformance.probes import Probe
from conformance.subjects import Observed
from tests.conformance.subjects import Right


def _segfault() -> None:
    ctypes.string_at(0)


def _abort() -> None:
    sys.stderr.write("F0000 00:00:00 check failed: planted\n")
    os.abort()


def _system_exit() -> None:
    raise SystemExit(3)


def _interrupt() -> None:
    raise KeyboardInterrupt


def _exit() -> None:
    os._exit(0)


def _sleep() -> None:
    time.sleep(3600)


def _hold_the_interpreter() -> None:
    ctypes.PyDLL(None).sleep(3600)  # unlike CDLL it keeps the interpreter's lock: no other thread of Python runs


def _eat_memory() -> None:
    kept = bytearray()
    while True:
        kept += bytes(1 << 24)


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _overflow_the_stack() -> None:
    library = ctypes.PyDLL(None)
    compare: Callable[..., object] = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

    def again(one: int, other: int) -> int:
        numbers = (ctypes.c_int * 2)(2, 1)
        library.qsort(numbers, 2, 4, callback)
        return 0

    callback = compare(again)
    sys.setrecursionlimit(1 << 30)
    again(0, 0)


class Peril(NamedTuple):
    """What happens, and what the run must make of it: the outcome, and words of its message."""

    happens: Callable[[], None]
    outcome: Outcome
    says: str


PERILS = {
    "segfault": Peril(_segfault, Outcome.CRASHED, "killed by SIGSEGV"),
    "abort": Peril(_abort, Outcome.CRASHED, "killed by SIGABRT, no result: F0000 00:00:00 check failed: planted"),
    "SystemExit": Peril(_system_exit, Outcome.CRASHED, "SystemExit(3) was raised"),
    "KeyboardInterrupt": Peril(_interrupt, Outcome.CRASHED, "KeyboardInterrupt() was raised"),
    "os._exit": Peril(_exit, Outcome.CRASHED, "ended with exit code 0, no result"),
    "sleep": Peril(_sleep, Outcome.HUNG, "no result within"),
    "sleep with the interpreter's lock": Peril(_hold_the_interpreter, Outcome.HUNG, "no result within"),
    "memory without end": Peril(_eat_memory, Outcome.CRASHED, "GiB are allowed: killed"),
    "SIGKILL": Peril(_killed, Outcome.CRASHED, "killed by SIGKILL"),
    "stack overflow": Peril(_overflow_the_stack, Outcome.CRASHED, "killed by SIGSEGV"),
}

FIRST = 101
"""The height of the first peril; the others follow."""

LIMITS = ("--hung-after", "8", "--memory", "0.25")
"""Options of a run, so that hanging and eating take little of the time and the memory there is."""


def perilous(name: str) -> str:
    """The id of the case at which this peril happens."""
    return f"conv2d-same-in1x{FIRST + list(PERILS).index(name)}x2x1-k1x2-f1-s1x1"


class Perilous(Right):
    """Each of `PERILS` at its case."""

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        number = case.size[0] - FIRST
        if 0 <= number < len(PERILS):
            list(PERILS.values())[number].happens()
        return super().forward(case, probe, mode)


class Spoiling(Right):
    """Spoils its process at inputs of height 2; that kills it only at inputs of height 4."""

    def __init__(self) -> None:
        self._spoiled = False

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        self._spoiled |= case.size[0] == 2
        if self._spoiled and case.size[0] == 4:
            os.abort()
        return super().forward(case, probe, mode)


class DyingAtItsEnd(Right):
    """Answers every case and dies when the interpreter ends."""

    def __init__(self) -> None:
        import atexit

        atexit.register(os.abort)


class DyingWhenLoaded(Right):
    """Cannot be loaded: takes the process down."""

    def __init__(self) -> None:
        os.abort()


class ExitingWhenLoaded(Right):
    """Cannot be loaded: leaves."""

    def __init__(self) -> None:
        sys.exit(5)


class Mapping(Right):
    """A subject that keeps what it compiled, as far as the kernel can see: pieces of memory with unlike rights."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[mmap.mmap] = []

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        self._kept += [mmap.mmap(-1, mmap.PAGESIZE, prot=rights) for _ in range(500) for rights in (mmap.PROT_READ, mmap.PROT_WRITE)]
        return super().forward(case, probe, mode)


class Talkative(Right):
    """Prints, on both streams, before a wrong result and a right one."""

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        print("said to stdout", flush=True)  # noqa: T201 - that is its point
        sys.stderr.write("said to stderr\n")
        raise ValueError


class Slow(Right):
    """Takes a second a case."""

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        time.sleep(1)
        return super().forward(case, probe, mode)


class SlowAndWrong(Slow):
    """As slow, and off by one."""

    def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
        right = super().forward(case, probe, mode)
        return replace(right, values=right.values + 1)
