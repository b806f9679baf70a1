"""Silence for frameworks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """What a framework warns of is no verdict, even where this project's own warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
