"""What people pay: round dollar amounts among all the others."""

import numpy as np

from utxoracle.simulation.stream import Floats, Integers, RandomStream, exp

PAYMENT, CHANGE, DUST, NOTHING = range(4)
"""What an output is for; NOTHING is an OP_RETURN's."""

COIN = 100_000_000
MAX_VALUE = 1_000_000 * COIN

DOLLARS = np.array([5, 10, 15, 20, 25, 30, 40, 50, 100, 150, 200, 300, 500, 1000], np.float64)
POPULARITY = np.array([5, 11, 5, 12, 7, 9, 5, 24, 32, 8, 15, 10, 12, 11], np.float64)

RATE_SCATTER = 0.003
WIDE_SCATTER = 0.02
WIDE_SHARE = 0.15
"""Rates differ by 0.3 % (sigma) among most people and by 2 % among the rest."""

ROUND_BITCOIN_SHARE = 0.15
ROUND_BITCOIN = np.array(
    [lead * 10**power for power in range(4, 8) for lead in (1, 2, 3, 5)] + [COIN], np.int64
)

MEDIAN_DOLLARS = 150.0
LOG_SPREAD = 2.2
"""Median and log-normal sigma of change and of payments of no round amount."""

DUST_VALUES = np.array([294, 330, 546, 546, 600, 1000], np.int64)


def draw_values(stream: RandomStream, roles: Integers, price: float, noise: float) -> Integers:
    """Return int64[n]: the satoshis of outputs whose purposes are `roles`, at `price` USD/BTC."""
    count = len(roles)
    sats_per_dollar = COIN / price
    values: Floats = np.rint(
        MEDIAN_DOLLARS * sats_per_dollar * exp(LOG_SPREAD * stream.normal(count))
    ).clip(DUST_VALUES[0], MAX_VALUE)
    kind = stream.uniform(count)
    pick = stream.uniform(count)
    payment = roles == PAYMENT
    dollars = np.flatnonzero(payment & (kind >= noise))
    values[dollars] = _dollar_amounts(stream, len(dollars)) * sats_per_dollar
    bitcoin = payment & (kind < noise * ROUND_BITCOIN_SHARE)
    values[bitcoin] = ROUND_BITCOIN[(pick[bitcoin] * len(ROUND_BITCOIN)).astype(np.int64)]
    dust = roles == DUST
    values[dust] = DUST_VALUES[(pick[dust] * len(DUST_VALUES)).astype(np.int64)]
    values[roles == NOTHING] = 0
    satoshis: Integers = np.rint(values).astype(np.int64)
    return satoshis


def _dollar_amounts(stream: RandomStream, count: int) -> Floats:
    """Return float64[count] of round dollar amounts as they look at slightly different rates."""
    scatter = np.where(stream.uniform(count) < WIDE_SHARE, WIDE_SCATTER, RATE_SCATTER)
    return DOLLARS[stream.choice(count, POPULARITY)] * exp(scatter * stream.normal(count))
