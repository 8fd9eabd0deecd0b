"""Random numbers that are the same on every machine, and with every version of everything."""

from hashlib import shake_128

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LN2 = 0.6931471805599453
EXP_TERMS = 14
LOG_TERMS = 18


class RandomStream:
    """A stream of random numbers that `label` alone determines: SHAKE-128, cut into pieces.

    A draw of n values begins with the values of a shorter draw at the same place.
    """

    def __init__(self, label: str) -> None:
        self._label = label.encode()
        self._draws = 0

    def octets(self, count: int) -> bytes:
        """Return `count` random bytes."""
        self._draws += 1
        return shake_128(b"%b/%d" % (self._label, self._draws)).digest(count)

    def uniform(self, count: int) -> Floats:
        """Return float64[count] between 0 and 1, both excluded."""
        numbers = np.frombuffer(self.octets(4 * count), "<u4").astype(np.float64)
        return (numbers + 0.5) * 2.0**-32

    def normal(self, count: int) -> Floats:
        """Return float64[count], normally distributed but for what lies beyond six sigma.

        The sum of twelve uniform integers has the variance of one of them times twelve, and is
        exact: no function is called whose last bit could differ elsewhere.
        """
        parts = np.frombuffer(self.octets(24 * count), "<u2").reshape(count, 12)
        sums: Floats = parts.sum(axis=1, dtype=np.int64) - 12 * 32767.5
        return sums / 65536

    def choice(self, count: int, weights: Floats) -> Integers:
        """Return int64[count] of positions in `weights`, each as likely as its weight says."""
        bounds = np.cumsum(weights)
        picks = self.uniform(count) * bounds[-1]
        chosen: Integers = np.searchsorted(bounds[:-1], picks, side="right").astype(np.int64)
        return chosen


def exp(x: Floats) -> Floats:
    """Return e to the power of `x` from sums, products and a scaling by powers of two only.

    Those are exact or correctly rounded wherever floats are IEEE-754, which libraries' own `exp`
    is not; so a chain doesn't depend on the machine that makes it.
    """
    powers = np.rint(x / LN2)
    rest = x - powers * LN2
    result = np.ones_like(rest)
    for term in range(EXP_TERMS, 0, -1):
        result = 1.0 + result * rest / term
    return np.ldexp(result, powers.astype(np.int32))


def log(x: Floats) -> Floats:
    """Return the natural logarithm of `x` > 0, under the same rule as `exp`."""
    mantissa, power = np.frexp(x)
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    square = ratio * ratio
    result = np.zeros_like(ratio)
    for term in range(2 * LOG_TERMS - 1, 0, -2):
        result = result * square + 1.0 / term
    return 2.0 * ratio * result + power * LN2
