"""What is known to deviate: where, how, in which versions, and why we say so. Strict both ways.

`deviations.toml` beside this file is the list, ``--deviations FILE.toml`` adds a user's own. An entry::

    [[deviation]]
    id = "short-name"                     # in results and reports
    outcome = "declined"                  # what such a case comes to, from the closed list of outcomes
    reason = "one sentence for people"
    link = "where it is reported upstream, or empty"
    message = "regular expression that the verdict's message must contain"    # optional
    environment = { backend = "tensorflow", device = "cpu", onednn = true }   # what is compared of the environment and its flags
    versions = { keras = ">=3.3", tensorflow = ">=2.16,<2.22" }               # installed versions, as in requirements
    where = { layer = "conv2d_transpose", padding = ["same"] }                # facts of the case, see conformance.facts
    any_axis = { dilation = "> 1" }       # facts that one and the same axis has
    all_axes = { size = "!= 1" }          # facts that every axis has
    first_axis = { stride = 1 }           # facts of the first spatial axis (height)
    last_axis = { stride = "> 1" }        # facts of the last spatial axis (width)
    heuristic = true                      # upstream chooses by size, cache and threads among algorithms, of which some deviate

A fact is compared with a value, a list of values, or a condition in a string: ``"> 1"`` (``< <= > >= == !=``), ``"even"``, ``"odd"``,
``"none"`` or ``"given"`` (of an output_padding). An entry that names no claim speaks of all that run a layer on data.

Strict means: a covered case that conforms fails the run, since the entry is then too wide or out of date. Of a ``heuristic`` entry
the covered cases may conform, but not all of them: if none deviates in a full grid, the run fails. A case that an entry says crashes or
hangs is run in a process of its own.
"""

from __future__ import annotations

import operator
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from conformance.cases import Case
from conformance.facts import AXIS_FACTS, CASE_FACTS, Facts, axis_facts, case_facts
from conformance.outcomes import Outcome, Verdict

BUILT_IN = Path(__file__).with_name("deviations.toml")

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le, ">=": operator.ge, "!=": operator.ne, "==": operator.eq, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_COMPARISON = re.compile(r"(<=|>=|!=|==|<|>)\s*(-?[0-9]{1,9})")
_AXIS_TABLES = ("any_axis", "all_axes", "first_axis", "last_axis")
_KEYS = {"id", "outcome", "reason", "link", "message", "environment", "versions", "where", "heuristic", *_AXIS_TABLES}
WITHOUT_VALUES = ("shapes",)
"""Claims for which no layer runs on data. What is known of values says nothing of them: an entry speaks of them only if it names them."""
_ENVIRONMENT = ("keras", "backend", "device")

Condition = Callable[[Any], bool]


class DeviationsError(ValueError):
    """A deviations file that cannot be used; the message is one line and names file, entry and line."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One entry: the cases it covers, and the outcome they must have."""

    id: str
    outcome: Outcome
    reason: str
    link: str
    message: str
    environment: Mapping[str, Any]
    versions: Mapping[str, SpecifierSet]
    where: Mapping[str, Condition]
    any_axis: Mapping[str, Condition]
    all_axes: Mapping[str, Condition]
    first_axis: Mapping[str, Condition]
    last_axis: Mapping[str, Condition]
    heuristic: bool

    def applies(self, environment: Mapping[str, Any]) -> bool:
        """Whether the entry speaks of this environment: its own fields and flags, and the installed versions."""
        known = {**environment.get("flags", {}), **{key: environment.get(key) for key in _ENVIRONMENT}}
        if any(known.get(key) != value for key, value in self.environment.items()):
            return False
        installed = environment.get("versions", {})
        return all(package in installed and _version_in(installed[package], wanted) for package, wanted in self.versions.items())

    def covers(self, case: Case, mode: str, claim: str) -> bool:
        """Whether the entry speaks of this case, in an environment that it `applies` to."""
        if not _all_hold(self.where, case_facts(case, mode, claim)):
            return False
        if not (self.any_axis or self.all_axes or self.first_axis or self.last_axis):
            return True
        axes = axis_facts(case)
        return (
            _all_hold(self.first_axis, axes[0])
            and _all_hold(self.last_axis, axes[-1])
            and all(_all_hold(self.all_axes, axis) for axis in axes)
            and any(_all_hold(self.any_axis, axis) for axis in axes)
        )

    def speaks_of(self, **facts: Any) -> bool:
        """Whether the entry leaves room for these facts of a case, whatever the others are."""
        return _all_hold({name: self.where[name] for name in facts if name in self.where}, facts)

    def says(self, verdict: Verdict) -> bool:
        """Whether the verdict is exactly what the entry says."""
        return verdict.outcome == self.outcome and re.search(self.message, verdict.message) is not None


def load(paths: Iterable[Path] = ()) -> tuple[Deviation, ...]:
    """The built-in entries and those of the given files.

    Raises:
        DeviationsError: a file cannot be read, is not TOML, or has an entry that cannot be understood; one line.
    """
    entries: dict[str, Deviation] = {}
    for path in (BUILT_IN, *paths):
        for entry in _read(path):
            if entry.id in entries:
                raise DeviationsError(f"{path}: deviation {entry.id!r} is already defined")
            entries[entry.id] = entry
    return tuple(entries.values())


