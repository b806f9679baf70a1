"""Claim: TensorFlow's raw convolutions survive the arguments of published advisories."""

from __future__ import annotations

import pytest

from conformance.hostile import ATTACKS, KNOWN
from conformance.plan import PLAN
from conformance.process import EndedError, Process


@pytest.mark.parametrize("name", ATTACKS)
def test_hostile(name: str, request: pytest.FixtureRequest) -> None:
    attack, limits = ATTACKS[name], request.config.stash[PLAN].limits
    process = Process(limits)
    known = KNOWN.get(name) if process.ask(limits.start, "conformance.subjects.raw_ops:onednn") else None
    ended = None
    try:
        process.ask(limits.seconds, "conformance.subjects.raw_ops:call", attack.operation, attack.all_arguments)
    except EndedError as error:
        ended = f"{error.outcome}: {error}"
    except Exception:  # noqa: S110 - refused, as it should be
        pass
    at_end = process.end(limits.end)
    ended = ended or (f"crashed: {at_end}" if at_end else None)
    if ended is not None and known is not None:
        raise pytest.xfail.Exception(f"{ended} ({known})", pytrace=False)
    if ended is not None:
        pytest.fail(f"{name} ({attack.advisory})\n{ended}", pytrace=False)
    if known is not None:
        pytest.fail(f"{name} is known to end the process ({known}) and does not\nfixed upstream: delete it from KNOWN", pytrace=False)
