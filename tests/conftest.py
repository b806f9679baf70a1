"""Shows at the end of a run what the agreement tests counted; makes Hypothesis deterministic."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings

settings.register_profile("convformance", deadline=None, derandomize=True)  # the same examples every time, on a busy machine, too
settings.load_profile("convformance")

AGREEMENT = "agreement"


@pytest.fixture
def agreed(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Call with one line that says what agreed and how often; it is printed if the test passes."""

    def agreed(line: str) -> None:
        record_property(AGREEMENT, line)

    return agreed


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = [
        str(line)
        for report in terminalreporter.getreports("passed")
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, line in report.user_properties
        if name == AGREEMENT
    ]
    if lines:
        terminalreporter.section("exact agreement")
        for line in sorted(lines):
            terminalreporter.write_line(line)
