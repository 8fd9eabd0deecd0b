"""What a bitcoin cost at exchanges: rows that a server stored, and when they give no price."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol

_HOUR = 3600


@dataclass(frozen=True)
class ExchangePrice:
    """The exchange price at a moment, or why there is none.

    Attributes:
        price: USD for one BTC.
        time: Time of the row that holds it, seconds since 1970 UTC, never behind the moment.
        reason: Why there is no price, in one short line; None if and only if there is one.
    """

    price: float | None
    time: int | None
    reason: str | None


class ExchangeSource(Protocol):
    """A place that exchange prices come from.

    Attributes:
        name: Kind and place, without credentials.
    """

    name: str

    def prices_at(self, times: Sequence[int]) -> list[ExchangePrice]:
        """Return one price for each of `times`, seconds since 1970 UTC, in their order.

        Nothing that a server does raises: each failure is a reason.
        """

    def close(self) -> None:
        """Give up connections."""


@dataclass(frozen=True)
class _Row:
    """A stored row: its time, and its price in USD if that is a number."""

    time: int
    usd: float | None


class ExchangeRows:
    """Rows that a server stored.

    Args:
        rows: What it gave for them, in any order: `{"time": seconds, "USD": number}` each. Of
            rows with one time the first counts.
        max_age: Seconds that a row may be older than the moment that is asked for.

    Raises:
        ValueError: A row has no usable time, so that there is no telling which one is the last.
    """

    def __init__(self, rows: Sequence[Any], max_age: int) -> None:
        self._rows = sorted((_parse(one) for one in reversed(rows)), key=lambda row: row.time)
        self._times = [row.time for row in self._rows]
        self._max_age = max_age

    def price_at(self, time: int) -> ExchangePrice:
        """Return the price in the last row that isn't behind `time`."""
        index = bisect_right(self._times, time) - 1
        if index < 0:
            return no_price("the server has no row from before the block")
        row = self._rows[index]
        if row.usd is None:
            return no_price("the server's row has no number for USD")
        if row.usd <= 0:
            return no_price("the server stored no price")
        age = time - row.time
        if age > self._max_age:
            return no_price(f"newest row is {age / _HOUR:.1f} h older than the block")
        return ExchangePrice(row.usd, row.time, None)


def no_price(reason: str) -> ExchangePrice:
    """Return that there is no price, and why."""
    return ExchangePrice(None, None, reason)


def _parse(row: Any) -> _Row:
    time = row.get("time") if isinstance(row, dict) else None
    if not isinstance(time, int) or isinstance(time, bool) or time < 0:
        raise ValueError("a row has no time")
    return _Row(time, _number(row.get("USD")))


def _number(value: object) -> float | None:
    """Return a JSON number; JSON's other kinds, and what no float can hold, are none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None
