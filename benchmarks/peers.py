"""What others check, and how fast: Keras's own tests of its convolution layers, and ONNX's node tests on its reference evaluator.

``python -m benchmarks.peers [--keras DIR] [-o FILE.json]``. ``DIR``, or the environment variable KERAS_CHECKOUT, is a checkout of Keras at
the tag that is installed (``git clone --depth 1 --branch v3.15.1 https://github.com/keras-team/keras``): its tests are not in its wheel.
The gate runs the claim ``forward`` of grid ``standard``. A configuration is one test, one node test, one case; the seconds are process
time without import and without collection, each in one process.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from benchmarks.harness import IMPORT, PYTEST, Cost

KERAS_TESTS = [f"keras/src/layers/convolutional/{name}_test.py" for name in ("conv", "conv_transpose")]
NODE_TESTS = re.compile(r"test_(basic_conv|conv_|convtranspose)")


def onnx_node_tests() -> tuple[int, float]:
    """How many of ONNX's node tests of convolutions, and the seconds its reference evaluator takes for them."""
    from onnx.backend.test.loader import load_model_tests
    from onnx.reference import ReferenceEvaluator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # all node tests are made anew for the few that are wanted, and some divide by zero
        chosen = [test for test in load_model_tests(kind="node") if NODE_TESTS.match(test.name)]
    started = time.process_time()
    for test in chosen:
        evaluator = ReferenceEvaluator(test.model)
        for inputs, outputs in test.data_sets or ():  # these have some; the tests of models have none until they are fetched
            found = evaluator.run(None, dict(zip(evaluator.input_names, inputs, strict=False)))
            for one, other in zip(found, outputs, strict=True):
                np.testing.assert_allclose(one, other, rtol=test.rtol, atol=test.atol)
    return len(chosen), time.process_time() - started


def keras_tests(checkout: Path) -> tuple[int, float]:
    """How many of Keras's own tests pass, and their seconds: those of the whole process without those of collecting alone."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "TF_CPP_MIN_LOG_LEVEL": "3"}

    def run(*arguments: str) -> tuple[str, float]:
        plugins = ["-pno:randomly", "-pno:xdist", "-pno:cacheprovider"]
        before = os.times()
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "pytest", "-q", *plugins, *KERAS_TESTS, *arguments],
            cwd=checkout, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        after = os.times()
        seconds = after.children_user + after.children_system - before.children_user - before.children_system
        return done.stdout, seconds

    _, idle = run("--collect-only")
    output, seconds = run()
    passed = re.search(r"(\d+) passed", output)
    if passed is None:
        raise SystemExit(f"Keras's tests did not run in {checkout}:\n{output[-1000:]}")
    return int(passed[1]), seconds - idle


def gate() -> tuple[int, float]:
    """How many cases the gate checks on grid ``standard``, and its seconds, the framework's included."""
    command = (*PYTEST, "conformance/test_forward.py")
    collected, imported, whole = Cost.of(*command, "--collect-only"), Cost.of("-c", IMPORT), Cost.of(*command)
    checked = sum(int(number) for number in re.findall(r"(\d+) (?:passed|xfailed)", whole.output))
    return checked, whole.process - collected.process - imported.process


def main() -> int:
    """Print one line a peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keras", type=Path, metavar="DIR", default=os.environ.get("KERAS_CHECKOUT"))
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.json")
    arguments = parser.parse_args()
    found = {"ONNX node tests of convolutions": onnx_node_tests()}
    if arguments.keras:
        found["Keras's own tests of Conv and ConvTranspose"] = keras_tests(arguments.keras)
    found["the gate"] = gate()
    for name, (configurations, seconds) in found.items():
        print(f"{name}: {configurations:,} configurations in {seconds:.3g} s, {configurations / seconds:.1f} a second", flush=True)
    if not arguments.keras:
        print("Keras's own tests: left out, give a checkout by --keras or KERAS_CHECKOUT")
    if arguments.output:
        arguments.output.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
