"""Exchange prices beside the on-chain ones, which never wait for them for long."""

from collections.abc import Iterable, Mapping
from queue import Empty, Queue
from threading import Thread

from utxoracle.sources.exchange import ExchangePrice, ExchangeSource

PATIENCE = 2.0
"""Seconds that a batch waits for exchange prices; what comes later is asked for by a later run."""

NO_SOURCE = ExchangePrice(price=None, time=None, reason="no exchange source is set")
TOO_SLOW = ExchangePrice(
    price=None, time=None, reason=f"the server took more than {PATIENCE:g} s to answer"
)


class ExchangeLookup:
    """Asks an exchange source beside the work on blocks.

    A source that hangs costs one run `PATIENCE` seconds: it isn't asked again in that run.
    """

    def __init__(self, source: ExchangeSource | None) -> None:
        self._source = source
        self._hangs = False

    def facts_at(self, times: Iterable[int]) -> Mapping[int, ExchangePrice]:
        """Return what the source says of each time, in seconds since 1970 UTC."""
        wanted = sorted(set(times))
        if self._source is None:
            return dict.fromkeys(wanted, NO_SOURCE)
        if self._hangs or not wanted:
            return dict.fromkeys(wanted, TOO_SLOW)
        answers: Queue[list[ExchangePrice]] = Queue()
        source = self._source
        # A thread that nothing waits for when the program ends.
        Thread(target=lambda: answers.put(source.prices_at(wanted)), daemon=True).start()
        try:
            found = answers.get(timeout=PATIENCE)
        except Empty:
            self._hangs = True
            return dict.fromkeys(wanted, TOO_SLOW)
        return dict(zip(wanted, found, strict=True))

    def close(self) -> None:
        """Give up connections."""
        if self._source:
            self._source.close()
