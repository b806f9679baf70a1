"""What a person reads behind a run, on one screen: counts, the rule behind the failures, where they lie, the smallest of them.

Plain text that colours may be added to: a line is a list of parts, each with the markup that pytest's terminal writer understands.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from sys import intern
from typing import Any

import pytest

from conformance import rules
from conformance.cases import LAYERS, PADDINGS, Case, Key, parse
from conformance.features import FEATURES, features
from conformance.outcomes import Outcome
from conformance.records import Record

FIXED = "conforms, though known to deviate"
"""The kind of failure that a deviation makes which no longer holds."""

TEXTS = 6
"""Failures whose texts are printed, at most: the smallest of each rule, then the smallest of all."""

Part = tuple[str, dict[str, bool]]
Line = list[Part]

_BAD = {"red": True, "bold": True}
_GOOD = {"green": True}
_KNOWN = {"yellow": True}
_PLAIN: dict[str, bool] = {}


def smallness(case: Case) -> tuple[int, int, str]:
    """The order in which cases are smaller: multiplications of the plain algorithm, then numbers and parts to say, then the id."""
    work = case.batch * case.channels * case.filters // (case.channels if case.depthwise else case.groups)
    for n, k in zip(case.size, case.kernel_size, strict=True):
        work *= n * k
    text = str(case)
    return work, sum(case.strides) + sum(case.dilation_rate) + sum(case.output_padding or ()) + 4 * text.count("-"), text


@dataclass(frozen=True, slots=True)
class Found:
    """What one test found. ``text`` is what it says if it failed, ``nodeid`` the test."""

    case: Case
    mode: str
    claim: str
    outcome: Outcome
    deviation: str | None
    failed: bool
    text: str
    nodeid: str

    @property
    def key(self) -> Key:
        return self.case, self.mode, self.claim

    @property
    def kind(self) -> str | None:
        """In what way the case fails, None if it passes or is known."""
        if not self.failed:
            return None
        return FIXED if self.outcome == Outcome.CONFORMS else str(self.outcome)


class Tally:
    """Everything that a run found, as it comes in: of 100,000 checks little more than their outcomes, their cases once for all claims."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.failed: set[str] = set()
        """Node ids of the tests that failed. An exploration's test comes to many records."""
        self.deviations: Counter[str | None] = Counter()
        self.not_offered: Counter[tuple[str, str, str]] = Counter()
        """How many checks the subject has not, by claim, mode and reason."""
        self.renewed: Counter[str] = Counter()
        """How often another process of the subject went on, by what the one before had come to hold."""
        self._case = cache(parse)

    def add(self, record: Record, failed: bool, text: str, nodeid: str) -> None:
        """``text`` is what the test with this node id says if it failed."""
        mode, claim, deviation = (each and intern(each) for each in (record["mode"], record["claim"], record["deviation"]))
        kept = (text, nodeid) if failed else ("", "")
        self.found.append(Found(self._case(record["id"]), mode, claim, Outcome(record["outcome"]), deviation, failed, *kept))
        if failed:
            self.failed.add(nodeid)
        self.deviations[deviation] += 1

    def __len__(self) -> int:
        return len(self.found)

    @property
    def keys(self) -> set[Key]:
        """The checks, each once."""
        return {each.key for each in self.found}

    @cached_property
    def failures(self) -> tuple[Found, ...]:
        """Those that fail the run, the smallest first."""
        return tuple(sorted((each for each in self.found if each.failed), key=lambda each: smallness(each.case)))

    @cached_property
    def rules(self) -> tuple[rules.Rule, ...]:
        """What is behind the failures, and behind the deviations that no longer hold."""
        known = [i for i, each in enumerate(self.found) if each.deviation is not None and not each.failed]
        kinds = [None if each.kind == FIXED else each.kind for each in self.found]
        found = list(rules.find(rules.Table([each.key for each in self.found]), kinds, known).rules)
        for deviation in dict.fromkeys(each.deviation for each in self.found if each.kind == FIXED):
            covered = [each for each in self.found if each.deviation == deviation]
            fixed = [f"{FIXED} ({deviation})" if each.kind == FIXED else None for each in covered]
            found += rules.find(rules.Table([each.key for each in covered]), fixed).rules
        return tuple(found)

    @cached_property
    def telling(self) -> frozenset[str]:
        """Node ids of the failures whose texts are worth printing."""
        chosen: dict[Key, None] = {}
        for rule in self.rules:
            chosen.update(dict.fromkeys([each.key for each in self.failures if rule.covers(*each.key)][:1]))
        for each in self.failures:
            if len(chosen) >= TEXTS:
                break
            chosen[each.key] = None
        keep = list(chosen)[:TEXTS]
        return frozenset(each.nodeid for each in self.failures if each.key in keep)


