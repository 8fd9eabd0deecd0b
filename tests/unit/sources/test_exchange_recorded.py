"""Prices from what real back ends answered."""

import json
import re

import pytest

from tests.unit.sources.recordings import needs_recordings, recording
from tests.unit.sources.scripted import Reply
from utxoracle.settings import Settings
from utxoracle.sources.exchange import ExchangePrice
from utxoracle.sources.factory import open_exchange

pytestmark = needs_recordings

NOON = 1_795_356_000
ALL = "/api/v1/historical-price?currency=USD"
NONE_IN_TIME = "the server has no row from before the block"


def one(time: int) -> str:
    """Return the path that asks for the price at `time`."""
    return f"/api/v1/historical-price?timestamp={time}&currency=USD"


def priced(usd: float, time: int) -> ExchangePrice:
    return ExchangePrice(price=usd, time=time, reason=None)


NOT_ON_TEST_NETWORKS = "400 Prices are not available on testnets."
AT_ONE_TIME = [
    ("historical-now", 1_795_370_271, priced(63_928, 1_795_366_800)),
    ("historical-eur", 1_795_370_271, priced(63_928, 1_795_366_800)),
    ("historical-exchanges-down", 1_795_361_000, priced(60_000, 1_795_356_000)),
    ("historical-exchanges-down", 1_795_370_271, "newest row is 4.0 h older than the block"),
    ("historical-future", 1_795_456_671, "newest row is 25.0 h older than the block"),
    ("historical-nocur", 1_795_363_071, priced(64_204, 1_795_359_600)),
    ("none-historical-price-old", 1_380_500_000, priced(143.884, 1_380_499_200)),
    ("none-historical-price-ts", 1_795_369_497, "newest row is 115241.7 h older than the"),
    ("none-historical-price-ancient", 1_231_006_505, NONE_IN_TIME),
    ("none-historical-price-ancient", 1_279_497_600, "the server stored no price"),
    ("none-historical-price-badcur", NOON, "sent an empty answer: is its database running?"),
    ("historical-usd-lower", NOON, "sent an empty answer: is its database running?"),
    ("dbdown-historical-price", NOON, "sent an empty answer: is its database running?"),
    ("coredown-historical-price", 1_380_500_000, priced(143.884, 1_380_499_200)),
    ("electrum-historical-price", NOON, NOT_ON_TEST_NETWORKS),
    ("electrum-historical-price-ts", NOON, NOT_ON_TEST_NETWORKS),
    ("electrum-historical-price-old", NOON, NOT_ON_TEST_NETWORKS),
    ("electrum-historical-price-ancient", NOON, NOT_ON_TEST_NETWORKS),
    ("electrum-historical-price-badcur", NOON, NOT_ON_TEST_NETWORKS),
    ("fe8080-api-v1-historical", 1_380_500_000, priced(143.884, 1_380_499_200)),
    ("esplora-noelectrs-prices", NOON, "gave something that isn't exchange prices"),
    ("coredown-tip-hash", NOON, "with 500 Failed to get hash at tip: try again later"),
    # These were cut, and so aren't JSON.
    ("none-historical-price", NOON, "answered GET"),
    ("historical-nan", NOON, "answered GET"),
]
NOT_EVERY_ROW = (
    "dbdown-historical-price-all",
    "electrum-historical-price",
    "none-historical-price",
)
CASES = {*(name for name, _, _ in AT_ONE_TIME), *NOT_EVERY_ROW}


@pytest.fixture
def exchange(server):
    source = open_exchange(Settings(source=f"mempool+{server.url}"))
    yield source
    source.close()


@pytest.fixture
def back_end(server):
    """A server that gives a recorded answer to every question about prices."""

    def play_recorded(name: str, *times: int) -> None:
        server.replies = dict.fromkeys((ALL, *map(one, times)), recording(name).reply)

    server.play_recorded = play_recorded
    return server


@pytest.mark.parametrize(("name", "time", "wanted"), AT_ONE_TIME)
def test_recorded_answers_are_prices_or_reasons(back_end, exchange, name, time, wanted):
    back_end.play_recorded(name, time)
    (price,) = exchange.prices_at([time])
    if isinstance(wanted, str):
        assert wanted in price.reason
        assert price.price is None
    else:
        assert price == wanted
    assert back_end.paths == [one(time)]


@pytest.mark.parametrize("name", NOT_EVERY_ROW)
def test_recorded_answers_that_are_not_every_row_lead_to_one_single_question(
    back_end, exchange, name
):
    times = range(NOON, NOON + 9)
    back_end.play_recorded(name, *times)
    assert len({price.reason for price in exchange.prices_at(times)} - {None}) == 1
    assert back_end.paths == [ALL, one(NOON)]


@pytest.mark.parametrize("name", ["historical-nan", "none-historical-price"])
def test_recorded_rows_give_the_price_at_every_time_of_theirs(back_end, exchange, name):
    rows = re.findall(rb'{"time":[^}]*}', recording(name).reply.body)
    server_rows = [json.loads(row) for row in rows]
    assert len(server_rows) > 30
    body = b'{"prices":[' + b",".join(rows) + b'],"exchangeRates":{}}'
    back_end.replies[ALL] = Reply(200, "application/json; charset=utf-8", body)
    found = exchange.prices_at([row["time"] + 3599 for row in server_rows])
    assert found == [
        priced(row["USD"], row["time"])
        if row["USD"] > 0
        else ExchangePrice(None, None, "the server stored no price")
        for row in server_rows
    ]
    assert back_end.paths == [ALL]
