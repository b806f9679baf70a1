"""What a run is to check, read from its options."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import pytest

from conformance import deviations, grids, models, scopes
from conformance.baseline import Baseline
from conformance.cases import DTYPES, Case, CaseError, parse
from conformance.claims import CLAIMS, Claim
from conformance.gate import KERAS
from conformance.hostile import HOSTILE
from conformance.isolated import Host, InProcess, Isolated
from conformance.process import Limits, half_of_memory, most_mappings
from conformance.records import installed
from conformance.results import ResultsError
from conformance.subjects import MODES, SubjectError

FRAMEWORKS = {"tensorflow": ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu"), "jax": ("jax",), "torch": ("torch",)}
"""Packages that a backend may be installed as."""


class Plan:
    """What this run is to check, read from the options."""

    def __init__(self, config: pytest.Config) -> None:
        """Raises: pytest.UsageError, one line, for an option that cannot be understood."""
        try:
            self.chosen = tuple(dict.fromkeys(parse(text) for text in config.getoption("--case")))
            self.entries = deviations.load(Path(name) for name in config.getoption("--deviations"))
        except (CaseError, deviations.DeviationsError) as error:
            raise pytest.UsageError(str(error)) from None
        self.modes = _some_of(MODES, "mode", config.getoption("--mode"))
        self.model_source: str | None = config.getoption("--model")
        if self.model_source is not None and self.chosen:
            raise pytest.UsageError("--model and --case exclude each other: a model has its own cases")
        of_layers = self.model_source is not None or config.getoption("--grid") == "models"
        usual = [name for name, claim in CLAIMS.items() if (claim.of_models if of_layers else claim.of_grids)]
        self.claims = _some_of(tuple(CLAIMS), "claim", config.getoption("--claim") or ",".join(usual))
        self.dtypes = _some_of(DTYPES, "dtype", config.getoption("--dtype")) if config.getoption("--dtype") else None
        self.backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        self.explore: float | None = config.getoption("--explore")
        if self.explore is not None and not (0 < self.explore < 1e6):
            raise pytest.UsageError(f"--explore takes seconds, got {self.explore:g}")
        if self.explore is not None and find_spec("hypothesis") is None:
            raise pytest.UsageError("--explore draws cases with Hypothesis: pip install 'convformance[explore]'")
        self.grid: str = (
            "explore"
            if self.explore is not None
            else "cases"
            if self.chosen
            else "model"
            if self.model_source
            else config.getoption("--grid")
        )
        self.subject: str = config.getoption("--subject")
        old = config.getoption("--baseline")
        self.baseline = Baseline(Path(old)) if old else None
        self.limits = _limits(config)
        self.in_process: bool = config.getoption("--in-process") or config.getoption("usepdb") or config.getoption("trace")

    @cached_property
    def host(self) -> Host:
        """Where this process has the subject, loaded when it is first asked for. Processes are watched over as POSIX has it."""
        return (InProcess if self.in_process or os.name != "posix" else Isolated)(self.subject, self.limits)

    def check_baseline(self, results: str | None) -> None:
        """Say in one line that the baseline cannot be used, before thousands of cases do, and keep the run from writing over it."""
        if self.baseline is None:
            return
        if results and Path(results).resolve() == self.baseline.path.resolve():
            raise pytest.UsageError(f"--results would overwrite the baseline {results}: give it another name")
        try:
            self.baseline.run  # noqa: B018 - read now, so that every process after this one can
        except ResultsError as error:
            raise pytest.UsageError(f"--baseline: {error}") from None

    def check_subject(self) -> None:
        """Say in one line that the subject cannot be had, before thousands of cases do.

        Keras itself is not imported for that: it takes long, and the workers will.
        """
        if self.subject != KERAS:
            try:
                self.host.environment  # noqa: B018 - to see whether there is one
            except SubjectError as error:
                raise pytest.UsageError(str(error)) from None
        elif self.grid == HOSTILE and installed(*FRAMEWORKS["tensorflow"]) is None:
            raise pytest.UsageError("the raw operations of --grid hostile are TensorFlow's: pip install 'convformance[tensorflow]'")
        elif self.backend not in FRAMEWORKS:
            raise pytest.UsageError(f"unknown KERAS_BACKEND {self.backend!r}: expected one of {', '.join(FRAMEWORKS)}")
        elif installed("keras", "keras-nightly") is None or installed(*FRAMEWORKS[self.backend]) is None:
            raise pytest.UsageError(f"Keras with {self.backend} is not installed: pip install 'convformance[{self.backend}]'")

    def list_model(self) -> None:
        """Find the layers of the model; other processes of this run are told where they are."""
        if self.model_source is None:
            return
        if self.subject == KERAS:
            self.check_subject()
        folder = Path(tempfile.mkdtemp(prefix="convformance-"))
        os.environ[models.FOLDER] = str(folder)
        try:
            models.list_layers(self.model_source, folder)
        except models.ModelError as error:
            self.forget_model()
            raise pytest.UsageError(str(error)) from None

    @cached_property
    def model(self) -> models.Model | None:
        """The model of this run, if there is one."""
        return models.current() if self.model_source is not None else None

    def forget_model(self) -> None:
        """Leave nothing of the model behind."""
        folder = os.environ.pop(models.FOLDER, None) if self.model_source is not None else None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    @cached_property
    def scopes(self) -> dict[str, scopes.Scope]:
        """The modes that are run on a part of the grid only, and which."""
        if self.chosen or self.model is not None or self.explore is not None or self.subject != KERAS:
            return {}
        return {mode: part for mode in self.modes if (part := scopes.scope(mode, self.backend)) is not None}

    def cases(self, mode: str) -> tuple[Case, ...]:
        """The chosen cases or those of the model as they are, or what of the grid the mode is run on, in each type that was asked for.

        An exploration has no list of them.
        """
        if self.chosen or self.explore is not None:
            return self.chosen
        if self.model is not None:
            cases = self.model.cases
        else:
            cases = scopes.cases(self.grid, mode, self.backend if self.subject == KERAS else None)
        # a case's types side by side: what a framework compiled for float16 serves mixed_float16, too
        return cases if self.dtypes is None else tuple(replace(case, dtype=dtype) for case in cases for dtype in self.dtypes)

    def checks(self, claim: Claim) -> list[tuple[Case, str]]:
        """The cases and modes that a claim is to be checked in."""
        return self._checks(claim) if claim.name in self.claims else []

    @cached_property
    def left_out(self) -> list[tuple[Case, str, str]]:
        """The case, mode and claim of every check that is not to be made, since its claim was not asked for."""
        return [(case, mode, name) for name, claim in CLAIMS.items() if name not in self.claims for case, mode in self._checks(claim)]

    def _checks(self, claim: Claim) -> list[tuple[Case, str]]:
        if self.grid == HOSTILE:
            return []
        if claim.misuses and not self.chosen:
            return [(case, mode) for mode in self.modes for case in grids.misused() if claim.speaks_of(case, mode)]
        return [(case, mode) for mode in self.modes for case in self.cases(mode) if claim.speaks_of(case, mode)]


def _limits(config: pytest.Config) -> Limits:
    """Raises: pytest.UsageError, one line, for what is no limit."""
    seconds, memory = config.getoption("--hung-after"), config.getoption("--memory")
    for name, value in (("--hung-after", seconds), ("--memory", memory)):
        if value is not None and not 0 < value < math.inf:
            raise pytest.UsageError(f"{name} must be more than 0, got {value:g}")
    return Limits(seconds=seconds, memory=half_of_memory() if memory is None else int(memory * 2**30), mappings=most_mappings())


def _some_of(allowed: tuple[str, ...], name: str, text: str) -> tuple[str, ...]:
    """Raises: pytest.UsageError, one line, for a word that is not allowed."""
    words = tuple(dict.fromkeys(text.split(",")))
    for word in words:
        if word not in allowed:
            raise pytest.UsageError(f"unknown {name} {word!r}: expected some of {', '.join(allowed)}, joined by commas")
    return words


PLAN = pytest.StashKey[Plan]()
