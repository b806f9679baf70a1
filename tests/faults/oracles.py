"""``python -m tests.faults.oracles [-o docs/oracles.md]``: which oracle sees which wrong arithmetic, and which flags what is right.

Every implementation is judged on the same layers: sums of few terms and of thousands, and each family of random data. ``assert_allclose``
at the tolerances of Keras's and of torch's own tests stands beside the oracles for comparison; the gate does not use it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from conformance import families, oracles, rounding
from conformance.cases import LAYERS, Case, parse
from conformance.claims.forward import FORWARD
from conformance.formats import FORMATS
from conformance.outcomes import Outcome
from tests.faults import arithmetic, orders
from tests.faults.layers import Layers

ORACLES = ("exact", "bounded", "statistical", "probable", "keras allclose", "torch allclose")
"""``exact``: equality on integers, of each kind of amplitude. ``bounded``: the proven bound, on floats. ``statistical``: over many elements
of zero-mean floats, those within the bound. ``probable``: the soft bound for zero-mean floats, a characteristic."""
OURS = ("exact", "bounded", "statistical")
"""Those that judge."""

TOLERANCES = {"keras allclose": (1e-6, 1e-6), "torch allclose": (1.3e-6, 1e-5)}
"""Relative and absolute: the defaults of Keras's ``testing.TestCase.assertAllClose`` and of ``torch.testing.assert_close`` in float32."""

CHANNELS = (1, 8, 64, 512)
"""Sums of 9, 72, 576 and 4,608 terms; of the last only families of zero mean, the others take long."""

WRONG: dict[str, Callable[[], Layers]] = {
    "operands rounded to bfloat16": lambda: _with(arithmetic.OperandsRounded(), bits=8, operand="both"),
    "operands rounded to TF32": lambda: _with(arithmetic.OperandsRounded(), bits=11, operand="both"),
    "sums rounded to half precision": lambda: _with(arithmetic.SumRounded(), bits=11),
    "all in half precision": arithmetic.HalfPrecision,
    "sums cut off instead of rounded": arithmetic.SumCutOff,
    "Winograd F(4, 3) in float32": arithmetic.Winograd,
    "FFT in single precision": arithmetic.FourierTransform,
    "the smallest tap lost": arithmetic.SmallestTapLost,
    "one product in a sum lost": lambda: _with(arithmetic.ProductLost(), every=7),
    "one unit in the last place added": arithmetic.OneUnitInTheLastPlace,
}
RIGHT: dict[str, Callable[[], Layers]] = {
    "one after the other": orders.Forwards,
    "backwards": orders.Backwards,
    "pairwise": orders.Pairwise,
    "in blocks": orders.InBlocks,
    "Kahan": orders.Compensated,
    "fused multiply-add": orders.Fused,
    "float64, rounded once": orders.Wide,
    "bias first": orders.BiasFirst,
}


def _with(layers: Layers, **attributes: object) -> Layers:
    for name, value in attributes.items():
        setattr(layers, name, value)
    return layers


def layers_judged() -> Iterator[Case]:
    """A 3 x 3 convolution for each number of channels and each family, with outputs enough for statistics; filters choose the family."""
    for channels in CHANNELS:
        wanted = [name for name, family in families.FAMILIES.items() if family.zero_mean or channels < CHANNELS[-1]]
        for filters in range(7, 60):
            case = parse(f"conv2d-same-in2x9x9x{channels}-k3x3-f{filters}-s1x1")
            if families.family_of(case) in wanted:
                wanted.remove(families.family_of(case))
                yield case


