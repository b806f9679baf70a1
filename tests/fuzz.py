"""Hostile input for every file and id that this project reads: ``python -m tests.fuzz [--seconds 60] [TARGET …]``.

Coverage-guided, by atheris (extra: fuzz). A target may refuse its input in one line; it may not raise anything else, run code, start a
process, reach a network, or open a file for writing other than its own. What breaks that is kept, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from conformance import compare, deviations, grids, page, records, regions, results
from conformance.cases import CaseError, parse
from conformance.commands import CommandError
from conformance.regions import EntriesError
from conformance.results import ResultsError

HOUSE = Path(__file__).parents[1]
FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect", "shutil.rmtree", "os.rename")
CASES = [parse(text) for text in grids.REGRESSIONS]


def ids(data: bytes, _: Path) -> None:
    """Any text is a case that reads back, or an error of one line."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        case = parse(text)
    except CaseError as error:
        _one_line(error)
    else:
        assert parse(str(case)) == case


def results_file(data: bytes, path: Path) -> None:
    """Any bytes are a run, or an error of one line; a run can be compared with itself."""
    path.write_bytes(data)
    try:
        run = results.read(path)
    except ResultsError as error:
        _one_line(error)
        return
    for note in run.notes:
        _one_line(note)
    for entry in run.entries.values():
        assert results.plain(entry.message) == entry.message
    if len(run.entries) <= 50:
        compare.compare(run, run)


def deviations_file(data: bytes, path: Path) -> None:
    """Any bytes are entries that can be asked about a case, or an error of one line."""
    path.write_bytes(data)
    try:
        # without the built-in ones, which are not the question
        entries = regions.read(path, "deviation", deviations._entry)
    except EntriesError as error:
        _one_line(error)
        return
    for entry in entries:
        entry.applies({"backend": "jax", "versions": {"keras": "3.15.1"}, "flags": {}})
        for case in CASES:
            entry.covers(case, "eager", "forward")


def html(data: bytes, path: Path) -> None:
    """Any results file is a page with our own two scripts and no other, no event handler, and nothing from elsewhere."""
    path.write_bytes(data)
    try:
        text = page.page([results.read(path)])
    except (ResultsError, CommandError) as error:
        _one_line(error)
        return
    tags = _Tags()
    tags.feed(text)
    assert tags.scripts == 2, f"{tags.scripts} scripts"
    assert not tags.handlers, tags.handlers


class _Tags(HTMLParser):
    """Counts what could run."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.handlers += [
            f"{tag} {name}={value}"
            for name, value in attrs
            if name.startswith("on") or (name in ("src", "href") and not str(value).startswith("#"))
        ]


TARGETS: dict[str, Callable[[bytes, Path], None]] = {"ids": ids, "results": results_file, "deviations": deviations_file, "html": html}


def seeds(target: str) -> list[bytes]:
    """Sound inputs to begin with."""
    if target == "ids":
        return [text.encode() for text in (*grids.REGRESSIONS, *map(str, grids.misused()[::100]))]
    if target == "deviations":
        return [part.encode() for part in deviations.BUILT_IN.read_text(encoding="utf-8").split("\n\n") if "[[deviation]]" in part]
    environment = {
        "kind": "environment",
        "schema": records.SCHEMA,
        "keras": "3.15.1",
        "backend": "jax",
        "versions": {"jax": "0.10"},
        "flags": {},
    }
    case: dict[str, Any] = {
        "kind": "case",
        "id": str(CASES[0]),
        "claim": "forward",
        "mode": "eager",
        "outcome": "wrong_value",
        "deviation": None,
    }
    case |= {"message": "</script><script>alert(1)</script>", "seconds": 0.1, "at": [0, 1, 0, 0], "characteristics": {"a": 1}}
    summary = {"kind": "summary", "counts": {"wrong_value": 1}, "deviations": {}, "seconds": 1.0}
    return ["\n".join(map(json.dumps, lines)).encode() for lines in ([environment, case, summary], [environment, case], [environment])]


def _one_line(said: object) -> None:
    assert "\n" not in str(said), f"more than one line: {said!r}"


def _guard(own: Path) -> None:
    """From now on this process may write its own file and libFuzzer's, and do nothing else to the world."""
    allowed = str(own.parent)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(FORBIDDEN):
            raise AssertionError(f"{event}{arguments!r}")
        if event == "open" and isinstance(arguments[1], str) and re.search("[wax+]", arguments[1]):
            assert str(arguments[0]).startswith(allowed), f"writes {arguments[0]}"

    sys.addaudithook(hook)


def fuzz(target: str, arguments: Sequence[str]) -> None:
    """In a process of its own: libFuzzer ends it."""
    atheris = importlib.import_module("atheris")
    own = Path(tempfile.mkdtemp()) / "input"
    # atheris instruments what runs from here on, our own modules only: libraries are not the question
    rules = ("rules.literals", "rules.table", "rules.search", "rules.phrases")
    for module in ("cases", "results", "deviations", "regions", "facts", "compare", *rules, "page"):
        loaded = importlib.import_module(f"conformance.{module}")
        for value in list(vars(loaded).values()):
            if callable(value) and getattr(value, "__module__", "") == loaded.__name__ and hasattr(value, "__code__"):
                atheris.instrument_func(value)
    run = TARGETS[target]
    run(seeds(target)[0], own)  # imports and opens what it needs once, before it is watched
    _guard(own)
    atheris.Setup(["fuzz", *arguments], lambda data: run(data, own))
    atheris.Fuzz()


def main() -> int:
    """Fuzz the targets one after the other and print a line for each."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (default: all)")
    chosen = parser.parse_args()
    bad = False
    for target in chosen.targets or TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            for number, seed in enumerate(seeds(target)):
                (Path(folder) / str(number)).write_bytes(seed)
            kept = HOUSE / f"fuzz-{target}-"
            options = [
                folder,
                f"-max_total_time={chosen.seconds}",
                "-timeout=30",
                "-rss_limit_mb=4096",
                "-max_len=4096",
                f"-artifact_prefix={kept}",
            ]
            done = subprocess.run(
                [sys.executable, "-m", "tests.fuzz", "--one", target, *options, "-print_final_stats=1"],
                cwd=HOUSE, capture_output=True, text=True, errors="replace", check=False, env={**os.environ, "PYTHONHASHSEED": "0"},
            )  # fmt: skip
        found = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
        print(f"{target:10}  {int(found[1]) if found else 0:,} executions in {chosen.seconds} s, exit code {done.returncode}", flush=True)  # noqa: T201
        if done.returncode:
            print(done.stderr[-3000:])  # noqa: T201
            bad = True
    return bad


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        fuzz(sys.argv[2], sys.argv[3:])
    sys.exit(main())
