"""``python -m conformance COMMAND``: what there is to do beside running the gate, which is ``pytest conformance``."""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Sequence

from conformance.commands import CommandError

COMMANDS: tuple[str, ...] = ("explain", "compare", "page", "known", "stack", "ci")
"""Modules of this package that are commands. Each has ``SUMMARY``, ``add_arguments(parser)`` and ``run(arguments) -> exit code``, and
raises `CommandError` for what the user should read as one line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is the command's own, 2 for a usage error."""
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__.partition(":")[2].strip() if __doc__ else None)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"conformance.{name}")
        module.add_arguments(commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY))
    arguments = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console that lacks a sign gets another in its place
    try:
        return int(importlib.import_module(f"conformance.{arguments.command}").run(arguments))
    except CommandError as error:
        print(f"python -m conformance {arguments.command}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
