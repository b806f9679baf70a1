"""The action, the workflows and the GitLab template: safe to run, and their scripts do here what they are to do there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.outcomes import Outcome
from conformance.results import read

CHECKOUT = Path(__file__).parents[1]
WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
ACTION: dict[str, Any] = yaml.safe_load((CHECKOUT / "action.yml").read_text(encoding="utf-8"))
TEMPLATE = list(yaml.safe_load_all((CHECKOUT / "templates" / "gate.yml").read_text(encoding="utf-8")))
SUBJECTS = "tests.conformance.subjects"
CASE = "conv2d-valid-in1x3x4x1-k1x2-f1-s1x1"


def script(text: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script of a step as a runner does: its own variables, nothing of this process but what finds the programs."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "PIP_CERT", "TMPDIR")}
    # what an installed convformance has: its packages and its plugin
    installed = {"PYTHONPATH": str(CHECKOUT), "PYTEST_PLUGINS": "conformance.entry"}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]  # GitHub's way with shell: bash
    return subprocess.run(command, cwd=folder, env={**kept, **installed, **environment}, capture_output=True, text=True, check=False)


def step(steps: list[dict[str, Any]], name: str) -> str:
    (found,) = [each["run"] for each in steps if each.get("name") == name]
    return str(found)


def jobs(workflow: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"])


# Safe to run


@pytest.mark.parametrize("file", [*WORKFLOWS, CHECKOUT / "action.yml"], ids=lambda file: file.name)
def test_what_others_wrote_is_pinned_to_a_commit_with_its_version(file: Path) -> None:
    for line in re.findall(r"uses: +(.+)", file.read_text(encoding="utf-8")):
        assert line == "./" or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line), line


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_a_job_may_read_and_nothing_else(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_text(encoding="utf-8"))["permissions"] == {}
    for job in jobs(workflow).values():
        assert set(job["permissions"].values()) == {"read"}
        assert job["timeout-minutes"]


@pytest.mark.parametrize("file", [*WORKFLOWS, CHECKOUT / "action.yml"], ids=lambda file: file.name)
def test_no_script_has_an_expression_in_it(file: Path) -> None:
    """What an input or a branch is called cannot become a command: scripts read variables."""
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    steps = document["runs"]["steps"] if "runs" in document else [each for job in document["jobs"].values() for each in job["steps"]]
    assert steps
    for each in steps:
        assert "${{" not in each.get("run", "")


# The action


def checked(folder: Path, subject: str, baseline: str = "", arguments: str = "") -> subprocess.CompletedProcess[str]:
    """The step that runs the gate."""
    return script(
        step(ACTION["runs"]["steps"], "Check"),
        folder,
        PYTHON=sys.executable,
        KERAS_BACKEND="jax",
        GRID="smoke",
        MODE="eager",
        MODEL="",
        BASELINE=baseline,
        ARGUMENTS=f"--case\n{CASE}\n--claim\nforward\n--subject\n{SUBJECTS}:{subject}\n{arguments}",
        RESULTS="run.jsonl",
    )


def reported(folder: Path, baseline: str = "") -> tuple[dict[str, str], str, str]:
    """The step behind it: outputs, summary, annotations."""
    (folder / "outputs").write_text("", encoding="utf-8")
    (folder / "summary").write_text("before\n", encoding="utf-8")
    done = script(
        step(ACTION["runs"]["steps"], "Report"),
        folder,
        PYTHON=sys.executable,
        BASELINE=baseline,
        RESULTS="run.jsonl",
        GITHUB_OUTPUT=str(folder / "outputs"),
        GITHUB_STEP_SUMMARY=str(folder / "summary"),
    )
    assert done.returncode == 0, done.stderr
    outputs = dict(line.split("=", 1) for line in (folder / "outputs").read_text(encoding="utf-8").splitlines())
    return outputs, (folder / "summary").read_text(encoding="utf-8"), done.stdout


def test_the_action_passes_with_what_is_right(tmp_path: Path) -> None:
    done = checked(tmp_path, "Right")
    assert done.returncode == 0, done.stdout + done.stderr
    outputs, summary, annotations = reported(tmp_path)
    assert (outputs["results"], outputs["checks"], outputs["failing"], outputs["conforms"]) == ("run.jsonl", "1", "0", "1")
    assert summary.startswith("before\n### ✅")
    assert "::error" not in annotations


def test_the_action_fails_with_what_is_wrong_and_says_where(tmp_path: Path) -> None:
    done = checked(tmp_path, "Shifted")
    assert done.returncode == 1, done.stdout + done.stderr
    outputs, summary, annotations = reported(tmp_path)
    assert (outputs["failing"], outputs["wrong_value"], outputs["conforms"]) == ("1", "1", "0")
    assert "### ❌" in summary
    assert CASE in summary
    assert CASE in annotations
    assert annotations.startswith("::error title=")


def test_with_a_baseline_the_action_fails_only_for_what_got_worse(tmp_path: Path) -> None:
    checked(tmp_path, "Shifted")
    (tmp_path / "run.jsonl").rename(tmp_path / "wrong.jsonl")
    assert checked(tmp_path, "Right").returncode == 0
    (tmp_path / "run.jsonl").rename(tmp_path / "right.jsonl")
    assert checked(tmp_path, "Shifted", baseline="wrong.jsonl").returncode == 0
    outputs, summary, annotations = reported(tmp_path, baseline="wrong.jsonl")
    assert (outputs["failing"], outputs["known"], outputs["wrong_value"]) == ("0", "1", "1")
    assert "::error" not in annotations
    assert checked(tmp_path, "Shifted", baseline="right.jsonl").returncode == 1
    outputs, summary, annotations = reported(tmp_path, baseline="right.jsonl")
    assert outputs["failing"] == "1"
    assert "1 of 1 cases in both runs no longer conform" in summary


def test_no_argument_of_the_action_becomes_a_command(tmp_path: Path) -> None:
    done = checked(tmp_path, "Right", arguments="-k\n$(touch made); touch made")
    assert done.returncode != 0
    assert not (tmp_path / "made").exists()


def test_every_input_and_output_of_the_action_is_used_and_made(tmp_path: Path) -> None:
    text = (CHECKOUT / "action.yml").read_text(encoding="utf-8")
    for name in ACTION["inputs"]:
        assert f"${{{{ inputs.{name} }}}}" in text
    checked(tmp_path, "Right")
    outputs, _, _ = reported(tmp_path)
    assert set(outputs) == set(ACTION["outputs"]) == {"results", "checks", "failing", "known", *map(str, Outcome)}


@pytest.mark.package
def test_the_action_installs_into_an_environment_of_its_own(tmp_path: Path) -> None:
    """As on a runner, from a clean clone: what it installs finds its options where the checkout is not."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(CHECKOUT), str(clone)], check=True)  # noqa: S607 - the git that is found
    (tmp_path / "outputs").write_text("", encoding="utf-8")
    variables = {"RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(tmp_path / "outputs"), "PYTHONPATH": "", "PYTEST_PLUGINS": ""}
    install = step(ACTION["runs"]["steps"], "Install")
    done = script(install, tmp_path, SOURCE=str(clone), PYTHON="", BACKEND="jax", KERAS="3.14.0", FRAMEWORK="", **variables)
    assert done.returncode == 0, done.stderr
    python = (tmp_path / "outputs").read_text(encoding="utf-8").strip().removeprefix("python=")
    options = {"KERAS_BACKEND": "jax", "GRID": "smoke", "MODE": "eager", "MODEL": "", "BASELINE": "", "RESULTS": "run.jsonl"}
    check = step(ACTION["runs"]["steps"], "Check")
    done = script(check, tmp_path, PYTHON=python, ARGUMENTS=f"--case\n{CASE}", **options, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    run = read(tmp_path / "run.jsonl")
    assert (run.environment["keras"], run.environment["backend"], run.counts[Outcome.CONFORMS]) == ("3.14.0", "jax", len(run.entries))


# The workflows


def fake(folder: Path, name: str, text: str) -> str:
    """A program in the place of one that only a runner has; returns the path to find it by."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/bash\n{text}", encoding="utf-8")
    (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


NIGHT = jobs(CHECKOUT / ".github" / "workflows" / "nightly.yml")["nightly"]["steps"]
GH = """
if [ "$2" = list ]; then printf '%s\\n' 30 20 10; exit; fi
[ "$3" = 20 ] || exit 1  # the last night left nothing
mkdir -p "${@: -1}"; cp old.jsonl "${@: -1}/results.jsonl"
"""


def test_the_nightly_finds_the_last_night_that_left_results_and_compares(tmp_path: Path) -> None:
    checked(tmp_path, "Right")
    (tmp_path / "run.jsonl").rename(tmp_path / "old.jsonl")
    checked(tmp_path, "Shifted")
    (tmp_path / "run.jsonl").rename(tmp_path / "results.jsonl")
    path = fake(tmp_path / "bin", "gh", GH)
    done = script(
        step(NIGHT, "Fetch the results of the night before"), tmp_path, PATH=path, REPOSITORY="a/b", BRANCH="main", NAME="nightly-jax"
    )
    assert done.returncode == 0, done.stderr
    assert "the night before: run 20" in done.stdout
    assert (tmp_path / "before" / "results.jsonl").exists()
    python = fake(tmp_path / "python", "python", f'if [ "$2" = pip ]; then exit; fi\nexec {sys.executable} "$@"').partition(os.pathsep)[0]
    files = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "GITHUB_ENV": str(tmp_path / "env")}
    done = script(step(NIGHT, "Compare with the night before, and make the page"), tmp_path, PYTHON=f"{python}/python", **files)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 cases in both runs no longer conform" in (tmp_path / "summary").read_text(encoding="utf-8")
    assert (tmp_path / "env").read_text(encoding="utf-8") == "worse=true\n"
    assert "<html" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_first_night_has_nothing_to_compare_with(tmp_path: Path) -> None:
    path = fake(tmp_path / "bin", "gh", "exit 0")
    done = script(
        step(NIGHT, "Fetch the results of the night before"), tmp_path, PATH=path, REPOSITORY="a/b", BRANCH="main", NAME="nightly-jax"
    )
    assert done.returncode == 0, done.stderr
    assert "::warning::no results of a night before" in done.stdout


@pytest.mark.parametrize(
    ("gate", "explore", "worse", "code"),
    [("success", "success", "", 0), ("failure", "success", "", 1), ("success", "failure", "", 1), ("success", "success", "true", 1)],
)
def test_the_nightly_fails_for_each_of_its_three_questions(tmp_path: Path, gate: str, explore: str, worse: str, code: int) -> None:
    done = script(step(NIGHT, "Say what came out"), tmp_path, GATE=gate, EXPLORE=explore, **({"worse": worse} if worse else {}))
    assert done.returncode == code
    assert f"gate: {gate}, beyond the grid: {explore}" in done.stdout


def test_every_environment_that_a_workflow_asks_tox_for_exists() -> None:
    text = (CHECKOUT / "tox.ini").read_text(encoding="utf-8")
    asked = [
        name for file in WORKFLOWS for names in re.findall(r"tox -e (\S+)", file.read_text(encoding="utf-8")) for name in names.split(",")
    ]
    assert asked
    for name in asked:
        stem = name.strip('"').removesuffix("-$BACKEND").removesuffix("-tensorflow")
        assert re.search(rf"^\[testenv:{stem}(-\{{tensorflow,jax,torch\}})?\]$", text, re.MULTILINE), name


# GitLab


@pytest.mark.parametrize(("subject", "code"), [("Right", 0), ("Shifted", 1)])
def test_the_template_runs_the_gate_and_leaves_a_summary(tmp_path: Path, subject: str, code: int) -> None:
    _, document = TEMPLATE
    (job,) = document.values()
    for name, more in (("python", ""), ("pytest", f"-m pytest --case {CASE} --claim forward --subject {SUBJECTS}:{subject}")):
        (tmp_path / ".convformance" / "bin").mkdir(parents=True, exist_ok=True)
        fake(tmp_path / ".convformance" / "bin", name, f'exec {sys.executable} {more} "$@"')
    variables = dict.fromkeys(job["variables"], "") | {"KERAS_BACKEND": "jax", "GRID": "smoke", "MODE": "eager"}
    done = script("\n".join(job["script"]), tmp_path, **variables)
    assert done.returncode == code, done.stdout + done.stderr
    assert script("\n".join(job["after_script"]), tmp_path, **variables).returncode == 0
    assert ("### ✅" if code == 0 else "### ❌") in (tmp_path / "convformance.md").read_text(encoding="utf-8")
    assert set(job["artifacts"]["paths"]) | {job["artifacts"]["reports"]["junit"]} <= {file.name for file in tmp_path.iterdir()}


def test_every_input_of_the_template_is_used() -> None:
    text = (CHECKOUT / "templates" / "gate.yml").read_text(encoding="utf-8")
    header, _ = TEMPLATE
    for name in header["spec"]["inputs"]:
        assert f"$[[ inputs.{name} ]]" in text
