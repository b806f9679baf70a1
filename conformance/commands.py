"""What the commands of ``python -m conformance`` share."""

from __future__ import annotations


class CommandError(Exception):
    """What the user asked for cannot be done; the message is one line."""
