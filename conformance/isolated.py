"""One case in a process of its own, for what would take the run down with it: ``python -m conformance.isolated SUBJECT CASE MODE CLAIM``.

A new interpreter, not a fork: a framework that has run an operation does not survive forking.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import warnings
from dataclasses import asdict

from conformance import subjects
from conformance.cases import Case, parse
from conformance.claims import CLAIMS, Claim
from conformance.outcomes import Outcome, Verdict

SECONDS = 300.0
"""Time allowed to one case, import of the framework included, before it counts as hung."""

MARK = "convformance-verdict "
"""Starts the line with the verdict: a framework may print what it likes before it."""


def judge(subject: str, case: Case, mode: str, claim: Claim, seconds: float = SECONDS) -> Verdict:
    """The verdict on a case from a process of its own; ``crashed`` or ``hung`` if that process brings none."""
    command = [sys.executable, "-m", "conformance.isolated", subject, str(case), mode, claim.name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False)  # noqa: S603 - our own module
    except subprocess.TimeoutExpired:
        return Verdict(Outcome.HUNG, f"no result within {seconds:g} s")
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            said = json.loads(line.removeprefix(MARK))
            at = None if said["at"] is None else tuple(said["at"])
            return Verdict(**{**said, "outcome": Outcome(said["outcome"]), "at": at})
    return Verdict(Outcome.CRASHED, f"{_ending(done.returncode)}: {_last_words(done.stderr)}")


def _ending(code: int) -> str:
    if code >= 0:
        return f"the process ended with exit code {code} and no result"
    try:
        return f"the process was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"the process was killed by signal {-code}"


def _last_words(stderr: str) -> str:
    """The line that tells why: the first that speaks of a failed check or a fatal error, else the last."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if "check fail" in line.lower() or "fatal" in line.lower()]
    return (telling or lines[-1:] or ["no message"])[0][:300]


def main(arguments: list[str]) -> int:
    """Judge one case here and print the verdict."""
    subject, case, mode, claim = arguments
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        verdict = CLAIMS[claim](subjects.load(subject), parse(case), mode)
    print(f"\n{MARK}{json.dumps(asdict(verdict))}", flush=True)  # noqa: T201 - this is how it answers
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
