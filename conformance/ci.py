"""``python -m conformance ci RESULTS.jsonl``: what a run found, in the forms that a CI job shows: Markdown, annotations, outputs."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from conformance import compare, rules
from conformance.cases import LAYERS
from conformance.commands import CommandError
from conformance.outcomes import Outcome
from conformance.results import Entry, ResultsError, Run, read
from conformance.scripts import script
from conformance.summary import smallness

SUMMARY = "what a run found, as a CI job shows it: a summary in Markdown, annotations, outputs"


@dataclass(frozen=True)
class Report:
    """One run, and the run that it is held against, if there is one."""

    run: Run
    baseline: Run | None = None

    @cached_property
    def failing(self) -> tuple[Entry, ...]:
        """What fails the run, the smallest first."""
        return tuple(sorted((entry for entry in self.run.entries.values() if not entry.passes), key=lambda entry: smallness(entry.case)))

    @cached_property
    def known(self) -> Counter[str]:
        """How many checks pass by each known deviation."""
        return Counter(entry.deviation for entry in self.run.entries.values() if entry.passes and entry.deviation)

    @cached_property
    def found(self) -> tuple[rules.Rule, ...]:
        """What is behind the failures."""
        entries = self.run.entries.values()
        known = [i for i, entry in enumerate(entries) if entry.passes and entry.deviation]
        kinds = [None if entry.passes else str(entry.outcome) for entry in entries]
        return rules.find(rules.Table(list(self.run.entries)), kinds, known).rules

    @property
    def verdict(self) -> str:
        """One line."""
        checks, known = len(self.run.entries), sum(self.known.values())
        more = f", {known:,} deviate as it is known of them" if known else ""
        return f"{len(self.failing):,} of {checks:,} checks fail{more}" if self.failing else f"{checks:,} checks pass{more}"

    def smallest_of(self, rule: rules.Rule) -> Entry | None:
        """The smallest failing case that a rule speaks of."""
        return next((entry for entry in self.failing if rule.covers(*entry.key)), None)


def outputs(report: Report) -> str:
    """``name=value`` lines: the results file, and how many checks there are of each kind."""
    numbers = {"checks": len(report.run.entries), "failing": len(report.failing), "known": sum(report.known.values())}
    numbers |= {str(outcome): report.run.counts[outcome] for outcome in Outcome}
    return "\n".join([f"results={report.run.path}", *(f"{name}={number}" for name, number in numbers.items())])


def commands(report: Report) -> str:
    """Workflow commands: one error for every rule behind the failures, or for every failing case where no rule was found; then a notice.

    A job shows ten errors of a step: so rules come first, the largest first.
    """
    lines = []
    for rule in report.found:
        smallest = report.smallest_of(rule)
        lines.append(
            _command("error", rule.statement, rule.sentence + (f"\nsmallest: {smallest.case} [{smallest.mode}]" if smallest else ""))
        )
    alone = [entry for entry in report.failing if not any(rule.covers(*entry.key) for rule in report.found)]
    lines += [_command("error", f"{entry.case} [{entry.mode}]: {entry.outcome}", entry.message) for entry in alone]
    return "\n".join([*lines, _command("notice", report.run.label, report.verdict)])


def _command(level: str, title: str, message: str) -> str:
    """A workflow command. Its own signs are escaped, so that no message can pass for another command."""

    def escaped(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    return f"::{level} title={escaped(title).replace(':', '%3A').replace(',', '%2C')}::{escaped(message or title)}"


def markdown(report: Report) -> str:
    """The summary of a job: verdict, counts, the rules behind the failures, the smallest of them with its script, what changed."""
    md = compare.in_markdown
    run = report.run
    lines = [f"### {'❌' if report.failing else '✅'} {md(run.label)}", "", f"**{md(report.verdict)}**", ""]
    lines += [f"> {md(note)}\n" for note in run.notes]
    lines += _table(report)
    for rule in report.found:
        lines.append(f"- {md(rule.sentence)}")
    if report.failing:
        smallest = report.failing[0]
        lines += ["", f"The smallest that fails: `{smallest.case}`, mode {md(smallest.mode)}, claim {md(smallest.claim)}", ""]
        lines += _fenced(smallest.message, "")
        shown = script(smallest, str(run.environment.get("backend")))
        if shown is not None and run.environment.get("keras"):
            lines += ["<details><summary>to see it without convformance</summary>", "", *_fenced(shown, "python"), "</details>", ""]
    if report.known:
        lines += ["", "| known deviation | checks |", "|---|--:|"]
        lines += [f"| {md(name)} | {number:,} |" for name, number in report.known.most_common()]
    if report.baseline is not None:
        lines += ["", compare.markdown(compare.compare(report.baseline, run))]
    return "\n".join(lines).rstrip()


def _table(report: Report) -> Iterator[str]:
    """Layers by outcome."""
    entries = report.run.entries.values()
    counts = Counter((entry.case.layer, entry.outcome) for entry in entries)
    columns = [outcome for outcome in Outcome if report.run.counts[outcome]]
    yield "| layer | checks | " + " | ".join(f"`{outcome}`" for outcome in columns) + " |"
    yield "|---|" + "--:|" * (1 + len(columns))
    for layer in LAYERS:
        numbers = [counts[layer, outcome] for outcome in columns]
        if any(numbers):
            yield f"| {LAYERS[layer].keras_name} | {sum(numbers):,} | " + " | ".join(f"{number:,}" for number in numbers) + " |"
    yield ""


def _fenced(text: str, language: str) -> Sequence[str]:
    """A block of code that nothing in ``text`` ends."""
    fence = "```"
    while fence in text:
        fence += "`"
    return [f"{fence}{language}", text, fence, ""]


FORMATS: dict[str, Callable[[Report], str]] = {"markdown": markdown, "annotations": commands, "outputs": outputs}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file, what it is compared with, and a format."""
    parser.add_argument("results", type=Path, metavar="RESULTS.jsonl", help="results of the run")
    parser.add_argument("--baseline", type=Path, metavar="OLD.jsonl", help="results of the run that it is held against")
    parser.add_argument("--format", choices=tuple(FORMATS), default="markdown", help="(default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Print it; 0 whatever the run found, since the run itself has said that.

    Raises:
        CommandError: a file cannot be used.
    """
    try:
        report = Report(read(arguments.results), read(arguments.baseline) if arguments.baseline else None)
    except ResultsError as error:
        raise CommandError(str(error)) from None
    print(FORMATS[arguments.format](report))  # noqa: T201 - this is what was asked for
    return 0
