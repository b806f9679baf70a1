"""``pytest conformance --explore [SECONDS]``: on beyond the grids, by the same claims, and down to the smallest case that fails.

Hypothesis draws the cases. One that fails is made smaller in this project's own order (`conformance.summary.smallness`) for as long as a
smaller one fails in the same way. What was found is kept in pytest's cache by its id, and is the first that the next exploration runs.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from conformance import space
from conformance.cases import DTYPES, LAYERS, Case, CaseError, parse
from conformance.claims import CLAIMS, Claim
from conformance.gate import Judgement
from conformance.outcomes import FATAL
from conformance.probes import UntrustedCaseError
from conformance.space import Along, Point
from conformance.subjects import NotOfferedError
from reference.geometry import effective_kernel

SECONDS = 60.0
"""How long an exploration takes if nothing else is said."""
SHRINKING = 120.0
"""Seconds that making one case smaller may take, behind the time of the exploration itself."""
BATCH = 200
"""Cases that Hypothesis is asked for at a time; it knows no time limit, so the clock is read between them."""


class Check(NamedTuple):
    """One thing to judge."""

    case: Case
    mode: str
    claim: Claim


@dataclass(frozen=True, slots=True)
class Kept:
    """A check that failed in an earlier exploration."""

    id: str
    mode: str
    claim: str

    def check(self) -> Check:
        """Raises: CaseError or KeyError, if this version has no such case or claim."""
        return Check(parse(self.id), self.mode, CLAIMS[self.claim])


class Store:
    """What explorations leave for the next one, in a folder; without one, nothing."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def kept(self) -> tuple[Kept, ...]:
        """What failed before, as far as it can be read: the file may be of another version."""
        if self.folder is None:
            return ()
        try:
            entries = json.loads((self.folder / "found.json").read_text(encoding="utf-8"))
            found = [Kept(str(each["id"]), str(each["mode"]), str(each["claim"])) for each in entries]
        except (OSError, ValueError, KeyError, TypeError):
            return ()
        return tuple(each for each in dict.fromkeys(found) if _readable(each))

    def keep(self, found: Sequence[Kept]) -> None:
        if self.folder is not None:
            text = json.dumps([asdict(each) for each in dict.fromkeys(found)], indent=1)
            (self.folder / "found.json").write_text(text + "\n", encoding="utf-8")


def _readable(kept: Kept) -> bool:
    try:
        kept.check()
    except (CaseError, KeyError):
        return False
    return True


@dataclass
class Journey:
    """What one stretch of an exploration met: every judgement that it came to, and how many cases it has none for, by reason."""

    judgements: list[Judgement] = field(default_factory=list)
    without: Counter[str] = field(default_factory=Counter)
    cases: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """The smallest check that fails, the one that was met first, and whether there was time to make sure that none is smaller."""

    check: Check
    judgement: Judgement
    first: Case
    tries: int
    finished: bool

    @property
    def text(self) -> str:
        lines = [self.judgement.text]
        if self.first != self.check.case:
            lines.append(f"met at {self.first}, made smaller in {self.tries:,} tries")
        if not self.finished:
            lines.append(f"there was no time to look for a smaller one: pytest conformance --explore --case {self.check.case}")
        return "\n".join(lines)

    @property
    def kept(self) -> Kept:
        return Kept(str(self.check.case), self.check.mode, self.check.claim.name)


