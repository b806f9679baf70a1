"""What is checked on some of the cases, and which: chosen by the case's name, so the same on every machine, in every order."""

from __future__ import annotations

import hashlib

from conformance.cases import Case


def part(case: Case, parts: int, purpose: str) -> int:
    """Which of ``parts`` equally likely parts of all cases this one belongs to, 0 to ``parts - 1``; unlike purposes divide them unlike."""
    digest = hashlib.blake2b(f"{case} {purpose}".encode(), digest_size=6).digest()
    return int.from_bytes(digest) % parts
