"""`/api/v1/historical-price`: earlier prices, in the shape in which mempool gives its own."""

import re
from datetime import UTC, datetime

from falcon import Request, Response

from utxoracle.api.answers import Answers
from utxoracle.api.entry import as_json
from utxoracle.api.mempool_prices import newest_valid
from utxoracle.sources.days import DAY, noon
from utxoracle.store.queries import Reader

_CURRENCY = "USD"

_LONGEST_AGO = 7 * DAY
"""Seconds that a price of a day may be earlier: so far apart are the oldest that mempool has."""

_LATEST = 0xFFFFFFFF
"""Seconds since 1970; clients that send milliseconds get the newest price, as from mempool."""

# As JavaScript's parseInt reads a number, with which mempool does: clients send 1700000000.0.
_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,18})", re.ASCII)

_Price = tuple[int, float]
"""Time in seconds since 1970 UTC, and USD."""


class MempoolHistory:
    """The price at a time, or the price of each day, newest first as mempool orders them.

    Only USD is known here: of other currencies there is no price. Where mempool says 0 for a time
    before its first price, here the list is empty, so that nobody takes 0 for a price.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def on_get(self, request: Request, response: Response) -> None:
        """Answer with a list of prices, which may be empty."""
        currency = _first(request, "currency") or _CURRENCY
        timestamp = _timestamp(_first(request, "timestamp"))
        is_known = currency.upper() == _CURRENCY

        def make(reader: Reader) -> bytes:
            if not is_known:
                return _as_mempool([])
            return _as_mempool(_price_at(reader, timestamp) if timestamp else _all_prices(reader))

        query = ("mempool history", timestamp if is_known else None)
        self._answers.give(request, response, query, make)

    on_head = on_get


def _price_at(reader: Reader, timestamp: int) -> list[_Price]:
    """Return the newest price from a time or before it, if there is one.

    A window's is from the time of its block, a day's from noon.
    """
    row = newest_valid(reader, reader.window_at(timestamp))
    if row and row.facts.price is not None and row.time <= timestamp:
        return [(row.time, row.facts.price)]
    return _days(reader, max(0, timestamp - _LONGEST_AGO), timestamp)[-1:]


def _all_prices(reader: Reader) -> list[_Price]:
    """Return the prices of all days, and the newest window's for the one that isn't over."""
    prices = _days(reader, 0, _LATEST)
    row = newest_valid(reader, reader.latest_window())
    if row and row.facts.price is not None and (not prices or row.time > prices[-1][0]):
        prices.append((row.time, row.facts.price))
    return prices[::-1]


def _days(reader: Reader, first: int, last: int) -> list[_Price]:
    """Return the valid prices of the days whose noon is from `first` to `last`, ascending."""
    rows = reader.days(*(datetime.fromtimestamp(one, UTC).date() for one in (first, last)))
    return [
        (noon(row.date), row.facts.price)
        for row in rows
        if row.facts.is_valid and row.facts.price is not None and first <= noon(row.date) <= last
    ]


def _as_mempool(prices: list[_Price]) -> bytes:
    rows = [{"time": time, _CURRENCY: price} for time, price in prices]
    return as_json({"prices": rows, "exchangeRates": {}})


def _first(request: Request, name: str) -> str:
    value = request.params.get(name, "")
    return value[0] if isinstance(value, list) else value


def _timestamp(text: str) -> int:
    """Return seconds since 1970; 0, which asks for all prices, for what is no number."""
    match = _NUMBER.match(text)
    return max(-1, min(int(match[1]), _LATEST)) if match else 0
