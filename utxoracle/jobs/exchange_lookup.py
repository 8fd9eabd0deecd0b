"""Exchange prices beside the on-chain ones, which never wait for them for long."""

from collections.abc import Iterable, Mapping
from queue import Empty, Queue
from threading import Thread
from time import monotonic

from utxoracle.sources.exchange import ExchangePrice, ExchangeSource, no_price

NO_SOURCE = no_price("no exchange source is set")
TOO_SLOW = no_price("the server was too slow to answer")

_INSTANT = 0.1
"""Seconds that are waited even when the patience is used up: rows may be in memory."""


class ExchangeLookup:
    """Asks an exchange source in a thread, beside the work on blocks.

    Args:
        source: Who is asked; nobody when None.
        patience: Seconds to wait for all answers of a run together.
    """

    def __init__(self, source: ExchangeSource | None, patience: float) -> None:
        self._source = source
        self._patience = patience
        self._pending: Queue[list[ExchangePrice]] | None = None

    def prices_at(self, times: Iterable[int]) -> Mapping[int, ExchangePrice]:
        """Return the price at each time, seconds since 1970 UTC.

        As long as one answer is awaited nothing else is asked.
        """
        wanted = sorted(set(times))
        if self._source is None:
            return dict.fromkeys(wanted, NO_SOURCE)
        if self._pending and self._await(self._pending) is None:
            return dict.fromkeys(wanted, TOO_SLOW)
        found = self._await(self._ask(self._source, wanted))
        if found is None:
            return dict.fromkeys(wanted, TOO_SLOW)
        return dict(zip(wanted, found, strict=True))

    def close(self) -> None:
        """Give up connections."""
        if self._source:
            self._source.close()

    def _ask(self, source: ExchangeSource, times: list[int]) -> Queue[list[ExchangePrice]]:
        answer: Queue[list[ExchangePrice]] = Queue()
        # A thread that nothing waits for when the program ends.
        Thread(target=lambda: answer.put(source.prices_at(times)), daemon=True).start()
        self._pending = answer
        return answer

    def _await(self, answer: Queue[list[ExchangePrice]]) -> list[ExchangePrice] | None:
        begun = monotonic()
        try:
            found = answer.get(timeout=max(self._patience, _INSTANT))
        except Empty:
            return None
        finally:
            self._patience -= monotonic() - begun
        self._pending = None
        return found
