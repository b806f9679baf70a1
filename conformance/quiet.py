"""Silence for subjects."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """What a subject warns of is no verdict, even where warnings are errors.

    A subject in NumPy warns of the infinities that it is asked for, and a matrix product may even warn of an "invalid value" that is in
    none of its operands: a BLAS may compute on what happens to lie beside them, and leaves the processor's flag behind.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
