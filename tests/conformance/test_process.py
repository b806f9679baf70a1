"""The process of a subject: it answers or is ended, with all that it started, and what it said last is told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conformance.process import LOG_KEPT, EndedError, Limits, Process, half_of_memory, last_words

LIMITS = Limits(seconds=5.0, start=300.0, memory=1 << 29)


def test_a_hang_takes_what_it_started_with_it(tmp_path: Path) -> None:
    process = Process(LIMITS)
    started = tmp_path / "started"
    code = f"import os, pathlib, time; pathlib.Path({str(started)!r}).write_text(str(os.getpid())); time.sleep(3600)"
    with pytest.raises(EndedError, match="no result within 3 s"):
        process.ask(3.0, "subprocess:call", [sys.executable, "-c", code])
    assert not process.lives
    pid = int(started.read_text(encoding="ascii"))
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="utf-8"):
            break
        time.sleep(0.1)
    else:
        pytest.fail(f"process {pid} lives on")


def test_a_process_does_not_outlive_the_one_that_asks(tmp_path: Path) -> None:
    code = (
        "import os; from conformance.process import Limits, Process; process = Process(Limits());"
        " print(process.ask(60, 'os:getpid'), flush=True); process._messages.send(('time:sleep', (3600,))); os._exit(0)"
    )
    pid = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} lives on")


def test_each_of_several_calls_has_its_own_answer_time_and_output(capsys: pytest.CaptureFixture[str]) -> None:
    process = Process(LIMITS)
    slept = process.ask_together(60.0, "time:sleep", [(1.0,), (0.0,)], most=60.0)
    assert 1.0 <= slept[0].seconds < 60.0
    assert slept[1].seconds < slept[0].seconds
    texts = [b"one", b"", b"two"]
    for text, wrote in zip(texts, process.ask_together(60.0, "os:write", [(1, text) for text in texts], most=60.0), strict=True):
        assert wrote.told() == len(text)
        assert capsys.readouterr().err == text.decode()
    numbers = process.ask_together(60.0, "builtins:int", [("1",), ("x",), ("2",)], most=60.0)
    assert [reply.value for reply in numbers] == [1, None, 2]
    with pytest.raises(ValueError, match="invalid literal"):
        numbers[1].told()
    assert len(process.ask_together(60.0, "builtins:int", [("1",), ("2",)], most=0.0)) == 1
    assert process.ask(60.0, "builtins:int", "3") == 3
    ended = process.ask_together(1.0, "time:sleep", [(0.0,), (3600.0,), (0.0,)], most=60.0)
    assert len(ended) == 2
    assert ended[0].told() is None
    assert 1.0 <= ended[1].seconds < 60.0
    with pytest.raises(EndedError, match="no result within 1 s"):
        ended[1].told()
    assert not process.lives


def test_a_log_without_end_is_cut() -> None:
    process = Process(LIMITS)
    for _ in range(5):
        process.ask(60.0, "os:write", 1, b"x" * LOG_KEPT)
    assert os.fstat(process._log.fileno()).st_size <= 2 * LOG_KEPT
    assert process.end(LIMITS.end) is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("", "no message"),
        ("a\n\n  b \n", "b"),
        ("one\nF0000 algebraic.cc:1] Check failed: x\nlast\n", "F0000 algebraic.cc:1] Check failed: x"),
        ("free(): invalid pointer\nFatal Python error: Aborted\n\n  File \"a.py\", line 1 in f\n", "free(): invalid pointer"),
        ("Fatal Python error: Aborted\n\nCurrent thread\n  File \"a.py\", line 1 in f\n", 'Aborted at File "a.py", line 1 in f'),
    ],
)  # fmt: skip
def test_last_words_are_those_that_tell_why(said: str, words: str) -> None:
    assert last_words(said) == words


def test_half_of_the_memory_is_some() -> None:
    half = half_of_memory()
    assert half is not None
    assert 1 << 28 < half < 1 << 50