def screen(tally: Tally, width: int) -> Iterator[Line]:
    """The summary of a run, line by line."""
    yield from table(tally.found, width)
    yield from by_claim(tally.found)
    for (claim, mode, reason), number in tally.not_offered.items():
        yield [(f"{number:7,} ", _PLAIN), ("not offered ", _KNOWN), (f"{claim} in mode {mode}: {reason}", _PLAIN)]
    for held, number in tally.renewed.items():
        yield [(f"{number:7,} ", _PLAIN), ("started anew ", _KNOWN), (f"the subject, whose process had come to hold {held}", _PLAIN)]
    known = Counter(each.deviation for each in tally.found if each.deviation is not None and not each.failed)
    if known:
        yield []
        for deviation, number in known.most_common():
            yield [(f"{number:7,} ", _PLAIN), ("known deviation ", _KNOWN), (str(deviation), _PLAIN)]
    if not tally.failures:
        return
    yield []
    for rule in tally.rules:
        yield from wrapped(rule.sentence, width)
    lost = sum(1 for each in tally.failures if not any(rule.covers(*each.key) for rule in tally.rules))
    if lost:
        yield [(f"{'no rule found for' if not tally.rules else 'under no rule:'} {lost:,} failing case{'s' if lost > 1 else ''}", _BAD)]
    yield []
    yield from heat_maps(tally.found, width)
    yield []
    smallest = tally.failures[0]
    yield [(f"the smallest of {len(tally.failures):,} failing cases:" if len(tally.failures) > 1 else "the failing case:", {"bold": True})]
    for line in smallest.text.splitlines() or [str(smallest.case)]:
        yield [(line, _PLAIN)]


