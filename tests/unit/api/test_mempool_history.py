from contextlib import closing
from dataclasses import replace
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server

import falcon
import pytest
from falcon.testing import TestClient

from tests.unit.store.samples import (
    FIRST_TIME,
    NO_PRICE,
    batch,
    block_row,
    day_row,
    facts,
    window_row,
)
from utxoracle.api.answers import Answers
from utxoracle.api.mempool_history import MempoolHistory
from utxoracle.api.problems import add_problems
from utxoracle.bitcoin.network import REGTEST
from utxoracle.settings import Settings
from utxoracle.sources.factory import open_exchange
from utxoracle.store.database import Database
from utxoracle.store.snapshot import publish

PLACE = "/api/v1/historical-price"
DAY = 86_400
HOUR = 3600
FIRST = 3 * 144
LAST = FIRST + 200
NOON = FIRST_TIME + 12 * HOUR
INVALID = replace(facts(90_000.0), is_valid=False, invalid_reason="jump")

# What a client sees: day 1 has a price, day 2 none that is valid, windows begin with day 3.
DAYS = [
    replace(day_row(1, last_height=287), facts=facts(51_000.5)),
    replace(day_row(2, last_height=431), facts=INVALID),
]
DAY_1 = {"time": NOON + DAY, "USD": 51_000.5}


def window(height, found=None):
    return replace(window_row(height), facts=found or facts(60_000.0 + height / 3))


def row(height):
    return {"time": block_row(height).time, "USD": 60_000.0 + height / 3}


def client_of(folder):
    app = falcon.App()
    app.req_options.keep_blank_qs_values = True
    add_problems(app)
    app.add_route(PLACE, MempoolHistory(Answers(folder, private=False)))
    return TestClient(app)


@pytest.fixture
def filled(folder):
    """A data folder of four days, with window prices from the fourth on."""
    rows = batch(FIRST, LAST, days=DAYS)
    windows = [window(height) for height in range(FIRST, LAST + 1)]
    windows[100] = window(FIRST + 100, INVALID)
    windows[101] = window(FIRST + 101, NO_PRICE)
    with Database.open(folder, REGTEST) as database:
        database.commit(replace(rows, windows=windows))
    publish(folder)
    return folder


@pytest.fixture
def ask(filled):
    client = client_of(filled)

    def ask(query=""):
        answer = client.simulate_get(PLACE, query_string=query)
        assert answer.status_code == 200
        assert list(answer.json) == ["prices", "exchangeRates"]
        assert answer.json["exchangeRates"] == {}
        return answer.json["prices"]

    return ask


def test_all_prices_are_those_of_days_and_the_newest_one_newest_first(ask):
    assert ask() == ask("currency=USD") == [row(LAST), DAY_1]


@pytest.mark.parametrize("nothing", ["timestamp=", "timestamp=0", "timestamp=now", "timestamp=NaN"])
def test_what_mempool_takes_for_no_timestamp_gives_all(ask, nothing):
    assert ask(f"{nothing}&currency=USD") == [row(LAST), DAY_1]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (block_row(LAST).time, row(LAST)),
        (block_row(LAST).time - 1, row(LAST - 1)),
        (block_row(LAST).time + 365 * DAY, row(LAST)),
        (block_row(LAST).time * 1000, row(LAST)),
        (10**17, row(LAST)),
        (block_row(FIRST).time, row(FIRST)),
        (block_row(FIRST).time - 1, DAY_1),
        (NOON + DAY, DAY_1),
        (NOON + DAY - 1, None),
        (FIRST_TIME, None),
        (1, None),
        (-5, None),
    ],
)
def test_at_a_time_the_newest_price_until_then_is_given(ask, time, expected):
    assert ask(f"timestamp={time}&currency=USD") == ([expected] if expected else [])


def test_a_window_that_is_not_valid_gives_way_to_the_one_before(ask):
    for height in (FIRST + 100, FIRST + 101):
        assert ask(f"timestamp={block_row(height).time}") == [row(FIRST + 99)]
    assert ask(f"timestamp={block_row(FIRST + 102).time}") == [row(FIRST + 102)]


