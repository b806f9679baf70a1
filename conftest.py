"""The gate's options and fixtures, for every way of calling pytest in this checkout."""

pytest_plugins = ("conformance.plugin",)
