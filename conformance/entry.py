"""The plugin that the installed package registers with pytest: it brings in the gate's options, but only for a run that asks for the gate.

Every run of pytest in an environment loads what is registered there, other projects' runs as well. So this module imports nothing of the
project, and claims no option: `conformance.plugin` does, once an argument names the package (``pytest --pyargs conformance``).
"""

from __future__ import annotations

from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent


def names_the_gate(argument: str, directory: Path) -> bool:
    """Whether an argument of pytest, given in ``directory``, is this package or something in it, as a module or as a path."""
    name = argument.partition("[")[0].partition("::")[0]
    path = (directory / name).resolve()
    return name.partition(".")[0] == PACKAGE.name or path == PACKAGE or PACKAGE in path.parents


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """The plugin comes in before its options are read."""
    if any(names_the_gate(argument, early_config.invocation_params.dir) for argument in early_config.known_args_namespace.file_or_dir):
        early_config.pluginmanager.import_plugin("conformance.plugin")
