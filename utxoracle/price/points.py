"""Price points: what one BTC costs if an output is a round dollar amount (algorithm A6)."""

import numpy as np
from numpy.typing import NDArray

USD_AMOUNTS = (5, 10, 15, 20, 25, 30, 40, 50, 100, 150, 200, 300, 500, 1000)
USD_TOLERANCE = 0.25
"""Share of a dollar amount's worth in BTC within which an output may stand for it."""

ROUND_BTC_RANGES = (
    (0.00005, 0.0001, 0.00001),
    (0.0001, 0.001, 0.00001),
    (0.001, 0.01, 0.0001),
    (0.01, 0.1, 0.001),
    (0.1, 1, 0.01),
)
"""Start, end and step in BTC of the amounts that count as round."""

ROUND_BTC_TOLERANCE = 0.0001


def _round_btc_amounts() -> NDArray[np.float64]:
    """Return the round amounts by repeated addition, whose growing error is part of the method."""
    amounts = []
    for start, end, step in ROUND_BTC_RANGES:
        amount = start
        while amount < end:
            amounts.append(amount)
            amount += step
    return np.array(amounts)


ROUND_BTC_AMOUNTS = _round_btc_amounts()
"""float64[366], in BTC, ascending."""

_ROUND_FROM = ROUND_BTC_AMOUNTS - ROUND_BTC_TOLERANCE * ROUND_BTC_AMOUNTS
_ROUND_TO = ROUND_BTC_AMOUNTS + ROUND_BTC_TOLERANCE * ROUND_BTC_AMOUNTS


def is_round_btc(amounts: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which amounts (BTC) lie within 0.01 % of a round amount of bitcoin.

    Both ends of the open intervals ascend, so an amount lies in one iff more intervals have begun
    before it than have ended.
    """
    begun = np.searchsorted(_ROUND_FROM, amounts, side="left")
    ended = np.searchsorted(_ROUND_TO, amounts, side="right")
    return begun > ended


def price_points(
    amounts: NDArray[np.float64], rough: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the price points of `amounts` near the rough price in whole dollars.

    One amount may stand for several dollar amounts and then gives as many points.

    Args:
        amounts: In BTC, ascending, none of them round.
        rough: The rough price.

    Returns:
        Two arrays of one length, dollar amount by dollar amount, ascending: the index of each
        point's amount, and its price in USD.
    """
    worth = np.array([usd / rough for usd in USD_AMOUNTS])
    begins = np.searchsorted(amounts, worth - USD_TOLERANCE * worth, side="right")
    ends = np.searchsorted(amounts, worth + USD_TOLERANCE * worth, side="left")
    which = np.concatenate([np.arange(begin, end) for begin, end in zip(begins, ends, strict=True)])
    return which, np.repeat(USD_AMOUNTS, ends - begins) / amounts[which]
