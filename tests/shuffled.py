"""A pytest plugin: tests in the random order that the seed in ``CONVFORMANCE_SHUFFLE`` stands for, the same in every worker."""

from __future__ import annotations

import os
import random

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    random.Random(int(os.environ["CONVFORMANCE_SHUFFLE"])).shuffle(items)  # noqa: S311 - an order, not a secret
