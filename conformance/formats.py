"""The floating-point formats that are tested, as IEEE 754 has them (bfloat16 is float32 without its last 16 bits)."""

from __future__ import annotations

from typing import NamedTuple


class Format(NamedTuple):
    """A binary format: ``bits`` of significand, hidden bit included; normal numbers are at least 2^least and below 2^(most + 1)."""

    bits: int
    least: int
    most: int

    @property
    def roundoff(self) -> float:
        """2^-bits, u: rounding to nearest moves a number by at most u of it."""
        return 2.0**-self.bits

    @property
    def smallest(self) -> float:
        """The smallest positive subnormal, eta: rounding moves a number below the normal ones by at most half of it."""
        return 2.0 ** (self.least - self.bits + 1)

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return (2.0 - 2.0 ** (1 - self.bits)) * 2.0**self.most


FORMATS = {
    "float64": Format(53, -1022, 1023),
    "float32": Format(24, -126, 127),
    "float16": Format(11, -14, 15),
    "bfloat16": Format(8, -126, 127),
}
"""By Keras's names."""
