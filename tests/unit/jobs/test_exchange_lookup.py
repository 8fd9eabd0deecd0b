from threading import Event
from time import monotonic

from utxoracle.jobs.exchange_lookup import NO_SOURCE, TOO_SLOW, ExchangeLookup
from utxoracle.sources.exchange import ExchangePrice


class Gate:
    """A source that answers when it is let."""

    name = "gate"

    def __init__(self) -> None:
        self.opened = Event()
        self.asked: list[list[int]] = []

    def prices_at(self, times):
        self.asked.append(list(times))
        self.opened.wait(20)
        return [ExchangePrice(float(time), time, None) for time in times]

    def close(self) -> None:
        self.opened.set()


def test_each_time_gets_its_own_price_and_is_asked_once():
    gate = Gate()
    gate.opened.set()
    found = ExchangeLookup(gate, 5).prices_at([30, 10, 30, 20])
    assert {time: one.price for time, one in found.items()} == {10: 10.0, 20: 20.0, 30: 30.0}
    assert gate.asked == [[10, 20, 30]]


def test_without_a_source_there_is_a_reason():
    assert ExchangeLookup(None, 5).prices_at([1, 2]) == {1: NO_SOURCE, 2: NO_SOURCE}


def test_a_source_that_hangs_is_waited_for_once_in_a_run():
    gate = Gate()
    lookup = ExchangeLookup(gate, 0.5)
    begun = monotonic()
    for _ in range(5):
        assert lookup.prices_at([1, 2]) == {1: TOO_SLOW, 2: TOO_SLOW}
    assert 0.5 <= monotonic() - begun < 5
    assert gate.asked == [[1, 2]]
    lookup.close()


def test_a_late_answer_lets_the_next_batch_ask_again():
    gate = Gate()
    lookup = ExchangeLookup(gate, 0.05)
    assert lookup.prices_at([1]) == {1: TOO_SLOW}
    gate.opened.set()
    assert lookup.prices_at([2])[2].price == 2.0
    assert gate.asked == [[1], [2]]
