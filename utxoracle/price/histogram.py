"""Counts of amounts on a logarithmic scale, cleaned of what is not a payment (algorithm A3)."""

import numpy as np
from numpy.typing import NDArray

BINS_PER_DECADE = 200
FIRST_EXPONENT = -6
LAST_EXPONENT = 5

# Python's float power, not numpy's: the two may differ in the last bit.
EDGES: NDArray[np.float64] = np.array(
    [0.0]
    + [
        10 ** (exponent + step / BINS_PER_DECADE)
        for exponent in range(FIRST_EXPONENT, LAST_EXPONENT + 1)
        for step in range(BINS_PER_DECADE)
    ]
)
"""float64[2401], in BTC: bin k holds the amounts a with EDGES[k] <= a < EDGES[k + 1]."""

FIRST_BIN = 201
LAST_BIN = 1600
"""The bins that count: 1e-5 BTC up to 100 BTC."""

# fmt: off
ROUND_BTC_BINS = (
    201, 401, 461, 496, 540, 601, 661, 696, 740,
    801, 861, 896, 940, 1001, 1061, 1096, 1140, 1201,
)
# fmt: on
"""Bins of round amounts of bitcoin, 1,000 satoshis to 1 BTC, which say nothing of dollars."""

GREATEST_SHARE = 0.008
"""No bin may hold a larger share of all outputs; what is cut off is not spread over the others."""


def bin_of(amounts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bin of each amount in BTC: the greatest k with EDGES[k] <= amount."""
    return np.searchsorted(EDGES, amounts, side="right") - 1


def count(bins: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return how often each bin occurs among `bins`: float64[2401]."""
    return np.bincount(bins, minlength=len(EDGES)).astype(np.float64)


def clean(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cleaned shares float64[2401]: all zero when no bin that counts holds anything.

    In this order: extremes to zero; bins of round amounts of bitcoin to the mean of their
    neighbours; all divided by their sum; peaks cut to GREATEST_SHARE.
    """
    shares = counts.copy()
    shares[:FIRST_BIN] = 0.0
    shares[LAST_BIN + 1 :] = 0.0
    for place in ROUND_BTC_BINS:
        shares[place] = 0.5 * (shares[place + 1] + shares[place - 1])
    inside = slice(FIRST_BIN, LAST_BIN + 1)
    # cumsum adds from left to right; np.sum adds in pairs and may differ in the last bit.
    total = np.cumsum(shares[inside])[-1]
    if total > 0:
        shares[inside] /= total
        np.minimum(shares, GREATEST_SHARE, out=shares)
    return shares
