"""What convolution is: the convolution layers of Keras by hand, in NumPy alone.

Public here are the fast forms. `reference.definition` has the same functions as plain loops, straight from the definition.
"""

from reference.depthwise import depthwise_conv, separable_conv
from reference.taps import conv, conv2d, conv2d_transpose, conv_transpose

__all__ = ["conv", "conv2d", "conv2d_transpose", "conv_transpose", "depthwise_conv", "separable_conv"]