def test_a_price_of_a_day_counts_for_a_week(folder):
    with Database.open(folder, REGTEST) as database:
        database.commit(replace(batch(1, 1), windows=(), points=None, days=DAYS[:1]))
    publish(folder)
    client = client_of(folder)
    for age, expected in ((0, [DAY_1]), (7 * DAY, [DAY_1]), (7 * DAY + 1, [])):
        answer = client.simulate_get(PLACE, params={"timestamp": DAY_1["time"] + age})
        assert answer.json["prices"] == expected


def test_a_window_from_before_the_last_day_is_not_the_newest_price(folder):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(1, 1, days=DAYS[:1]))
    publish(folder)
    assert client_of(folder).simulate_get(PLACE).json["prices"] == [DAY_1]


def test_times_that_jump_back_never_give_a_later_price(folder):
    rows = batch(1, 3)
    windows = [window(1), replace(window(2), time=block_row(2).time + 3000), window(3, INVALID)]
    with Database.open(folder, REGTEST) as database:
        database.commit(replace(rows, windows=windows))
    publish(folder)
    answer = client_of(folder).simulate_get(PLACE, params={"timestamp": block_row(3).time})
    assert all(one["time"] <= block_row(3).time for one in answer.json["prices"])


@pytest.mark.parametrize("text", ["{}.0", "{}.9", " {}", "%2B{}", "{}abc"])
def test_a_timestamp_is_read_as_mempool_reads_it(ask, text):
    time = block_row(LAST - 5).time
    assert ask(f"timestamp={text.format(time)}") == [row(LAST - 5)]


@pytest.mark.parametrize("currency", ["EUR", "XXX", "%00", "USDT"])
def test_of_other_currencies_there_is_no_price(ask, currency):
    assert ask(f"currency={currency}") == []
    assert ask(f"currency={currency}&timestamp={block_row(LAST).time}") == []


def test_the_currency_may_be_left_out_or_written_small(ask):
    time = block_row(LAST).time
    assert ask(f"timestamp={time}") == ask(f"timestamp={time}&currency=usd") == [row(LAST)]
    assert ask(f"timestamp={time}&currency=") == [row(LAST)]


def test_other_parameters_and_repetitions_are_taken(ask):
    time = block_row(LAST).time
    assert ask(f"timestamp={time}&timestamp=1&currency=USD&currency=EUR&x=1") == [row(LAST)]


def test_an_empty_database_gives_an_empty_list(folder):
    client = client_of(folder)
    for query in ("", "timestamp=1700000000", "currency=EUR"):
        answer = client.simulate_get(PLACE, query_string=query)
        assert answer.json == {"prices": [], "exchangeRates": {}}


def test_answers_are_kept_for_what_was_asked(filled):
    client = client_of(filled)
    etag = client.simulate_get(PLACE).headers["ETag"]
    assert client.simulate_get(PLACE, headers={"If-None-Match": etag}).status_code == 304
    assert client.simulate_get(PLACE, query_string="timestamp=0").headers["ETag"] == etag
    assert client.simulate_get(PLACE, query_string="timestamp=7").headers["ETag"] != etag
    assert client.simulate_get(PLACE, query_string="currency=EUR").headers["ETag"] != etag
    assert client.simulate_head(PLACE).headers["ETag"] == etag


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def test_a_client_that_is_made_for_mempool_reads_it(filled):
    with make_server("127.0.0.1", 0, client_of(filled).app, handler_class=Quiet) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            with closing(open_exchange(Settings(exchange_url=url))) as exchange:
                found = exchange.prices_at([block_row(LAST).time + 60, NOON + DAY, NOON])
        finally:
            server.shutdown()
            thread.join()
    assert [(one.time, one.price) for one in found[:2]] == [
        (row(LAST)["time"], row(LAST)["USD"]),
        (DAY_1["time"], DAY_1["USD"]),
    ]
    assert found[2].price is None
    assert found[2].reason == "the server has no row from before the block"
