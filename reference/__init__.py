"""What convolution is: Keras's Conv2D and Conv2DTranspose by hand, in NumPy alone.

Public here are the fast forms. `reference.definition` has the same functions as plain loops, straight from the definition.
"""

from reference.taps import conv, conv2d, conv2d_transpose, conv_transpose

__all__ = ["conv", "conv2d", "conv2d_transpose", "conv_transpose"]