def flags(subject: Layers, case: Case) -> dict[str, bool | None]:
    """Which oracles flag a subject on a case; None where the oracle says nothing of the case."""
    amplitudes = [replace(case, data=data) for data in LAYERS[case.layer].data]
    found: dict[str, bool | None] = {"exact": any(FORWARD(subject, each, "eager").outcome != Outcome.CONFORMS for each in amplitudes)}
    probe, family, number = families.floats(case), families.FAMILIES[families.family_of(case)], FORMATS["float32"]
    sums, observed = rounding.forward_sums(case, probe), subject.forward(case, probe, "eager")
    without_statistics = oracles.Arithmetic(number, "float32")
    error = np.abs(sums.error(observed.values))
    found["bounded"] = oracles.bounded(sums, observed, without_statistics, lambda wrong: "").outcome != Outcome.CONFORMS
    found["statistical"] = rounding.suspicious(sums, observed.values, number) is not None if family.zero_mean else None
    found["probable"] = bool((error > rounding.probable(sums, number)).any()) if family.zero_mean else None
    for name, (relative, absolute) in TOLERANCES.items():
        found[name] = not np.allclose(observed.values, sums.value.astype(np.float32), rtol=relative, atol=absolute)
    return found


def counts(make: Callable[[], Layers], cases: Sequence[Case]) -> dict[str, tuple[int, int]]:
    """For each oracle, how many of the cases that it speaks of it flags."""
    flagged, judged = Counter[str](), Counter[str]()
    for case in cases:
        for name, flag in flags(make(), case).items():
            flagged[name] += bool(flag)
            judged[name] += flag is not None
    return {name: (flagged[name], judged[name]) for name in ORACLES}


def row(name: str, found: dict[str, tuple[int, int]]) -> str:
    """One row of the table."""
    return "| " + " | ".join([name, *(f"{flagged} of {judged}" if flagged else "-" for flagged, judged in found.values())]) + " |"


def page(found: dict[str, dict[str, tuple[int, int]]]) -> str:
    """The page for all of `WRONG` and `RIGHT`."""
    lines = [_INTRODUCTION, "", "## Wrong arithmetic", "", *_HEADING, *(row(name, found[name]) for name in WRONG)]
    lines += ["", "## Right arithmetic, in other orders", "", *_HEADING, *(row(name, found[name]) for name in RIGHT)]
    return "\n".join(lines) + "\n"


_HEADING = ("| | " + " | ".join(ORACLES) + " |", "| --- |" + " --: |" * len(ORACLES))

_INTRODUCTION = """# What sees wrong arithmetic

A table of implementations, wrong and right, and of the layers on which an oracle flags them. Written by
`python -m tests.faults.oracles -o docs/oracles.md`; a test recomputes a part of it.

The layers are 3 x 3 convolutions with sums of 9, 72, 576 and 4,608 terms, on integers for *exact* (of each kind of amplitude) and on
random floats of every family for the others; more than 1,000 outputs each. *Statistical* and *probable* speak of data of zero mean only.
An implementation is rejected if *exact*, *bounded* or *statistical* flags it anywhere; *probable* is recorded. The last two columns are
what tests usually do: `assert_allclose` at the default tolerances of Keras's and torch's tests, against the exact result.

- No wrong arithmetic passes all three, and no right order is flagged by any.
- *Exact* sees all but what is exact on integers: sums that are cut off instead of rounded. Each of their elements lies within the bound,
  as good as always; *statistical* sees that they lean to one side.
- *Bounded* is blind to a small loss in long sums, where its bound is wide; *statistical* sees it if it is systematic.
- A tolerance flags right implementations in every order, because it knows nothing of what a sum cancels, and misses wrong ones."""


def all_counts() -> dict[str, dict[str, tuple[int, int]]]:
    """The whole table."""
    cases = list(layers_judged())
    return {name: counts(make, cases) for name, make in {**WRONG, **RIGHT}.items()}


def main(arguments: Sequence[str]) -> int:
    """Write the page; 1 if something wrong passes or something right is flagged."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.oracles", description="which oracle sees which wrong arithmetic")
    parser.add_argument("-o", "--output", metavar="FILE.md", type=Path, help="write it there (default: to the terminal)")
    output = parser.parse_args(arguments).output
    found = all_counts()
    text = page(found)
    if output is None:
        print(text, end="")  # noqa: T201 - this is what was asked for
    else:
        output.write_text(text, encoding="utf-8")
    rejected = {name: any(found[name][oracle][0] for oracle in OURS) for name in found}
    return 0 if all(rejected[name] for name in WRONG) and not any(rejected[name] for name in RIGHT) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
