"""The whole method: from the outputs of a run of blocks to one price (algorithm A3 to A7)."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from utxoracle.errors import PriceImpossible
from utxoracle.price.central import central
from utxoracle.price.confidence import CENTRAL_BAND, confidence
from utxoracle.price.histogram import clean
from utxoracle.price.points import price_points
from utxoracle.price.rough import rough_price
from utxoracle.price.window import Window

MIN_DAY_BLOCKS = 36
"""A quarter of the usual 144; fewer blocks don't make a day that deserves a price."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """A price and what it rests on.

    Attributes:
        price: USD for one BTC, exactly as computed.
        rough_price: The price by the stencils, whole USD, truncated.
        deviation: Median distance in USD of the points within ±5 % of the rough price.
        confidence: Between 0 and 1; see `confidence.confidence`.
        tx_count: Number of transactions that passed every filter.
        outputs: Number of outputs that count.
        points: Number of price points, those beyond ±5 % of the rough price included.
        first_height: Height of the first block.
        last_height: Height of the last block.
        slide: Position of the stencils with the best score, in bins.
        slide_score: Its score.
        rival_score: The best score at least 9 bins away.
        window: The blocks that were priced.
    """

    price: float
    rough_price: int
    deviation: float
    confidence: float
    tx_count: int
    outputs: int
    points: int
    first_height: int
    last_height: int
    slide: int
    slide_score: float
    rival_score: float
    window: Window = field(repr=False)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return self.window.blocks

    @property
    def point_heights(self) -> NDArray[np.int64]:
        """int64[points]: the height of each point's block, ascending."""
        return self._points[0]

    @property
    def point_prices(self) -> NDArray[np.float64]:
        """float64[points]: the price of each point in USD, in the order of v9.1."""
        return self._points[1]

    @cached_property
    def _points(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        # Not made with the estimate: of a hundred windows in a row only the newest is plotted.
        heights, ordered = [], []
        for block, (amounts, places) in zip(self.window.linked, self.window.usable(), strict=True):
            which, prices = price_points(amounts, self.rough_price)
            # A stable sort keeps the points of one amount in the order of the dollars.
            ordered.append(prices[np.argsort(places[which], kind="stable")])
            heights.append(np.full(len(prices), block.height))
        return np.concatenate(heights), np.concatenate(ordered)


def estimate_day(window: Window) -> Estimate:
    """Return the price of a day, whose blocks `window` holds.

    Raises:
        PriceImpossible: As `estimate`, and when the day has fewer than MIN_DAY_BLOCKS blocks.
    """
    if window.blocks < MIN_DAY_BLOCKS:
        raise PriceImpossible(
            _named(window),
            f"a day needs at least {MIN_DAY_BLOCKS} blocks for a price, and this one has "
            f"{window.blocks}",
            "price them with --from and --to instead",
        )
    return estimate(window)


def estimate(window: Window) -> Estimate:
    """Return the price that the outputs of `window` show.

    Raises:
        PriceImpossible: There are no outputs, no peak, or no point near the rough price.
    """
    shares = clean(window.counts)
    if not shares.any():
        raise PriceImpossible(
            _named(window),
            "no output of 0.00001 to 100 BTC passes the filters",
            "take more blocks",
        )
    rough = rough_price(shares)
    if rough is None:
        raise PriceImpossible(
            _named(window),
            f"no round dollar amounts stand out among {window.outputs:,} outputs",
            "take more blocks",
        )
    prices = np.concatenate(
        [price_points(amounts, rough.price)[1] for amounts, _ in window.usable()]
    )
    band = CENTRAL_BAND * rough.price
    middle = central(prices, rough.price - band, rough.price + band)
    if middle is None:
        raise PriceImpossible(
            _named(window),
            f"no price point lies within 5 % of the rough price of ${rough.price:,}, of "
            f"{len(prices):,} in all",
            "take more blocks",
        )
    return Estimate(
        price=middle.price,
        rough_price=rough.price,
        deviation=middle.deviation,
        confidence=confidence(
            deviation=middle.deviation,
            price=middle.price,
            points=middle.points,
            spike_score=rough.spike_score,
            rival_spike_score=rough.rival_spike_score,
        ),
        tx_count=window.tx_count,
        outputs=window.outputs,
        points=len(prices),
        first_height=window.first_height,
        last_height=window.last_height,
        slide=rough.slide,
        slide_score=rough.score,
        rival_score=rough.rival_score,
        window=window,
    )


def _named(window: Window) -> str:
    if window.blocks == 1:
        return f"block {window.first_height}"
    return f"blocks {window.first_height} to {window.last_height}"
