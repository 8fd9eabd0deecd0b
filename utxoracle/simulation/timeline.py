"""When the blocks of a simulated chain come, and what a bitcoin costs then."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.stream import Floats, Integers, RandomStream, exp, log

DAY = 86_400

BLOCKS_BEFORE = 48
"""Mean number of blocks before the first midnight.

A day needs one block before it, and the original's search for its beginning may overshoot by
dozens.
"""

BLOCKS_AFTER = 8
"""Blocks after the last midnight; seven make the last day final."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """The block times and true prices of a chain, from one of its blocks on.

    Attributes:
        times: int64[n], seconds since 1970 UTC, strictly ascending.
        prices: float64[n], USD for one BTC.
    """

    times: Integers
    prices: Floats


@dataclass(frozen=True)
class Moment:
    """A time, seconds since 1970 UTC, and the true price then, USD for one BTC."""

    time: int
    price: float


def draw_timeline(
    options: SimulationOptions, label: str, before: Moment | None = None, least: int = 0
) -> Timeline:
    """Return block times as a Poisson process makes them, and a random walk of the log price.

    Args:
        options: The chain's.
        label: Names the random numbers.
        before: The block that the drawn ones follow; without it, the chain begins with them.
        least: Number of blocks to draw even where the last day is final with fewer.
    """
    interval = DAY / options.blocks_per_day
    begin = before or Moment(options.start_time - round(BLOCKS_BEFORE * interval), options.price)
    last_midnight = options.start_time + options.days * DAY
    expected = max(0, round((last_midnight - begin.time) / interval))
    # Ten sigma more than the process needs on average; what is too much is cut off below.
    count = max(least, expected + BLOCKS_AFTER + 100 + 10 * round(sqrt(expected)))
    gaps = np.maximum(
        1, np.rint(-interval * log(RandomStream(f"{label}/gaps").uniform(count)))
    ).astype(np.int64)
    if before is None:
        gaps[0] = 0
    times = begin.time + np.cumsum(gaps)
    kept = max(least, int(np.searchsorted(times, last_midnight)) + BLOCKS_AFTER)
    times, gaps = times[:kept], gaps[:kept]
    steps = RandomStream(f"{label}/prices").normal(count)[:kept] * np.sqrt(gaps / DAY)
    prices = begin.price * exp(np.cumsum(options.volatility * steps))
    return Timeline(times=times, prices=prices)
