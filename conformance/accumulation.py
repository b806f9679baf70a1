"""What is asserted of the sums behind a result: in which type they are carried, by type, backend and mode. Data, with a reason each.

`accumulation.toml` beside this file is the list; the first entry that speaks of a result counts, and the last speaks of all. An entry::

    [[accumulation]]
    id = "short-name"
    sums = "float32"                      # carried in float32 and rounded once; or "own": in the type itself, each step rounded
    of = ["output", "input"]              # results: output, or gradients with respect to input, kernel, bias; all if left out
    reason = "one sentence for people"
    link = "where upstream says so, or empty"
    environment = { backend = "jax" }     # the region, see conformance.regions
    where = { dtype = ["float16"] }

``own`` is the contract of a type: the rounding error bound with the type's u. ``float32`` asserts more: the bound of float32 sums and one
rounding. It is strict: a result outside of that bound fails the run, and an entry that covers no case fails this project's tests. Where
more holds than is asserted, results have it as their characteristic ``float32_sums``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from conformance import regions
from conformance.cases import Case
from conformance.formats import FORMATS, Format
from conformance.regions import Region

BUILT_IN = Path(__file__).with_name("accumulation.toml")

RESULTS = ("output", "input", "kernel", "bias")
SUMS = {"own": None, "float32": FORMATS["float32"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accumulation(Region):
    """One entry: the results it covers, and the type that their sums are carried in, None for their own."""

    id: str
    sums: Format | None
    of: frozenset[str]
    reason: str
    link: str

    def speaks_for(self, case: Case, mode: str, claim: str, result: str) -> bool:
        """Whether it covers one result of a case, in an environment that it `applies` to."""
        return ("kernel" if result.endswith("kernel") else result) in self.of and self.covers(case, mode, claim)


def load(path: Path = BUILT_IN) -> tuple[Accumulation, ...]:
    """The entries of a file.

    Raises:
        EntriesError: it cannot be read, or has an entry that cannot be understood; one line.
    """
    return tuple(regions.read(path, "accumulation", _entry))


@lru_cache(maxsize=1)
def built_in() -> tuple[Accumulation, ...]:
    """The entries of `BUILT_IN`."""
    return load()


def within(entries: Sequence[Accumulation], environment: Mapping[str, Any]) -> tuple[Accumulation, ...]:
    """The entries that speak of this environment."""
    return tuple(entry for entry in entries if entry.applies(environment))


def asserted(entries: Sequence[Accumulation], case: Case, mode: str, claim: str, result: str) -> Accumulation:
    """The first of the entries, all of which must apply, that speaks of this result.

    Raises:
        LookupError: none does, not even the last.
    """
    for entry in entries:
        if entry.speaks_for(case, mode, claim, result):
            return entry
    raise LookupError(f"no accumulation is asserted for {case} [{mode}, {claim}], {result}")


def _entry(raw: dict[str, Any]) -> Accumulation:
    regions.check_keys(raw, {"id", "sums", "of", "reason", "link"}, ("id", "sums", "reason"), ("link",))
    if raw["sums"] not in SUMS:
        raise ValueError(f"unknown sums {raw['sums']!r}: expected one of {', '.join(SUMS)}")
    of = raw.get("of", list(RESULTS))
    if not isinstance(of, list) or not of or not set(of) <= set(RESULTS):
        raise ValueError(f"of must be a list of {', '.join(RESULTS)}, got {of!r}")
    return Accumulation(
        id=raw["id"],
        sums=SUMS[raw["sums"]],
        of=frozenset(of),
        reason=raw["reason"],
        link=raw.get("link", ""),
        **regions.region(raw),
    )
