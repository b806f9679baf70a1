"""``python -m conformance compare OLD.jsonl NEW.jsonl``: what changed between two runs, as rules."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from conformance import rules
from conformance.commands import CommandError
from conformance.outcomes import Outcome
from conformance.results import Entry, ResultsError, Run, flat, read
from conformance.summary import smallness

SUMMARY = "what changed between two runs; exit code 1 if something that conformed no longer does"

MOVED_FACTOR, MOVED_BOUNDS = 2.0, 0.05
"""An error has moved if it is so many times the other, and the two lie so many bounds apart. Other threads or another blocking of the
same sums move errors by less than that; the bound itself is what is promised, so nothing fails for it."""


@dataclass(frozen=True, slots=True)
class Change:
    """Cases that went the same way: from ``old`` to ``new``."""

    what: str
    old: str
    new: str
    worse: bool
    entries: tuple[tuple[Entry, Entry], ...]
    rules: tuple[rules.Rule, ...]

    @property
    def smallest(self) -> Entry:
        return min((new for _, new in self.entries), key=lambda entry: smallness(entry.case))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs between two runs."""

    old: Run
    new: Run
    environment: tuple[tuple[str, str, str], ...]
    changes: tuple[Change, ...]
    characteristics: tuple[Change, ...]
    accuracy: tuple[Change, ...]
    only_old: tuple[Entry, ...]
    only_new: tuple[Entry, ...]
    both: int

    @property
    def regressed(self) -> int:
        """How many cases conformed and no longer do."""
        return sum(len(change.entries) for change in self.changes if change.worse)


def compare(old: Run, new: Run) -> Comparison:
    """What changed from the old run to the new one, over the cases that both have."""
    both = [key for key in old.entries if key in new.entries]
    pairs = [(old.entries[key], new.entries[key]) for key in both]
    table = rules.Table(both)
    names = dict.fromkeys(name for one, other in pairs for name in (*one.characteristics, *other.characteristics))
    characteristics: list[Change] = []
    for name in names:
        values = [(_shown(one.characteristics, name), _shown(other.characteristics, name)) for one, other in pairs]
        characteristics += _changes(table, pairs, values, name, lambda was, now: False)
    conforms = str(Outcome.CONFORMS)
    return Comparison(
        old,
        new,
        tuple(_environment(old, new)),
        tuple(
            sorted(
                _changes(table, pairs, [(str(a.outcome), str(b.outcome)) for a, b in pairs], "", lambda was, now: was == conforms),
                key=lambda change: (not change.worse, -len(change.entries)),
            )
        ),
        tuple(characteristics),
        tuple(_changes(table, pairs, [_moved(a, b) for a, b in pairs], "error in bounds", lambda was, now: False)),
        tuple(old.entries[key] for key in old.entries if key not in new.entries),
        tuple(new.entries[key] for key in new.entries if key not in old.entries),
        len(both),
    )


def _changes(
    table: rules.Table,
    pairs: Sequence[tuple[Entry, Entry]],
    values: Sequence[tuple[str, str]],
    what: str,
    worse: Callable[[str, str], bool],
) -> Iterator[Change]:
    """The cases whose two values differ, by the two values. Those that changed in another way count neither for nor against a rule."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, (was, now) in enumerate(values):
        if was != now:
            groups[was, now].append(i)
    for (was, now), members in sorted(groups.items(), key=lambda item: -len(item[1])):
        kinds: list[str | None] = [None] * len(pairs)
        for i in members:
            kinds[i] = f"{was} -> {now}"
        others = [i for i, (a, b) in enumerate(values) if a != b and kinds[i] is None]
        yield Change(what, was, now, worse(was, now), tuple(pairs[i] for i in members), rules.find(table, kinds, others).rules)


def _shown(characteristics: Mapping[str, Any], name: str) -> str:
    return str(characteristics[name]) if name in characteristics else "not recorded"


def _moved(old: Entry, new: Entry) -> tuple[str, str]:
    """Whether the error of a case is another: two words that differ if so."""
    if old.error_in_bounds is None or new.error_in_bounds is None:
        return ("", "")
    low, high = sorted((old.error_in_bounds, new.error_in_bounds))
    if not (high > MOVED_FACTOR * low and high - low > MOVED_BOUNDS):
        return ("", "")
    return ("smaller", "larger") if new.error_in_bounds == high else ("larger", "smaller")


def _environment(old: Run, new: Run) -> Iterator[tuple[str, str, str]]:
    """What is not the same about the two environments: name, old, new. A package's version is said once."""
    one, other = flat(old.environment), flat(new.environment)
    for name in dict.fromkeys((*one, *other)):
        was, now = one.get(name, "-"), other.get(name, "-")
        if was != now:
            yield name, was, now


