"""NumPy's matrix products in one thread, and the environment of the subject as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.threads import THREADS

COUNTED = f"""
import os
import {{first}}
import numpy
threads = [line.split()[1] for line in open("/proc/self/status") if line.startswith("Threads:")]
print(*threads, os.environ.get({THREADS!r}))
"""


def counted(first: str, **variables: str) -> list[str]:
    """How many threads there are in a process that imports ``first`` and then NumPy, and what it then finds in its environment."""
    environment = {name: value for name, value in os.environ.items() if name != THREADS} | variables
    command = [sys.executable, "-P", "-c", COUNTED.format(first=first)]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(command, env={**environment, "PYTHONPATH": root}, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted where Linux tells them")
def test_one_thread_and_nothing_left_behind() -> None:
    assert counted("conformance.threads") == ["1", "None"]


@pytest.mark.skipif(sys.platform != "linux" or (os.cpu_count() or 1) < 2, reason="one processor has one thread anyway")
def test_whoever_asks_for_more_threads_has_them() -> None:
    assert counted("conformance.threads", **{THREADS: "2"}) == counted("os", **{THREADS: "2"}) == ["2", "2"]
