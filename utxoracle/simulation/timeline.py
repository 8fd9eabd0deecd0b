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
    """The block times and true prices of a chain, from its first block on.

    Attributes:
        times: int64[n], seconds since 1970 UTC, strictly ascending.
        prices: float64[n], USD for one BTC.
    """

    times: Integers
    prices: Floats


def draw_timeline(options: SimulationOptions, label: str) -> Timeline:
    """Return block times as a Poisson process makes them, and a random walk of the log price."""
    interval = DAY / options.blocks_per_day
    first = options.start_time - round(BLOCKS_BEFORE * interval)
    last_midnight = options.start_time + options.days * DAY
    expected = options.days * options.blocks_per_day + BLOCKS_BEFORE
    # Ten sigma more than the process needs on average; what is too much is cut off below.
    count = expected + BLOCKS_AFTER + 100 + 10 * round(sqrt(expected))
    gaps = np.maximum(
        1, np.rint(-interval * log(RandomStream(f"{label}/gaps").uniform(count)))
    ).astype(np.int64)
    gaps[0] = 0
    times = first + np.cumsum(gaps)
    kept = int(np.searchsorted(times, last_midnight)) + BLOCKS_AFTER
    times, gaps = times[:kept], gaps[:kept]
    steps = RandomStream(f"{label}/prices").normal(count)[:kept] * np.sqrt(gaps / DAY)
    prices = options.price * exp(np.cumsum(options.volatility * steps))
    return Timeline(times=times, prices=prices)
