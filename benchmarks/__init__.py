"""How fast: the reference against the machine's limit and others, the harness against the framework. Ratios within one run."""