class Explorer:
    """Looks for cases that fail. ``judge`` judges one check; ``fatal`` says of which it is known that they take a process down."""

    def __init__(
        self,
        judge: Callable[[Check], Judgement],
        *,
        fatal: Callable[[Check], bool],
        modes: Sequence[str],
        claims: Sequence[str],
        dtypes: Sequence[str] | None,
    ) -> None:
        self._judge, self._fatal = judge, fatal
        self._modes, self._claims, self._dtypes = tuple(modes), tuple(claims), tuple(dtypes or DTYPES)
        self.journey = Journey()

    def explore(self, layer: str, seconds: float) -> Failure | None:
        """Draw cases of a layer for so long, or until one fails; then the smallest that fails in the same way."""
        from hypothesis import HealthCheck, Phase, given, settings, target

        end = time.monotonic() + seconds
        met: list[tuple[Check, Judgement]] = []

        @settings(
            max_examples=BATCH,
            database=None,  # found cases are kept by their ids, which outlive a change of the strategy
            deadline=None,
            derandomize=False,  # also where CI is in the environment: another night, other cases
            phases=(Phase.generate, Phase.target),
            suppress_health_check=list(HealthCheck),
        )
        @given(cases(layer, self._dtypes))
        def batch(case: Case) -> None:
            if met or time.monotonic() > end:
                return
            self.journey.cases += 1
            for check in self.checks(case):
                if self._fatal(check):
                    self.journey.without["known to take the process down"] += 1  # a process for each would cost seconds
                    continue
                judgement = self._tried(check)
                if judgement is None:
                    continue
                if not judgement.passes:
                    met.append((check, judgement))
                    return
                error = judgement.record["error_in_bounds"]
                if error is not None and math.isfinite(error):
                    target(float(error), label=f"{check.claim.name} {check.mode}")  # climb towards the bound

        while not met and time.monotonic() < end:
            batch()
        return self.shrunk(*met[0]) if met else None

    def start_at(self, case: Case) -> Failure | None:
        """Judge a case in all that it is asked for, and if it fails find the smallest that fails in the same way."""
        self.journey.cases += 1
        for check in self.checks(case):
            judgement = self._tried(check)
            if judgement is not None and not judgement.passes:
                return self.shrunk(check, judgement)
        return None

    def replay(self, kept: Kept) -> Failure | None:
        """Judge once more what failed before, and was made small then."""
        self.journey.cases += 1
        check = kept.check()
        judgement = self._tried(check)
        return None if judgement is None or judgement.passes else Failure(check, judgement, check.case, 0, finished=True)

    def checks(self, case: Case) -> Iterator[Check]:
        """All claims and modes that were asked for and that concern the case."""
        for mode in self._modes:
            for name in self._claims:
                if CLAIMS[name].speaks_of(case, mode):
                    yield Check(case, mode, CLAIMS[name])

    def _tried(self, check: Check) -> Judgement | None:
        """The judgement, kept for the report; None, and counted, where there is none."""
        try:
            judgement = self._judge(check)
        except NotOfferedError as error:
            self.journey.without[f"{check.claim.name} in mode {check.mode} not offered: {error}"] += 1
            return None
        except UntrustedCaseError:
            self.journey.without["no exact data within the budget of the type"] += 1
            return None
        self.journey.judgements.append(judgement)
        return judgement

    def shrunk(self, check: Check, judgement: Judgement) -> Failure:
        """Step to the smallest case, one field away or two, that fails in the same way, until there is none; the time is limited.

        Where every case that fails takes a process with it, only those one field away are tried.
        """
        first, end, tried = check.case, time.monotonic() + SHRINKING, {check.case}
        kind, most = _kind(judgement), 1 if judgement.record["outcome"] in FATAL else 2
        fields, finished = 1, True
        while fields <= most:
            for case in space.smaller(check.case, fields):
                if case in tried or not check.claim.speaks_of(case, check.mode):
                    continue
                if time.monotonic() > end:
                    fields, finished = most, False
                    break
                tried.add(case)
                smaller = check._replace(case=case)
                found = self._tried(smaller)
                if found is not None and _kind(found) == kind:
                    check, judgement, fields = smaller, found, 0
                    break
            fields += 1
        return Failure(check, judgement, first, len(tried) - 1, finished)


def _kind(judgement: Judgement) -> tuple[bool, str, str | None]:
    """In what way a check fails: a smaller case that fails in another way may be another fault."""
    return judgement.passes, judgement.record["outcome"], judgement.record["deviation"]


def cases(layer: str, dtypes: Sequence[str]) -> Any:
    """A Hypothesis strategy for the cases of a layer, within the bounds of `conformance.space`. One in some ten is one to be refused."""
    from hypothesis import strategies as st

    kind = LAYERS[layer]

    @st.composite
    def strategy(draw: Callable[[Any], Any]) -> Case:
        padding = draw(st.sampled_from(kind.paddings))
        dilated, with_output_padding = draw(st.booleans()), kind.transposed and draw(st.booleans())
        refused = draw(st.integers(0, 9)) == 9
        shrink = draw(st.sampled_from([0, 4, 8]))  # small cases are many in the time that a large one takes
        work, elements = space.WORK >> shrink, space.ELEMENTS >> shrink
        axes = []
        for _ in range(kind.rank):
            kernel = draw(st.integers(1, space.KERNEL))
            stride = 1 if dilated and not refused else draw(st.integers(1, space.STRIDE))
            dilation = draw(st.integers(1, space.DILATION)) if dilated else 1
            effective = effective_kernel(kernel, dilation)
            least = effective if padding == "valid" and not kind.transposed and not refused else 1
            most = min(space.SIZE, work // kernel, (elements - effective) // stride)
            if most < least:  # what the other axes left of the budget is a small window on a small input
                kernel, stride, dilation, least, most = 1, 1, 1, 1, max(min(4, work, elements - 1), 1)
            size = draw(st.integers(least, max(least, most)))
            output_padding = draw(st.integers(0, stride if refused else stride - 1)) if with_output_padding else None
            along = Along(size, kernel, stride, dilation, output_padding)
            axes.append(along)
            work, elements = max(work // (size * kernel), 1), max(elements // along.extent, 2)
        axes = draw(st.permutations(axes))

        def up_to(most: int, left: int) -> int:
            return int(draw(st.integers(1, max(min(most, left), 1))))

        batch = up_to(space.BATCH, min(work, elements))
        groups = up_to(space.GROUPS, min(work, elements) // batch) if kind.plain else 1
        channels = up_to(space.CHANNELS, min(work, elements) // (batch * groups))
        multiplier = up_to(space.MULTIPLIER, min(work, elements) // (batch * channels)) if kind.multiplied else 1
        left = min(work // (channels * multiplier), elements // multiplier) // (batch * groups)
        return Point(
            layer=layer,
            padding=padding,
            axes=tuple(axes),
            batch=batch,
            channels=channels,
            filters=1 if kind.depthwise else up_to(space.CHANNELS, left),
            groups=groups,
            multiplier=multiplier,
            dtype=draw(st.sampled_from(list(dtypes))),
            data_format=draw(st.sampled_from(["channels_last", "channels_first"])),
            use_bias=draw(st.booleans()),
            data=draw(st.sampled_from(kind.data)),
        ).case()

    return strategy()


def share(seconds: float, stretches: int) -> float:
    """Seconds of one of so many stretches, so that all of them together, on as many workers as there are, take ``seconds``."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return seconds * min(workers, stretches) / max(stretches, 1)