def covering(entries: Sequence[Deviation], case: Case, mode: str, claim: str) -> Deviation | None:
    """The first of the entries, all of which must apply, that speaks of this case."""
    return next((entry for entry in entries if entry.covers(case, mode, claim)), None)


def _read(path: Path) -> list[Deviation]:
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise DeviationsError(f"cannot read deviations file {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DeviationsError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:  # deep nesting exhausts the parser's stack
        raise DeviationsError(f"{path}: not valid TOML: {error}") from None
    unknown = set(data) - {"deviation"}
    listed = data.get("deviation", [])
    if unknown or not isinstance(listed, list):
        raise DeviationsError(f"{path}: expected only [[deviation]] entries, got {', '.join(sorted(unknown)) or 'another kind of value'}")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.strip().startswith("[[deviation]]")]
    entries = []
    for number, raw in enumerate(listed):
        line = f"{lines[number]}" if number < len(lines) else f"entry {number + 1}"
        try:
            entries.append(_entry(raw))
        except (ValueError, TypeError) as error:
            raise DeviationsError(f"{path}:{line}: {error}") from None
    return entries


def _entry(raw: Any) -> Deviation:
    if not isinstance(raw, dict):
        raise ValueError(f"a deviation must be a table, got {raw!r}")
    unknown = set(raw) - _KEYS
    if unknown:
        raise ValueError(f"unknown key {sorted(unknown)[0]!r}: expected some of {', '.join(sorted(_KEYS))}")
    for key in ("id", "outcome", "reason"):
        if not isinstance(raw.get(key), str) or not raw[key]:
            raise ValueError(f"{key} must be given as text")
    if raw["outcome"] not in set(Outcome) - {Outcome.CONFORMS}:
        allowed = ", ".join(outcome for outcome in Outcome if outcome != Outcome.CONFORMS)
        raise ValueError(f"unknown outcome {raw['outcome']!r}: expected one of {allowed}")
    for key in ("link", "message"):
        if not isinstance(raw.get(key, ""), str):
            raise ValueError(f"{key} must be text, got {raw[key]!r}")
    for key in ("environment", "versions", "where", *_AXIS_TABLES):
        if not isinstance(raw.get(key, {}), dict):
            raise ValueError(f"{key} must be a table, got {raw[key]!r}")
    if not isinstance(raw.get("heuristic", False), bool):
        raise ValueError(f"heuristic must be true or false, got {raw['heuristic']!r}")
    try:
        re.compile(raw.get("message", ""))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"message is not a regular expression: {error}") from None
    try:
        versions = {package: SpecifierSet(wanted) for package, wanted in raw.get("versions", {}).items()}
    except (InvalidSpecifier, AttributeError, TypeError):
        raise ValueError(f"versions must be ranges such as '>=3.3,<3.5', got {raw['versions']!r}") from None
    return Deviation(
        id=raw["id"],
        outcome=Outcome(raw["outcome"]),
        reason=raw["reason"],
        link=raw.get("link", ""),
        message=raw.get("message", ""),
        environment=raw.get("environment", {}),
        versions=versions,
        where={"claim": _of_values, **_conditions(raw.get("where", {}), CASE_FACTS)},
        heuristic=raw.get("heuristic", False),
        **{table: _conditions(raw.get(table, {}), AXIS_FACTS) for table in _AXIS_TABLES},
    )


def _of_values(claim: str) -> bool:
    return claim not in WITHOUT_VALUES


def _conditions(table: dict[str, Any], facts: Sequence[str]) -> dict[str, Condition]:
    for name in table:
        if name not in facts:
            raise ValueError(f"unknown fact {name!r}: expected one of {', '.join(facts)}")
    return {name: _condition(value) for name, value in table.items()}


def _condition(wanted: Any) -> Condition:
    if isinstance(wanted, list):
        return lambda fact: fact in wanted
    if isinstance(wanted, str):
        if wanted in ("even", "odd"):
            return lambda fact: isinstance(fact, int) and fact % 2 == (wanted == "odd")
        if wanted in ("none", "given"):
            return lambda fact: (fact is None) == (wanted == "none")
        comparison = _COMPARISON.fullmatch(wanted)
        if comparison:
            compare, number = _OPERATORS[comparison[1]], int(comparison[2])
            return lambda fact: isinstance(fact, int) and compare(fact, number)
        if not re.fullmatch(r"\w+", wanted):
            raise ValueError(f"cannot read condition {wanted!r}: expected a value, a comparison such as '> 1', even, odd, none or given")
    return lambda fact: bool(fact == wanted)


def _all_hold(conditions: Mapping[str, Condition], facts: Facts) -> bool:
    return all(condition(facts[name]) for name, condition in conditions.items())


def _version_in(installed: str, wanted: SpecifierSet) -> bool:
    try:
        return wanted.contains(Version(installed), prereleases=True)
    except InvalidVersion:
        return False