# In words


def text(comparison: Comparison) -> str:
    """The comparison for a terminal."""
    old, new = comparison.old, comparison.new
    lines = [f"old: {old.path} ({old.label}, {len(old.entries):,} cases)", f"new: {new.path} ({new.label}, {len(new.entries):,} cases)"]
    lines += [f"note: {note}" for note in (*old.notes, *new.notes)]
    lines.append("")
    lines += [f"{name}: {was} -> {now}" for name, was, now in comparison.environment] or ["the environments are the same"]
    lines.append("")
    for change in (*comparison.changes, *comparison.characteristics, *comparison.accuracy):
        lines.append(_heading(change))
        lines += [f"  {_sentence(rule)}" for rule in change.rules]
        lines += _accuracy(change)
        if len(change.rules) != 1 or not change.rules[0].exact:
            lines.append(f"  smallest: {change.smallest.case}{_mode(change.smallest)}")
        known = Counter(entry.deviation for _, entry in change.entries if entry.deviation)
        lines += [f"  known deviation {name}: {number:,}" for name, number in known.most_common()]
    lines += [
        f"only in the {which} run: {len(entries):,} {_cases(entries)}, for instance {entries[0].case}"
        for which, entries in _sides(comparison)
    ]
    lines += ["", _verdict(comparison)]
    return "\n".join(lines)


def markdown(comparison: Comparison) -> str:
    """The comparison for a CI job's summary."""
    old, new = comparison.old, comparison.new
    lines = [f"### {in_markdown(old.label)} → {in_markdown(new.label)}", "", f"**{in_markdown(_verdict(comparison))}**", ""]
    lines += [f"> {in_markdown(note)}\n" for note in (*old.notes, *new.notes)]
    if comparison.environment:
        lines += ["| environment | old | new |", "|---|---|---|"]
        lines += [f"| {in_markdown(name)} | {in_markdown(was)} | {in_markdown(now)} |" for name, was, now in comparison.environment] + [""]
    changes = (*comparison.changes, *comparison.characteristics, *comparison.accuracy)
    if changes:
        lines += ["| change | cases | where |", "|---|--:|---|"]
        for change in changes:
            mark = "❌ " if change.worse else "✅ " if change.new == Outcome.CONFORMS else ""
            where = [in_markdown(_sentence(rule)) for rule in change.rules] or [f"smallest: `{change.smallest.case}`"]
            where += [in_markdown(line.strip()) for line in _accuracy(change)]
            name = f"{change.what}: " if change.what else ""
            lines.append(
                f"| {mark}{in_markdown(name + change.old)} → {in_markdown(change.new)} | {len(change.entries):,} | {'<br>'.join(where)} |"
            )
        lines.append("")
    lines += [
        f"Only in the {which} run: {len(entries):,} {_cases(entries)}, for instance `{entries[0].case}`.\n"
        for which, entries in _sides(comparison)
    ]
    return "\n".join(lines).rstrip()


