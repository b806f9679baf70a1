"""What runs have left behind: `read` gives as much of a results file (`conformance.records`) as can be read, checked field by field.

Files of parts of one run, from as many machines, can be put one behind the other, in any order: `read` takes them together.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from conformance.cases import Case, CaseError, Key, parse
from conformance.outcomes import Outcome
from conformance.records import SCHEMA, Record, passes_of


class ResultsError(ValueError):
    """A results file that cannot be used; the message is one line and names the file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One ``case`` line, checked: every field has the type it is said to have, and texts have no control characters."""

    case: Case
    mode: str
    claim: str
    outcome: Outcome
    deviation: str | None
    error_in_bounds: float | None
    seconds: float
    message: str
    at: tuple[int, ...] | None
    characteristics: Mapping[str, str | int | float | bool | None]
    passes: bool

    @property
    def key(self) -> Key:
        return self.case, self.mode, self.claim


@dataclass(frozen=True)
class Run:
    """What could be read of one results file. ``notes`` are one line each, for the user: what could not be read, or is missing.

    A run is ``complete`` if it ended, as did every part of it, and every check that was planned is there.
    """

    path: Path
    environment: Record
    entries: Mapping[Key, Entry]
    complete: bool
    notes: tuple[str, ...]

    @cached_property
    def counts(self) -> Counter[Outcome]:
        return Counter(entry.outcome for entry in self.entries.values())

    @property
    def label(self) -> str:
        """The run in a few words: what was tested on what, else the file."""
        versions, backend = self.environment.get("versions", {}), self.environment.get("backend")
        keras = self.environment.get("keras")
        if not keras or not backend:
            return str(self.environment.get("subject", self.path.name))
        version = versions.get(backend)
        return f"Keras {keras}, {backend} {version}" if version else f"Keras {keras}, {backend}"


LONGEST_LINE = 1 << 22
"""Bytes of a line that are read: no record comes near it, and a hostile file does not fill the memory."""


@dataclass
class _Part:
    """One run in a file: the line it begins at, its environment (empty if it says nothing of it), and whether it ended."""

    line: int
    environment: Record
    ended: bool = False


def read(path: Path) -> Run:
    """The run that a results file holds: all lines that can be read, and notes about the others.

    Several runs one behind the other (parts of a grid, from as many machines) are taken together if their environments are alike in all
    but the name of the machine. Of a check that several runs hold, one that does not conform is kept.

    Raises:
        ResultsError: the file cannot be opened, is not a results file, is of a later version of the format, or holds runs of unlike
            environments; one line.
    """
    parts: list[_Part] = []
    entries: dict[Key, Entry] = {}
    origin: dict[Key, _Part] = {}
    again: Counter[bool] = Counter()
    not_offered: Counter[tuple[str, str, str]] = Counter()
    lost: list[str] = []
    notes: list[str] = []
    number = 0
    try:
        for number, line in enumerate(_lines(path), 1):
            try:
                record = _json_object(line)
            except ValueError as error:
                if number == 1:
                    raise ResultsError(f"{path} is not a results file: its first line is {error}") from None
                lost.append(f"line {number} is {error}")
                continue
            kind = record.get("kind")
            if number == 1 and kind not in ("environment", "case"):
                raise ResultsError(f"{path} is not a results file: its first line is no environment")
            if kind == "environment":
                parts.append(_Part(number, _environment(record, path)))
            elif not parts or (parts[-1].ended and kind in ("case", "not_offered")):
                parts.append(_Part(number, {}))
            part = parts[-1]
            if kind == "case":
                try:
                    entry = _entry(record)
                except ValueError as error:
                    lost.append(f"line {number}: {error}")
                    continue
                known = entries.get(entry.key)
                if known is not None and origin[entry.key] is not part:
                    again[known.outcome != entry.outcome] += 1
                    if known.outcome != Outcome.CONFORMS:
                        continue
                entries[entry.key], origin[entry.key] = entry, part
            elif kind == "not_offered":
                not_offered[_not_offered(record)] += _count(record.get("cases"))
            elif kind == "summary":
                part.ended = True
            elif kind != "environment":
                lost.append(f"line {number} is of an unknown kind")
    except OSError as error:
        raise ResultsError(f"cannot read results file {path}: {error.strerror or error}") from None
    if not number:
        raise ResultsError(f"{path} is empty: its run was interrupted before the first case")
    environment = _alike([part for part in parts if part.environment], path, notes)
    for claim, mode, reason in not_offered:
        cases = not_offered[claim, mode, reason]
        notes.append(f"{path}: {claim} in mode {mode} not offered ({reason}): {cases:,} cases not checked")
    if len(parts) > 1:
        notes.append(f"{path}: {len(parts):,} runs of one environment, taken together")
    if again:
        differ = f"; {again[True]:,} came out otherwise, and what does not conform is kept" if again[True] else ""
        notes.append(f"{path}: {again.total():,} checks are in more than one run{differ}")
    silent = sum(not part.environment for part in parts)
    if silent:
        notes.append(f"{path}: {f'{silent} runs say' if silent > 1 else 'says'} nothing of {'their' if silent > 1 else 'its'} environment")
    if lost:
        notes.append(f"{path}: {len(lost):,} of {number:,} lines cannot be read and are left out; {lost[0]}")
    interrupted = [part for part in parts if not part.ended]
    if interrupted and len(parts) == 1:
        notes.append(f"{path}: the run was interrupted (no summary); the {len(entries):,} cases it had are used")
    elif interrupted:
        first = f"the first begins at line {interrupted[0].line}"
        notes.append(f"{path}: {len(interrupted)} of {len(parts)} runs were interrupted (no summary), {first}; the cases they had are used")
    planned, there = _planned(parts), len(entries) + not_offered.total()
    if there < planned:
        notes.append(f"{path}: {there:,} of {planned:,} planned checks are here; the others were deselected, or their files are missing")
    return Run(path, environment, entries, not interrupted and there >= planned, tuple(notes))


MACHINE = ("platform", "processor")
"""What may differ between the parts of one run: names of the machines. What matters of a processor is among the flags."""


def _alike(parts: Sequence[_Part], path: Path, notes: list[str]) -> Record:
    """The environment of runs that are alike: the first one's, with all modes, and all machines if they differ.

    Raises:
        ResultsError: two of them are not alike; one line that says what differs.
    """
    if not parts:
        return {}
    first, *others = parts
    environment = {**first.environment, "modes": list(first.environment["modes"])}
    mine = flat(first.environment)
    for part in others:
        theirs = flat(part.environment)
        for name in dict.fromkeys((*mine, *theirs)):
            one, other = mine.get(name, "-"), theirs.get(name, "-")
            if one != other and name not in (*MACHINE, "modes", "checks"):
                raise ResultsError(
                    f"{path} holds runs of unlike environments, from line {first.line} and from line {part.line}"
                    f" ({name}: {one} and {other}): give them as files of their own"
                )
        environment["modes"] += [mode for mode in part.environment["modes"] if mode not in environment["modes"]]
    for name in MACHINE:
        each = dict.fromkeys(str(part.environment.get(name, "-")) for part in parts)
        if len(each) > 1:
            environment[name] = " | ".join(each)
            notes.append(f"{path}: the parts were run on unlike machines ({name}: {environment[name]})")
    return environment


def flat(environment: Mapping[str, Any]) -> dict[str, str]:
    """An environment as one text for each name. A package's version is said once."""
    flat: dict[str, str] = {}
    for name, value in environment.items():
        if name == "kind":
            continue
        if isinstance(value, Mapping):
            flat.update({(inner if name == "versions" else f"{name}.{inner}"): str(each) for inner, each in value.items()})
        else:
            flat.setdefault(name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
    return flat


def _planned(parts: Sequence[_Part]) -> int:
    """How many checks the runs had before any was deselected; parts of one plan have that number, and the modes, in common."""
    plans = {(tuple(part.environment.get("modes", ())), _count(part.environment.get("checks"))) for part in parts}
    return sum(checks for _, checks in plans)


def plain(text: str) -> str:
    """``text`` without what a terminal or an encoder would choke on: control characters other than newline, lone surrogates."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


_UNPRINTABLE = re.compile("[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE):
            yield line


def _json_object(line: bytes) -> Record:
    """Raises: ValueError, with what the line is instead."""
    if len(line) >= LONGEST_LINE:
        raise ValueError("too long")
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError("no UTF-8 text") from None
    except (ValueError, RecursionError):  # deep nesting exhausts the parser's stack
        raise ValueError("no JSON" if line.endswith(b"\n") else "cut off") from None
    if not isinstance(record, dict):
        raise ValueError("no JSON object")
    return record


def _environment(record: Record, path: Path) -> Record:
    schema = record.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool):
        raise ResultsError(f"{path} is not a results file: its environment has no schema version")
    if schema != SCHEMA:
        raise ResultsError(f"{path} has schema version {schema}, and this convformance reads {SCHEMA}: use the version that wrote it")
    cleaned: Record = {_line(key, 100): _scalar(value) for key, value in record.items() if key not in _NESTED}
    for key in _NESTED & record.keys():
        value = record[key]
        if isinstance(value, dict):
            cleaned[key] = {_line(name, 100): _scalar(each) for name, each in value.items()}
        elif isinstance(value, list):
            cleaned[key] = [_scalar(each) for each in value]
    for key, kind in (("versions", dict), ("flags", dict), ("modes", list)):
        if not isinstance(cleaned.get(key), kind):
            cleaned[key] = kind()
    return cleaned


_NESTED = {"versions", "flags", "modes", "scopes"}


def _line(text: str, most: int) -> str:
    """Printable text of one line, so that no field can pass for several."""
    return plain(text).replace("\n", " ")[:most]


def _scalar(value: Any) -> str | int | float | bool | None:
    """A value to be shown and compared: numbers, truth values, None, and short text for all else."""
    if isinstance(value, str):
        return _line(value, 1000)
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else float(_number(value) or 0.0)
    return f"({type(value).__name__})"


_parse = lru_cache(maxsize=1 << 17)(parse)


def _entry(record: Record) -> Entry:
    """Raises: ValueError, one line, for a record without the fields that matter; others are taken if they are of their type."""
    for key in ("id", "mode", "outcome"):
        if not isinstance(record.get(key), str):
            raise ValueError(f"a case without {key!r}")
    try:
        case, outcome = _parse(plain(record["id"])[:300]), Outcome(record["outcome"])
    except CaseError as error:
        raise ValueError(str(error)) from None
    except ValueError:
        raise ValueError(f"unknown outcome {plain(record['outcome'])[:40]!r}") from None
    message, claim, deviation = record.get("message"), record.get("claim"), record.get("deviation")
    at, characteristics, passes = record.get("at"), record.get("characteristics"), record.get("passes")
    return Entry(
        case=case,
        mode=_line(record["mode"], 40),
        claim=_line(claim, 40) if isinstance(claim, str) else "forward",
        outcome=outcome,
        deviation=_line(deviation, 100) if isinstance(deviation, str) else None,
        error_in_bounds=_number(record.get("error_in_bounds")),
        seconds=_number(record.get("seconds")) or 0.0,
        message=plain(message)[:20_000] if isinstance(message, str) else "",
        at=tuple(at) if isinstance(at, list) and at and all(type(i) is int and 0 <= i < 1 << 31 for i in at) else None,
        characteristics=(
            {_line(name, 100): _scalar(value) for name, value in characteristics.items()} if isinstance(characteristics, dict) else {}
        ),
        passes=passes if isinstance(passes, bool) else passes_of(outcome, deviation),
    )


def _not_offered(record: Record) -> tuple[str, str, str]:
    """Claim, mode and reason of what the subject has not; a field that is no text is left open."""
    claim, mode, reason = (_line(value, 200) if isinstance(value := record.get(key), str) else "?" for key in ("claim", "mode", "reason"))
    return claim, mode, reason


def _count(value: Any) -> int:
    """A number of things; 0 for what is none."""
    return value if type(value) is int and 0 <= value < 1 << 63 else 0


def _number(value: Any) -> float | None:
    """A float, infinities included; None for what is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return math.inf
    return None if math.isnan(number) else number
