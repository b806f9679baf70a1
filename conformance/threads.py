"""Import this before NumPy, and its matrix products take one thread.

The reference's products are small: several threads would wait for each other longer than they work, the more so as every worker of a run
has them. What says so is set while NumPy is loaded and no longer, so that the libraries of the subject find the environment as it was.
"""

from __future__ import annotations

import os

THREADS = "OPENBLAS_NUM_THREADS"
"""What OpenBLAS, which NumPy's wheels bring along, reads when it is loaded. Whoever has set it is heard."""

if THREADS not in os.environ:
    os.environ[THREADS] = "1"
    import numpy  # noqa: F401 - loaded here for its settings, used elsewhere

    del os.environ[THREADS]
