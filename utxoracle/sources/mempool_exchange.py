"""Exchange prices that a mempool back end stored, once an hour."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from time import time as clock

from utxoracle.errors import SourceError
from utxoracle.settings import Settings
from utxoracle.sources.answers import WRONG_ADDRESS
from utxoracle.sources.endpoint import Endpoint
from utxoracle.sources.exchange import ExchangePrice, ExchangeRows, no_price
from utxoracle.sources.http import SMALL_LIMIT, Answer, ClientSettings, HttpClient
from utxoracle.sources.mempool_base import BASES, below, is_no_route

_FEW = 4
"""How many prices are asked for one by one; for more, one request brings every row."""

_ALL_ROWS_LIMIT = 64_000_000
"""Bytes of an answer with every row: hourly ones of a century."""

_LONGEST_REASON = 160

_ROUTE = "/historical-price"
_ALL_ROWS = f"{_ROUTE}?currency=USD"


class MempoolExchange:
    """A mempool back end, or a front end before it, as a source of exchange prices.

    It is asked for the price at a time, never for today's. Its node need not be running.
    """

    def __init__(self, endpoint: Endpoint, settings: Settings) -> None:
        self._client = HttpClient("mempool", endpoint, ClientSettings.for_exchange(settings))
        self._credentials = endpoint.credentials
        self._max_age = settings.exchange_max_age
        self._base: str | None = None
        self._kept = ExchangeRows([], self._max_age)
        self._known_until = 0.0
        self.name = self._client.name

    def prices_at(self, times: Sequence[int]) -> list[ExchangePrice]:
        """Return one price for each of `times`; see `ExchangeSource.prices_at`.

        A server that fails is not asked on: the times that are left get the same reason.
        """
        wanted = dict.fromkeys(times)
        missing = [time for time in wanted if time > self._known_until]
        if len(missing) > _FEW:
            asked_at = clock()
            # What can't be read may be too long for the line; then each is asked for by itself.
            with suppress(SourceError):
                self._kept = self._rows(_ALL_ROWS, _ALL_ROWS_LIMIT)
                # Rows that come later are of a later time, also where the feed is late.
                self._known_until = max(asked_at, *missing)
                missing = []
        asked = self._ask_one_by_one(missing)
        return [asked[time] if time in asked else self._kept.price_at(time) for time in times]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask_one_by_one(self, times: Iterable[int]) -> dict[int, ExchangePrice]:
        prices: dict[int, ExchangePrice] = {}
        failure: ExchangePrice | None = None
        for time in times:
            if failure is None:
                try:
                    rows = self._rows(f"{_ROUTE}?timestamp={time}&currency=USD", SMALL_LIMIT)
                except SourceError as error:
                    failure = no_price(_shorten(str(error)))
            prices[time] = failure or rows.price_at(time)
        return prices

    def _rows(self, path: str, limit: int) -> ExchangeRows:
        """Return the rows that the server gives for `path`.

        Raises:
            SourceError: It gives none, or what isn't rows.
        """
        answer = self._get(path, limit)
        if answer.status != 200:
            raise answer.refused()
        if not answer.body:
            raise SourceError(f"{self.name} sent an empty answer: is its database running?")
        reply = answer.json()
        rows = reply.get("prices") if isinstance(reply, dict) else None
        try:
            if not isinstance(rows, list):
                raise ValueError("no list of rows")
            return ExchangeRows(rows, self._max_age)
        except ValueError as error:
            raise SourceError(
                f"{self.name} gave something that isn't exchange prices ({error})"
            ) from None

    def _get(self, path: str, limit: int) -> Answer:
        if self._base is None:
            return self._find_base(path, limit)
        return self._ask(below(self._base, path), limit)

    def _ask(self, path: str, limit: int) -> Answer:
        return self._client.get(path, limit=limit, auth=self._credentials)

    def _find_base(self, path: str, limit: int) -> Answer:
        """Find the base by asking for `path` itself, and return the answer.

        The hash of the tip, by which a source of blocks finds it, needs the node.
        """
        failure: SourceError | None = None
        for base in BASES:
            answer = self._ask(below(base, path), limit)
            if is_no_route(answer):
                continue
            if answer.content_type != "text/html":
                self._base = base
                return answer
            failure = failure or answer.refused()
        raise failure or SourceError(
            f"{self.name} has no exchange prices at /api/v1, /api or /: {WRONG_ADDRESS}"
        )


def _shorten(text: str) -> str:
    """Return `text` as one line of at most 160 characters."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"