def table(found: Sequence[Found], width: int) -> Iterator[Line]:
    """Layers x features, with counts by outcome. Where it is too wide, columns without failures are left out first, from the right."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for each in found:
        state = "known" if each.deviation is not None and not each.failed else each.kind or str(each.outcome)
        bits = features(each.case)
        counts[each.case.layer, state].update(["all", *(name for i, name in enumerate(FEATURES) if bits >> i & 1)])
    order = [str(Outcome.CONFORMS), *(str(outcome) for outcome in Outcome if outcome != Outcome.CONFORMS), FIXED, "known"]
    rows = sorted(counts, key=lambda row: (list(LAYERS).index(row[0]), order.index(row[1])))
    markups = {str(Outcome.CONFORMS): _GOOD, "known": _KNOWN}
    columns = ["all", *(name for name in FEATURES if any(counts[row][name] for row in rows))]
    without = [name for name in columns[:0:-1] if not any(counts[row][name] for row in rows if row[1] not in markups)]
    first = max(max(len(LAYERS[layer].keras_name), len(state) + 2) for layer, state in rows)
    widths = {name: max(len(name), *(len(f"{counts[row][name]:,}") for row in rows)) + 1 for name in columns}
    for name in dict.fromkeys([*without, *columns[:0:-1]]):
        if first + sum(widths[each] for each in columns) <= width:
            break
        columns.remove(name)
    yield [(" " * first + "".join(f"{name:>{widths[name]}}" for name in columns), _PLAIN)]
    for layer in dict.fromkeys(row[0] for row in rows):
        yield [(LAYERS[layer].keras_name, {"bold": True})]
        for row in (row for row in rows if row[0] == layer):
            cells = "".join(f"{f'{counts[row][name]:,}' if counts[row][name] else '.':>{widths[name]}}" for name in columns)
            yield [(f"  {row[1]:<{first - 2}}", markups.get(row[1], _BAD)), (cells, _PLAIN if row[1] in markups else _BAD)]


def by_claim(found: Sequence[Found]) -> Iterator[Line]:
    """A line for each claim and mode, where there are several: how many conform, are known to deviate, and fail."""
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for each in found:
        counts[each.claim, each.mode][2 if each.failed else 1 if each.deviation is not None else 0] += 1
    if len(counts) < 2:
        return
    yield []
    for (claim, mode), (conform, known, fail) in counts.items():
        line: Line = [(f"{claim} [{mode}]: ", _PLAIN), (f"{conform:,} conform", _GOOD)]
        if known:
            line.append((f", {known:,} known", _KNOWN))
        if fail:
            line.append((f", {fail:,} fail", _BAD))
        yield line


KERNELS, STRIDES = 9, 8
"""Rows and columns of a heat map; larger values share the last."""


def heat_maps(found: Sequence[Found], width: int) -> Iterator[Line]:
    """For every layer and padding with failures, how large a share fails of the cases that have a kernel and stride on some axis."""
    cells: dict[tuple[str, str], dict[tuple[int, int], list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for each in found:
        for kernel, stride in set(zip(each.case.kernel_size, each.case.strides, strict=True)):
            cell = cells[each.case.layer, each.case.padding][min(kernel, KERNELS), min(stride, STRIDES)]
            cell[0] += 1
            cell[1] += each.failed
    maps = [_heat_map(f"{LAYERS[layer].keras_name} {padding}", cells[layer, padding])
            for layer in LAYERS for padding in PADDINGS
            if any(cell[1] for cell in cells.get((layer, padding), {}).values())]  # fmt: skip
    yield [("where they fail, kernel (down) x stride (across) of an axis: . none, 1-9 tenths of the cases, # all", {"bold": True})]
    while maps:
        beside: list[tuple[int, list[Line]]] = []
        while maps and (not beside or sum(each + 3 for each, _ in beside) + maps[0][0] <= width):
            beside.append(maps.pop(0))
        for i in range(max(len(lines) for _, lines in beside)):
            line: Line = []
            for columns, lines in beside:
                parts = lines[i] if i < len(lines) else []
                line += [*parts, (" " * (columns + 3 - sum(len(text) for text, _ in parts)), _PLAIN)]
            yield line


def _heat_map(title: str, cells: dict[tuple[int, int], list[int]]) -> tuple[int, list[Line]]:
    """The map and its width."""
    kernels, strides = sorted({k for k, _ in cells}), sorted({s for _, s in cells})

    def label(value: int, last: int) -> str:
        return f"{value}{'+' if value == last else ''}"

    lines: list[Line] = [[(title, _PLAIN)], [("     " + "".join(f"{label(s, STRIDES):>3}" for s in strides), _PLAIN)]]
    for k in kernels:
        line: Line = [(f"{label(k, KERNELS):>5}", _PLAIN)]
        for s in strides:
            number, failed = cells.get((k, s), (0, 0))
            text, markup = "", _PLAIN
            if number:
                # a share that is not nothing and not all is never shown as one of these
                tenth = min(max(round(10 * failed / number), 1), 9)
                text, markup = (".", _GOOD) if not failed else ("#", _BAD) if failed == number else (str(tenth), {"red": True})
            line.append((f"{text:>3}", markup))
        lines.append(line)
    return max(sum(len(text) for text, _ in line) for line in lines), lines


def wrapped(text: str, width: int) -> Iterator[Line]:
    """A sentence over as many lines as it needs, those behind the first set in."""
    words, line = text.split(" "), ""
    for word in words:
        if line.strip() and len(line) + 1 + len(word) > width:
            yield [(line, _BAD)]
            line = "    " + word
        else:
            line = f"{line} {word}" if line else word
    yield [(line, _BAD)]


class Screen:
    """Prints the screen behind everything else that pytest has to say, and only some of the texts of many failures.

    The failures whose texts are left out are not hidden: their ids stand in pytest's own short summary, and ``-vv`` prints all texts.
    """

    def __init__(self, tally: Tally, complaints: list[str]) -> None:
        self._tally = tally
        self._complaints = complaints
        self._left_out = LeftOut()

    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.register(self._left_out, "convformance-left-out")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Generator[None, None, None]:
        """Around pytest's own summary: the outermost, so that the last lines are ours."""
        number = len(self._tally.failed)
        if number > TEXTS and config.get_verbosity() < 2:
            self._left_out.take(terminalreporter, self._tally.failed - self._tally.telling)
        try:
            yield
        finally:
            self._left_out.give_back(terminalreporter)
        quiet = config.get_verbosity() < 0 or getattr(config.option, "no_summary", False)
        if self._complaints or (len(self._tally) and not quiet):
            self._print(terminalreporter, number, quiet)

    def _print(self, reporter: pytest.TerminalReporter, failed: int, quiet: bool) -> None:
        title = f"conformance: {failed:,} of {len(self._tally):,} cases fail" if failed else f"conformance: {len(self._tally):,} cases"
        reporter.section(title, "=", **(_BAD if failed or self._complaints else _GOOD))
        for line in () if quiet or not len(self._tally) else screen(self._tally, reporter.config.get_terminal_writer().fullwidth):
            for text, markup in line:
                reporter.write(text, **markup)
            reporter.line("")
        for complaint in self._complaints:
            reporter.write_line(complaint, red=True)


class LeftOut:
    """The reports that pytest is not to print the texts of. It gets them back between its texts and its list of ids."""

    def __init__(self) -> None:
        self._all: list[Any] | None = None

    def take(self, reporter: pytest.TerminalReporter, nodeids: Container[str]) -> None:
        self._all = reporter.stats.get("failed", [])
        reporter.stats["failed"] = [report for report in self._all if report.nodeid not in nodeids]

    def give_back(self, reporter: pytest.TerminalReporter) -> int:
        """How many were left out."""
        if self._all is None:
            return 0
        left_out = len(self._all) - len(reporter.stats["failed"])
        reporter.stats["failed"], self._all = self._all, None
        return left_out

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Within pytest's own summary: behind the texts, before the ids."""
        left_out = self.give_back(terminalreporter)
        if left_out and terminalreporter.config.option.tbstyle != "no":
            terminalreporter.write_line(
                f"and {left_out:,} more failures: their ids stand below, and -vv prints their texts as well", bold=True
            )
