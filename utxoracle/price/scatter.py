"""Which price points to show in a plot (algorithm A7, last paragraph)."""

import numpy as np
from numpy.typing import NDArray

from utxoracle.price.central import central

WIDE_BAND = 0.1
NARROWEST, WIDEST = 0.05, 0.2
LOW_SPREAD, HIGH_SPREAD = 0.17, 0.20
SLOPE = (0.15 - NARROWEST) / (HIGH_SPREAD - LOW_SPREAD)


def shown_range(points: NDArray[np.float64], price: float) -> tuple[float, float]:
    """Return the lowest and the highest price that a plot of `points` shows, in USD.

    Quiet days get a band of 5 % on each side of `price`; days whose points within 10 % lie far
    apart get up to 20 %.
    """
    low, high = price - WIDE_BAND * price, price + WIDE_BAND * price
    wide = central(points, low, high)
    spread = wide.deviation / (high - low) if wide else 0.0
    share = min(max(NARROWEST + (spread - LOW_SPREAD) * SLOPE, NARROWEST), WIDEST)
    return price * (1 - share), price * (1 + share)
