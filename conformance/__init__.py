"""Does an installed implementation of convolution compute what it is defined to compute?

A case flows one way: ``grids -> Case -> probes -> (reference, subject) -> oracle -> Outcome -> deviations -> results``.
"""
