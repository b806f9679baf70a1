"""What a framework says of itself, whichever subject runs on it: device, versions, and the flags that choose its code paths."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up notes would drown the report


def avx512() -> bool:
    """Whether oneDNN uses AVX-512 here: the processor has it, and oneDNN's own variable does not forbid it."""
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    return _processor_has("avx512f") and (allowed in ("", "DEFAULT", "ALL") or allowed.startswith(("AVX512", "AVX10")))


def _processor_has(*features: str) -> bool:
    """Whether the processor has one of these, by the names that Linux has for them."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    return not set(features).isdisjoint(flags)


def _tensorflow() -> dict[str, Any]:
    import tensorflow as tf
    from tensorflow.python.util import _pywrap_util_port  # the only place that says whether oneDNN is in use

    return {
        "device": "gpu" if tf.config.list_physical_devices("GPU") else "cpu",
        "versions": {"tensorflow": tf.__version__},
        "flags": {
            "onednn": bool(_pywrap_util_port.IsMklEnabled()),
            "onednn_float16": _processor_has("avx512_fp16", "amx_fp16"),
            "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads() or _number("TF_NUM_INTRAOP_THREADS"),
            "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads() or _number("TF_NUM_INTEROP_THREADS"),
        },
    }


def _number(variable: str) -> int:
    """An environment variable's number of threads, 0 where TensorFlow chooses: it does not say what it read there."""
    said = os.environ.get(variable, "")
    return int(said) if said.isdecimal() else 0


def _jax() -> dict[str, Any]:
    import jax
    import jaxlib

    return {
        "device": str(jax.default_backend()),
        "versions": {"jax": jax.__version__, "jaxlib": jaxlib.__version__},
        "flags": {
            "default_matmul_precision": jax.config.jax_default_matmul_precision,
            "enable_x64": bool(jax.config.jax_enable_x64),
        },
    }


def _torch() -> dict[str, Any]:
    import torch

    return {
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "versions": {"torch": str(torch.__version__)},
        "flags": {"onednn": bool(torch.backends.mkldnn.enabled), "threads": torch.get_num_threads()},
    }


FRAMEWORKS: dict[str, Callable[[], dict[str, Any]]] = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
"""``device``, ``versions`` and ``flags`` of each framework; calling one imports it."""
