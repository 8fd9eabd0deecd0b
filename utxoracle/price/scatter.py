"""Which price points to show in a plot (algorithm A7, last paragraph)."""

import numpy as np
from numpy.typing import NDArray

from utxoracle.price.central import central
from utxoracle.price.estimate import Estimate
from utxoracle.price.points import price_points

WIDE_BAND = 0.1
NARROWEST, WIDEST = 0.05, 0.2
LOW_SPREAD, HIGH_SPREAD = 0.17, 0.20
SLOPE = (0.15 - NARROWEST) / (HIGH_SPREAD - LOW_SPREAD)

MOST_SHOWN = 5000
"""Points; more can't be told apart on a page."""


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


def thinned_points(found: Estimate) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return heights and prices of the points that a plot shows, at most MOST_SHOWN of them.

    They are evenly spread over those in the shown range, the same ones every time: block by
    block, within a block by dollar amount.
    """
    by_block = [price_points(amounts, found.rough_price)[1] for amounts, _ in found.window.usable()]
    points = np.concatenate(by_block)
    low, high = shown_range(points, found.price)
    shown = np.flatnonzero((points > low) & (points < high))
    if len(shown) > MOST_SHOWN:
        shown = shown[np.arange(MOST_SHOWN) * len(shown) // MOST_SHOWN]
    blocks = np.searchsorted(np.cumsum([len(one) for one in by_block]), shown, side="right")
    return found.first_height + blocks, points[shown]
