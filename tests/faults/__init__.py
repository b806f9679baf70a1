"""Wrong implementations, kept on purpose: the gate must reject every one of them, on every grid.

`layers` has the layers right, in replaceable steps; `geometry`, `wiring`, `arithmetic`, `refusals`, `states` and `modes` replace one step
each and so plant one fault each; `orders` replaces steps by others that are right too, and must pass. `published` has what public write-ups
say. `keras_plugin` plants faults in the installed Keras itself. ``python -m tests.faults`` prints how many were rejected, by class
and grid, and by what.

A claim that is added to the gate finds its faults here: a new module beside these, named in `catalogue.MODULES`.
"""
