"""The central price: the middle of the points, in v9.1's own arithmetic (algorithm A7)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CentralPrice:
    """The middle of some points.

    Attributes:
        price: The central point, in USD.
        deviation: Median distance of the points from it, in USD.
        points: How many points there are.
    """

    price: float
    deviation: float
    points: int


def central(points: NDArray[np.float64], low: float, high: float) -> CentralPrice | None:
    """Return the central one of the points strictly between `low` and `high`.

    It is the point with the least sum of distances to all others. For an even number the two
    middle ones tie but for float noise, which decides: so the expression is evaluated exactly as
    v9.1 does, and np.median would not do.

    Returns:
        None when no point lies between the bounds.
    """
    inside = np.sort(points[(points > low) & (points < high)])
    if not len(inside):
        return None
    index = np.arange(len(inside))
    sums = np.cumsum(inside)
    below = np.concatenate([[0.0], sums[:-1]])
    above = sums[-1] - sums
    distances = (inside * index - below) + (above - inside * (len(inside) - 1 - index))
    middle = float(inside[np.argmin(distances)])
    return CentralPrice(middle, _median(np.abs(inside - middle)), len(inside))


def _median(values: NDArray[np.float64]) -> float:
    half = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, half)[half])
    middle = np.partition(values, (half - 1, half))
    return float((middle[half - 1] + middle[half]) / 2)