def as_json(comparison: Comparison) -> str:
    """The comparison for machines."""

    def change(each: Change) -> dict[str, Any]:
        return {
            "what": each.what or "outcome",
            "old": each.old,
            "new": each.new,
            "worse": each.worse,
            "cases": [{"id": str(new.case), "mode": new.mode, "claim": new.claim, "deviation": new.deviation} for _, new in each.entries],
            "rules": [
                {"sentence": _sentence(rule), "covered": rule.covered, "of": rule.failing, "others": rule.passing, **rule.tables()}
                for rule in each.rules
            ],
        }

    def run(each: Run) -> dict[str, Any]:
        return {"path": str(each.path), "label": each.label, "cases": len(each.entries), "counts": each.counts, "notes": each.notes}

    return json.dumps(
        {
            "old": run(comparison.old),
            "new": run(comparison.new),
            "environment": {name: {"old": was, "new": now} for name, was, now in comparison.environment},
            "changes": [change(each) for each in comparison.changes],
            "characteristics": [change(each) for each in comparison.characteristics],
            "accuracy": [change(each) for each in comparison.accuracy],
            "only_old": [str(entry.case) for entry in comparison.only_old],
            "only_new": [str(entry.case) for entry in comparison.only_new],
            "both": comparison.both,
            "regressed": comparison.regressed,
        },
        indent=2,
    )


def _heading(change: Change) -> str:
    name = f"{change.what}: " if change.what else "NO LONGER CONFORMS: " if change.worse else ""
    return f"{name}{change.old} -> {change.new}, {len(change.entries):,} {_cases(change.entries)}"


def _sentence(rule: rules.Rule) -> str:
    """Where, and how well that says it; what changed stands in the heading."""
    if rule.exact:
        return f"{rule.statement} (all of them, and no case that stayed)"
    return f"{rule.statement} ({rule.covered:,} of them, and {rule.passing:,} that stayed)"


def _accuracy(change: Change) -> list[str]:
    """For a change of accuracy the middle and the largest error on both sides, in bounds."""
    if change.what != "error in bounds":
        return []
    sides = [[entry.error_in_bounds or 0.0 for entry in side] for side in zip(*change.entries, strict=True)]
    return ["  " + ", ".join(f"{name} {f(sides[0]):.3g} -> {f(sides[1]):.3g}" for name, f in (("median", median), ("largest", max)))]


def _sides(comparison: Comparison) -> list[tuple[str, tuple[Entry, ...]]]:
    return [(which, entries) for which, entries in (("old", comparison.only_old), ("new", comparison.only_new)) if entries]


def _mode(entry: Entry) -> str:
    return f" [{entry.mode}]"


def _cases(entries: Sequence[Any]) -> str:
    return "case" if len(entries) == 1 else "cases"


def _verdict(comparison: Comparison) -> str:
    fixed = sum(len(change.entries) for change in comparison.changes if change.new == Outcome.CONFORMS)
    if not comparison.both:
        return "the two runs have no case in common"
    return (
        f"{comparison.regressed:,} of {comparison.both:,} cases in both runs no longer conform, {fixed:,} conform now,"
        f" {sum(len(change.entries) for change in comparison.changes):,} changed in all"
    )


def in_markdown(text: str) -> str:
    """``text`` as it is, in Markdown: nothing of it is markup, and a newline would end a table."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$@])", r"\\\1", " ".join(text.split())).replace("\\<", "&lt;").replace("\\>", "&gt;")


FORMATS: dict[str, Callable[[Comparison], str]] = {"text": text, "markdown": markdown, "json": as_json}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Two files, and a format."""
    parser.add_argument("old", type=Path, metavar="OLD.jsonl", help="results of the run to compare with")
    parser.add_argument("new", type=Path, metavar="NEW.jsonl", help="results of the run to judge")
    parser.add_argument("--format", choices=tuple(FORMATS), default="text", help="markdown fits a CI job summary (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison; 1 if something that conformed no longer does.

    Raises:
        CommandError: a file cannot be used.
    """
    try:
        comparison = compare(read(arguments.old), read(arguments.new))
    except ResultsError as error:
        raise CommandError(str(error)) from None
    print(FORMATS[arguments.format](comparison))
    return 1 if comparison.regressed else 0
