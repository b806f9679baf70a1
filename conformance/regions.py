"""Where an entry of a data file holds: in which environment and versions, of which cases. Deviations and accumulations say it alike.

The tables of a region, all optional, all of whose conditions must hold::

    environment = { backend = "tensorflow", device = "cpu", onednn = true }   # what is compared of the environment and its flags
    versions = { keras = ">=3.3", tensorflow = ">=2.16,<2.22" }               # installed versions, as in requirements
    where = { layer = "conv2d_transpose", padding = ["same"] }                # facts of the case, see conformance.facts
    any_axis = { dilation = "> 1" }       # facts that one and the same axis has
    all_axes = { size = "!= 1" }          # facts that every axis has
    first_axis = { stride = 1 }           # facts of the first spatial axis (height)
    last_axis = { stride = "> 1" }        # facts of the last spatial axis (width)

A fact is compared with a value, a list of values, or a condition in a string: ``"> 1"`` (``< <= > >= == !=``), ``"even"``, ``"odd"``,
``"none"`` or ``"given"`` (of an output_padding). ``{ not = […] }`` lists what it must not be. An entry that names none of the facts
``argument``, ``misuse`` and ``route`` speaks of no case with a misuse.
"""

from __future__ import annotations

import operator
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from conformance.cases import Case
from conformance.facts import AXIS_FACTS, CASE_FACTS, MISUSE_FACTS, Facts, axis_facts, case_facts

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le, ">=": operator.ge, "!=": operator.ne, "==": operator.eq, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_COMPARISON = re.compile(r"(<=|>=|!=|==|<|>)\s*(-?[0-9]{1,9})")
_AXIS_TABLES = ("any_axis", "all_axes", "first_axis", "last_axis")
TABLES = ("environment", "versions", "where", *_AXIS_TABLES)
"""The keys of an entry that make its region."""
_ENVIRONMENT = ("keras", "backend", "device")

Condition = Callable[[Any], bool]
Entry = TypeVar("Entry")


class EntriesError(ValueError):
    """A data file that cannot be used; the message is one line and names file, entry and line."""


@dataclass(frozen=True, slots=True)
class Region:
    """The environments and cases that an entry speaks of."""

    environment: Mapping[str, Any]
    versions: Mapping[str, SpecifierSet]
    where: Mapping[str, Condition]
    any_axis: Mapping[str, Condition]
    all_axes: Mapping[str, Condition]
    first_axis: Mapping[str, Condition]
    last_axis: Mapping[str, Condition]

    def applies(self, environment: Mapping[str, Any]) -> bool:
        """Whether the entry speaks of this environment: its own fields and flags, and the installed versions."""
        known = {**environment.get("flags", {}), **{key: environment.get(key) for key in _ENVIRONMENT}}
        if any(known.get(key) != value for key, value in self.environment.items()):
            return False
        installed = environment.get("versions", {})
        return all(package in installed and _version_in(installed[package], wanted) for package, wanted in self.versions.items())

    @property
    def of_misuses(self) -> bool:
        """Whether the entry speaks of cases with a misuse, and so of no others."""
        return not self.where.keys().isdisjoint(MISUSE_FACTS)

    def covers(self, case: Case, mode: str, claim: str) -> bool:
        """Whether the entry speaks of this case, in an environment that it `applies` to."""
        if case.misuse and not self.of_misuses:
            return False
        # what is read off the case comes first: most entries speak of other cases, and the rest of the facts takes working out
        if not self.speaks_of(mode=mode, claim=claim, layer=case.layer, padding=case.padding, dtype=case.dtype):
            return False
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


def read(path: Path, kind: str, make: Callable[[dict[str, Any]], Entry]) -> list[Entry]:
    """The entries ``[[kind]]`` of a TOML file that has nothing else, each made from its table; ``make`` raises ValueError for a bad one.

    Raises:
        EntriesError: the file cannot be read, is not TOML, or has an entry that cannot be understood; one line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise EntriesError(f"cannot read {kind}s file {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise EntriesError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:  # deep nesting exhausts the parser's stack
        raise EntriesError(f"{path}: not valid TOML: {error}") from None
    unknown = set(data) - {kind}
    listed = data.get(kind, [])
    if unknown or not isinstance(listed, list):
        raise EntriesError(f"{path}: expected only [[{kind}]] entries, got {', '.join(sorted(unknown)) or 'another kind of value'}")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.strip().startswith(f"[[{kind}]]")]
    entries = []
    for number, raw in enumerate(listed):
        line = f"{lines[number]}" if number < len(lines) else f"entry {number + 1}"
        try:
            if not isinstance(raw, dict):
                raise ValueError(f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} must be a table, got {raw!r}")
            entries.append(make(raw))
        except (ValueError, TypeError) as error:
            raise EntriesError(f"{path}:{line}: {error}") from None
    return entries


def check_keys(raw: Mapping[str, Any], keys: set[str], needed: Sequence[str], texts: Sequence[str] = ()) -> None:
    """An entry has no other keys than ``keys`` and those of its region, the needed ones as text that says something, ``texts`` as text.

    Raises:
        ValueError: it has not; one line.
    """
    keys = keys | set(TABLES)
    unknown = set(raw) - keys
    if unknown:
        raise ValueError(f"unknown key {sorted(unknown)[0]!r}: expected some of {', '.join(sorted(keys))}")
    for key in needed:
        if not isinstance(raw.get(key), str) or not raw[key]:
            raise ValueError(f"{key} must be given as text")
    for key in texts:
        if not isinstance(raw.get(key, ""), str):
            raise ValueError(f"{key} must be text, got {raw[key]!r}")


def region(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `Region` from the tables of an entry.

    Raises:
        ValueError: a table cannot be understood; one line.
    """
    for key in TABLES:
        if not isinstance(raw.get(key, {}), dict):
            raise ValueError(f"{key} must be a table, got {raw[key]!r}")
    try:
        versions = {package: SpecifierSet(wanted) for package, wanted in raw.get("versions", {}).items()}
    except (InvalidSpecifier, AttributeError, TypeError):
        raise ValueError(f"versions must be ranges such as '>=3.3,<3.5', got {raw['versions']!r}") from None
    return {
        "environment": raw.get("environment", {}),
        "versions": versions,
        "where": _conditions(raw.get("where", {}), CASE_FACTS),
        **{table: _conditions(raw.get(table, {}), AXIS_FACTS) for table in _AXIS_TABLES},
    }


def _conditions(table: dict[str, Any], facts: Sequence[str]) -> dict[str, Condition]:
    for name in table:
        if name not in facts:
            raise ValueError(f"unknown fact {name!r}: expected one of {', '.join(facts)}")
    return {name: _condition(value) for name, value in table.items()}


def _condition(wanted: Any) -> Condition:
    if isinstance(wanted, list):
        return lambda fact: fact in wanted
    if isinstance(wanted, dict):
        others = wanted.get("not")
        if len(wanted) != 1 or not isinstance(others, list):
            raise ValueError(f"cannot read condition {wanted!r}: expected {{ not = [value, …] }}")
        return lambda fact: fact not in others
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
