"""The exchange prices that a mempool back end would have stored: whole USD, once an hour."""

from collections.abc import Mapping

from utxoracle.simulation.view import ChainView

HOUR = 3600

RATES: Mapping[str, float] = {
    "EUR": 0.86,
    "GBP": 0.75,
    "CAD": 1.38,
    "CHF": 0.8,
    "AUD": 1.53,
    "JPY": 148,
}
"""What one USD is in other currencies."""

ANCIENT_TIME = 1_279_497_600
"""Time of mempool's oldest row, which holds no price."""


class ExchangePrices:
    """Hourly rows from the true price path of a chain.

    A row holds the price of the newest block at its hour. There are rows from the hour before
    the first block up to the tip's hour. Where the view has a lag, an older row is given instead.
    """

    def __init__(self, view: ChainView) -> None:
        self._chain = view.chain
        self._first_hour = self._chain.time_at(self._chain.first_height) // HOUR
        self._last_hour = self._chain.time_at(view.tip) // HOUR
        self._lag = view.price_lag // HOUR

    def latest(self) -> dict[str, int]:
        """Return the newest row in all currencies."""
        return self._row(self._last_hour - self._lag, None)

    def at(self, time: int, currency: str | None) -> dict[str, int]:
        """Return the last row at or before `time`, in all currencies when `currency` is None."""
        hour = min(time // HOUR, self._last_hour) - self._lag
        if hour < self._first_hour:
            return {"time": ANCIENT_TIME, **_amounts(0, currency)}
        return self._row(hour, currency)

    def all(self, currency: str | None) -> list[dict[str, int]]:
        """Return every row, the newest first."""
        hours = range(self._last_hour - self._lag, self._first_hour - 1, -1)
        return [self._row(hour, currency) for hour in hours]

    def _row(self, hour: int, currency: str | None) -> dict[str, int]:
        price = self._chain.price_at(self._chain.newest_at(hour * HOUR))
        return {"time": hour * HOUR, **_amounts(round(price), currency)}


def _amounts(usd: int, currency: str | None) -> dict[str, int]:
    """Return a price in `currency` and USD, in the order in which the back end gives them."""
    if currency is None:
        return {"USD": usd, **{name: round(usd * rate) for name, rate in RATES.items()}}
    others = {currency: round(usd * RATES[currency])} if currency in RATES else {}
    return {**others, "USD": usd}
