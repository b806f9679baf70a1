"""The bare loop: what somebody would write who wants the layers of a grid called and nothing else. What the gate costs is told over this.

``python -m benchmarks.bare IDS``: a file with a case id a line. A layer is built once for the cases that stand side by side and share it,
with initial weights of zero and then those of the case (both as the gate does); it is called on data that were made before; the result is
converted to NumPy. Cases that must be refused are tried, too. Nothing is compared.
Printed are process seconds for building (with the weights) and for calling (with the conversion), without the import.
"""

from __future__ import annotations

import contextlib
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from conformance import probes
from conformance.cases import Case, parse
from conformance.contract import error_due


def main(path: Path) -> None:
    """Print what building and calling takes."""
    from conformance.subjects import keras_layers  # the same import, with the same settings, as the gate's

    keras: Any = vars(keras_layers)["keras"]
    warnings.simplefilter("ignore")
    cases = list(map(parse, path.read_text(encoding="utf-8").split()))
    prepared = [(case, probes.exact(case) if error_due(case) is None else probes.error_probe(case)) for case in cases]
    building = calling = 0.0
    layer: Any = None
    of: Case | None = None
    for case, probe in prepared:
        started = time.process_time()
        built = started
        with contextlib.suppress(Exception):  # refused, or known to deviate: the gate asks, too
            if case.configuration != of:
                of, layer = case.configuration, None
                stages = ("depthwise", "pointwise") if case.separable else ("depthwise" if case.depthwise else "kernel",)
                zeros = {f"{stage}_initializer": "zeros" for stage in stages}
                layer = getattr(keras.layers, case.keras_name)(**case.layer_arguments(), **zeros)
                layer.build(case.in_layout((None, *(None,) * case.rank, case.channels)))
                for name, kernel in zip(case.kernel_names, probe.kernels, strict=True):
                    getattr(layer, name).assign(kernel)
                if probe.bias is not None:
                    layer.bias.assign(probe.bias)
            built = time.process_time()
            if layer is not None:
                keras.ops.convert_to_numpy(layer(probe.x))
        ended = time.process_time()
        building += built - started
        calling += ended - built
    print(len(cases), building, calling)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
