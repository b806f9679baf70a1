"""Every planted fault is rejected by the gate on every grid, and the test says by which claim; what is right passes every case."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest

from conformance import grids
from conformance.cases import Case
from conformance.claims import CLAIMS, Claim
from conformance.outcomes import Outcome
from conformance.probes import Probe
from conformance.subjects import Observed
from tests.faults import __main__ as commands
from tests.faults.catalogue import MODULES, faults, in_order, rejection, rejections
from tests.faults.geometry import ParityDropped
from tests.faults.layers import Layers
from tests.faults.modes import InModes
from tests.faults.orders import RIGHT
from tests.faults.planting import Fault
from tests.faults.states import InputOverwritten, KernelKeptByShape

GRIDS = ("smoke",)
"""The larger grids, and every right implementation on every grid, are run by ``python -m tests.faults``: they take many minutes."""


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("fault", faults(), ids=str)
def test_fault_is_rejected(fault: Fault, grid: str, record_property: Callable[[str, object], None]) -> None:
    rejected = rejection(fault, grid)
    assert rejected is not None, f"no claim rejects it: {fault.sentence}"
    record_property("rejected by", str(rejected))
    assert rejected.claim in CLAIMS
    assert rejected.verdict.outcome in fault.outcomes, f"{fault.sentence}\nrejected as another fault than this: {rejected.verdict}"


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("fault", [fault for fault in faults() if fault.kind == "gradients"], ids=str)
def test_exact_gradients_alone_reject_every_fault_of_gradients(fault: Fault, grid: str) -> None:
    rejected = next(rejections(fault.make(), in_order(fault, grid), [CLAIMS["gradients"]]), None)
    assert rejected is not None, fault.sentence
    assert rejected.verdict.outcome in fault.outcomes


@pytest.mark.parametrize(
    ("right", "grid"),
    [*product(RIGHT, ("smoke",)), (Layers, "standard")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_no_false_alarm(right: type[Layers], grid: str) -> None:
    assert list(rejections(right(), grids.grid(grid), concerned(right))) == []


def concerned(right: type[Layers]) -> list[Claim]:
    """All claims, but those that ask an implementation for nothing that it does in a way of its own: they are asked of `Layers`."""
    shared = () if right in (Layers, InModes) else ("gradients", "output_shape")
    return [claim for claim in CLAIMS.values() if claim.method not in shared]


def test_every_fault_has_a_name_and_one_sentence_of_its_own() -> None:
    assert len(faults()) >= 80
    assert len({str(fault) for fault in faults()}) == len(faults())
    assert {fault.kind for fault in faults()} == set(MODULES)
    for fault in faults():
        assert re.fullmatch(r"[a-z]+-[a-z0-9_-]+", str(fault)), str(fault)
        assert fault.sentence[0].isupper(), str(fault)
        assert fault.sentence.endswith("."), str(fault)
    # the members of a family share their sentence, no two families do
    makers = Counter((fault.sentence, re.sub(r"-(?:[0-9]|conv2d).*", "", fault.name)) for fault in faults())
    assert max(makers.values()) <= 12


def test_every_class_reaches_the_outcomes_it_speaks_of() -> None:
    outcomes = {rejected.verdict.outcome for fault in faults() if (rejected := rejection(fault, "smoke"))}
    assert outcomes == {Outcome.WRONG_SHAPE, Outcome.WRONG_VALUE, Outcome.WRONG_DTYPE, Outcome.DECLINED, Outcome.ACCEPTED}


def test_a_fault_that_is_right_elsewhere_is_rejected_only_where_it_is_wrong() -> None:
    """The gate names the region: here the odd crop of "same", and nothing else, differs."""
    fault = next(fault for fault in faults() if fault.name == "odd-crop-in-front-0")
    found = list(rejections(fault.make(), grids.grid("smoke")))
    assert found
    for rejected in found:
        assert (rejected.case.transposed, rejected.case.padding) == (True, "same")
        assert _odd_crop(rejected.case)


def _odd_crop(case: Case) -> bool:
    """Along the height, by hand: what the stamps are longer than the output is odd."""
    n, k, s, d = case.size[0], case.kernel_size[0], case.strides[0], case.dilation_rate[0]
    stamps = (n - 1) * s + (k - 1) * d + 1
    p = None if case.output_padding is None else case.output_padding[0]
    output = n * s if p is None else (n - 1) * s + ((k - 1) * d + 1) % 2 + p
    return stamps > output and (stamps - output) % 2 == 1


def test_a_subject_that_keeps_its_layers_passes_in_every_order() -> None:
    """A layer is built by whichever case comes first, be it one that must be refused: its weights serve all."""

    class Keeping(Layers):
        """Weights are taken when a configuration is first seen, as for a layer that is kept."""

        def __init__(self) -> None:
            self.seen: dict[Case, Probe] = {}

        def forward(self, case: Case, probe: Probe, mode: str) -> Observed:
            first = self.seen.setdefault(case.configuration, probe)
            return super().forward(case, replace(probe, kernel=first.kernel, bias=first.bias), mode)

    cases = grids.grid("smoke")
    assert list(rejections(Keeping(), cases[::-1], [CLAIMS["forward"]])) == []


def test_memory_faults_are_wrong_only_by_what_came_before() -> None:
    case = next(case for case in grids.grid("smoke") if not case.transposed)
    forward = [CLAIMS["forward"]]
    assert list(rejections(KernelKeptByShape(), [case], forward)) == []
    assert [r.verdict.outcome for r in rejections(InputOverwritten(), [case], forward)] == [Outcome.WRONG_VALUE]


def test_summary_counts_all_and_names_the_claim(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # one of the right ones: all of them pass in the tests above, at ten seconds each
    monkeypatch.setattr(commands, "RIGHT", RIGHT[:1])
    assert commands.main(["smoke"]) == 0
    out = capsys.readouterr().out
    for kind, number in [*Counter(fault.kind for fault in faults()).items(), ("all", len(faults()))]:
        assert re.search(rf"^  {kind} +{number} of +{number} rejected  \((?:{'|'.join(CLAIMS)}) ", out, re.MULTILINE), out
    assert "1 of   1 pass" in out


def test_summary_tells_what_went_through_and_what_was_rejected_by_mistake(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Fault("geometry", "none", "Nothing is wrong.", Layers, frozenset(Outcome))
    monkeypatch.setattr(commands, "faults", lambda: [right])
    monkeypatch.setattr(commands, "RIGHT", [ParityDropped])
    assert commands.main(["smoke"]) == 1
    out = capsys.readouterr().out
    assert "  not rejected: geometry-none (Nothing is wrong.)\n" in out
    assert "  right          0 of   1 pass\n  false alarm: ParityDropped: " in out


@pytest.mark.parametrize(
    ("subject", "code", "said"),
    [
        ("tests.faults.layers:Layers", 0, "passed"),
        ("tests.faults.geometry:ParityDropped", 1, "wrong_shape"),
    ],
    ids=["right", "wrong"],
)
def test_the_gate_as_a_user_runs_it(subject: str, code: int, said: str) -> None:
    command = [sys.executable, "-m", "pytest", "conformance", "--grid", "smoke", "--subject", subject, "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == code, done.stdout
    assert said in done.stdout
