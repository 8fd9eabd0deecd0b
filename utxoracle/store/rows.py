"""What is stored, row by row. Times are whole seconds since 1970 UTC, prices are USD."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from utxoracle.sources.exchange import ExchangePrice

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class BlockRow:
    """A block of the chain that is followed.

    Attributes:
        height: Its height.
        hash: Its hash, 64 hex digits.
        prev_hash: Hash of the block before.
        time: Its time stamp.
        size: Its length in bytes.
        tx_count: Number of its transactions.
        candidates: Number of those that pass every filter but the same-window one.
        source: Kind and place of the source that it came from, without credentials.
    """

    height: int
    hash: str
    prev_hash: str
    time: int
    size: int
    tx_count: int
    candidates: int
    source: str


@dataclass(frozen=True)
class PriceFacts:
    """What blocks alone tell about their price.

    Attributes:
        price: The price, exactly as computed; None when none could be found.
        rough_price: The rough price that it was refined from.
        deviation: How far the points scatter about it, in USD.
        tx_count: Transactions that passed every filter.
        outputs: Their outputs whose amounts count.
        points: Price points.
        confidence: From 0 to 1.
        is_valid: Whether the price is within all limits.
        invalid_reason: Why it isn't.
        algorithm: Name of the method.
    """

    price: float | None
    rough_price: int | None
    deviation: float | None
    tx_count: int
    outputs: int
    points: int
    confidence: float
    is_valid: bool
    invalid_reason: str | None
    algorithm: str


@dataclass(frozen=True)
class WindowRow:
    """The price of the window that ends before the block at `height`.

    Attributes:
        height: Height of that block.
        hash: Its hash.
        time: Its time stamp.
        facts: What the window's blocks tell.
        exchange: The exchange price at that block's time.
        diverges: Whether the two prices are too far apart; None where one is missing.
    """

    height: int
    hash: str
    time: int
    facts: PriceFacts
    exchange: ExchangePrice
    diverges: bool | None


@dataclass(frozen=True)
class DayRow:
    """The price of a finished UTC day.

    Attributes:
        date: The day.
        first_height: Height of its first block.
        last_height: Height of its last block.
        blocks: Number of its blocks.
        facts: What they tell.
        exchange: The day's exchange price.
        diverges: Whether the two prices are too far apart; None where one is missing.
    """

    date: date
    first_height: int
    last_height: int
    blocks: int
    facts: PriceFacts
    exchange: ExchangePrice
    diverges: bool | None


@dataclass(frozen=True, eq=False)
class Points:
    """The price points of the newest window that a plot shows.

    Attributes:
        height: The window's height.
        heights: int64[n], the height of each point's block.
        prices: float64[n], in USD.
    """

    height: int
    heights: "NDArray[np.int64]"
    prices: "NDArray[np.float64]"


@dataclass(frozen=True)
class RunRow:
    """A run that stored something; `started` tells runs apart, both times have fractions.

    Attributes:
        started: When it began.
        finished: When it stored its last batch.
        first_height: Height of the first block that it stored.
        last_height: Height of the last one.
        blocks: Number of blocks that it stored.
        source: Kind and place of its source, without credentials.
    """

    started: float
    finished: float
    first_height: int
    last_height: int
    blocks: int
    source: str


@dataclass(frozen=True)
class WindowGap:
    """A window price without an exchange price: its height, block time and on-chain price."""

    height: int
    time: int
    price: float | None


@dataclass(frozen=True)
class DayGap:
    """A daily price without an exchange price: its day and on-chain price."""

    date: date
    price: float | None


@dataclass(frozen=True)
class Batch:
    """Changes that are stored together or not at all.

    Attributes:
        kept_height: Height up to which the stored chain stays. All rows that rest on blocks above
            it go. None: nothing is stale.
        blocks: New blocks.
        windows: New window prices.
        days: New daily prices.
        points: Points of the newest window, in place of the stored ones.
        window_exchanges: For stored rows by height: their exchange price, and `diverges`.
        day_exchanges: The same for days.
        run: The run so far, in place of the row with the same `started`.
    """

    kept_height: int | None
    blocks: Sequence[BlockRow]
    windows: Sequence[WindowRow]
    days: Sequence[DayRow]
    points: Points | None
    window_exchanges: Sequence[tuple[int, ExchangePrice, bool | None]] = ()
    day_exchanges: Sequence[tuple[date, ExchangePrice, bool | None]] = ()
    run: RunRow | None = None
