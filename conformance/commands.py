"""What the commands of ``python -m conformance`` share."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class CommandError(Exception):
    """What the user asked for cannot be done; the message is one line."""


def write(path: Path, content: str | bytes) -> None:
    """Put a whole file in its place at once: whatever interrupts, a full disk or a kill, there is the old file or the new one.

    What is no file, such as a pipe or a terminal, is written to as it comes.

    Raises:
        CommandError: it cannot be written; the old file, if there was one, is as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        target = path.resolve()  # a link stays one
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        beside = target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
        try:
            with beside.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                beside.chmod(target.stat().st_mode)
            beside.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError
        raise CommandError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None
