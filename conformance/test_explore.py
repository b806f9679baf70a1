"""What ``--explore`` runs: stretches of the space of cases beyond the grids, in which everything that is claimed must hold, too."""

from __future__ import annotations

from collections.abc import Callable

from conformance.exploring import Stretch


def test_explore(explore: Callable[[Stretch], None], stretch: Stretch) -> None:
    explore(stretch)
