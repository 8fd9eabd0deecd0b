"""The on-chain prices of a batch beside those of the exchanges."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeVar

from utxoracle.jobs.exchange_lookup import ExchangeLookup
from utxoracle.price.validity import diverges
from utxoracle.sources.days import DAY, noon
from utxoracle.sources.exchange import ExchangePrice
from utxoracle.store.queries import Reader
from utxoracle.store.rows import DayGap, DayRow, WindowGap, WindowRow

_Row = TypeVar("_Row", WindowRow, DayRow)

GAP_LIFE = 7 * DAY
"""Seconds since a row was stored for which a missing exchange price is asked for again."""


@dataclass(frozen=True)
class Gaps:
    """Stored rows without an exchange price that are worth another question."""

    windows: Sequence[WindowGap] = ()
    days: Sequence[DayGap] = ()


def recent_gaps(reader: Reader, kept_height: int) -> Gaps:
    """Return the gaps in what the last week's runs stored of blocks up to `kept_height`."""
    windows, days = reader.exchange_gaps(int(time.time()) - GAP_LIFE)
    return Gaps([gap for gap in windows if gap.height <= kept_height], days)


@dataclass(frozen=True)
class Comparison:
    """Rows with their exchange prices.

    Attributes:
        windows: New window prices.
        days: New daily prices.
        window_gaps: By height, what fills a gap: the exchange price, and whether they diverge.
        day_gaps: The same by day.
    """

    windows: Sequence[WindowRow]
    days: Sequence[DayRow]
    window_gaps: Sequence[tuple[int, ExchangePrice, bool | None]]
    day_gaps: Sequence[tuple[date, ExchangePrice, bool | None]]


def compare(
    lookup: ExchangeLookup,
    windows: Sequence[WindowRow],
    days: Sequence[DayRow],
    gaps: Gaps,
    *,
    percent: float,
) -> Comparison:
    """Return the rows with the exchange price of each: a block's at its time, a day's at noon.

    Noon is the middle of what a daily price covers. Gaps that stay are left out.

    Args:
        lookup: Where exchange prices come from.
        windows: New window prices.
        days: New daily prices.
        gaps: Stored rows to ask for again.
        percent: From which difference on two prices diverge.
    """
    facts = lookup.prices_at(
        [row.time for row in windows]
        + [gap.time for gap in gaps.windows]
        + [noon(row.date) for row in days]
        + [noon(gap.date) for gap in gaps.days]
    )
    window_gaps = [(gap.height, gap.price, facts[gap.time]) for gap in gaps.windows]
    day_gaps = [(gap.date, gap.price, facts[noon(gap.date)]) for gap in gaps.days]
    return Comparison(
        windows=[_beside(row, facts[row.time], percent) for row in windows],
        days=[_beside(row, facts[noon(row.date)], percent) for row in days],
        window_gaps=[
            (height, found, diverges(price, found.price, percent))
            for height, price, found in window_gaps
            if found.price is not None
        ],
        day_gaps=[
            (day, found, diverges(price, found.price, percent))
            for day, price, found in day_gaps
            if found.price is not None
        ],
    )


def _beside(row: _Row, exchange: ExchangePrice, percent: float) -> _Row:
    return replace(
        row, exchange=exchange, diverges=diverges(row.facts.price, exchange.price, percent)
    )
