from dataclasses import replace

import falcon
import pytest
from falcon.testing import TestClient

from tests.unit.store.samples import NO_PRICE, batch, block_row, facts, window_row
from utxoracle.api.answers import Answers
from utxoracle.api.mempool_prices import MempoolPrices
from utxoracle.api.problems import add_problems
from utxoracle.bitcoin.network import REGTEST
from utxoracle.store.database import Database
from utxoracle.store.snapshot import publish

PLACE = "/api/v1/prices"
INVALID = replace(facts(90_000.0), is_valid=False, invalid_reason="jump")


@pytest.fixture
def client(folder):
    app = falcon.App()
    app.req_options.keep_blank_qs_values = True
    add_problems(app)
    app.add_route(PLACE, MempoolPrices(Answers(folder, private=False)))
    return TestClient(app)


def store(folder, found):
    """Store a window for each of `found`, the facts of the blocks from 1 on."""
    rows = batch(1, len(found))
    windows = [replace(window_row(height), facts=one) for height, one in enumerate(found, start=1)]
    with Database.open(folder, REGTEST) as database:
        database.commit(replace(rows, windows=windows))
    publish(folder)


def test_the_newest_price_is_given_as_wallets_read_it(client, folder):
    price = 60_000 + 1 / 3
    store(folder, [facts(1.0), facts(price)])
    answer = client.simulate_get(PLACE)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {"time": block_row(2).time, "USD": price}
    assert type(answer.json["time"]) is int


@pytest.mark.parametrize("newest", [INVALID, NO_PRICE])
def test_a_price_that_is_not_valid_is_passed_over(client, folder, newest):
    store(folder, [facts(1.0), facts(2.0), newest, newest])
    assert client.simulate_get(PLACE).json == {"time": block_row(2).time, "USD": 2.0}


@pytest.mark.parametrize("found", [[], [INVALID] * 3, [facts(1.0)] + [INVALID] * 145])
def test_without_a_valid_price_there_is_no_number_that_could_be_shown(client, folder, found):
    if found:
        store(folder, found)
    answer = client.simulate_get(PLACE)
    assert answer.status_code == 404
    assert list(answer.json) == ["error"]
    assert "/api/prices/latest" in answer.json["error"]["detail"]


def test_the_last_price_that_still_counts_is_a_day_old(client, folder):
    store(folder, [facts(1.0)] + [INVALID] * 144)
    assert client.simulate_get(PLACE).json["USD"] == 1.0


@pytest.mark.parametrize("query", ["", "currency=EUR", "currency=", "x=1&x=2", "%00=%ff"])
def test_parameters_are_taken_and_not_heeded(client, folder, query):
    store(folder, [facts(1.0)])
    assert client.simulate_get(PLACE, query_string=query).json["USD"] == 1.0


def test_who_has_it_is_told_so(client, folder):
    store(folder, [facts(1.0)])
    etag = client.simulate_get(PLACE).headers["ETag"]
    again = client.simulate_get(PLACE, headers={"If-None-Match": etag})
    assert (again.status_code, again.text) == (304, "")
    head = client.simulate_head(PLACE)
    assert (head.status_code, head.text, head.headers["ETag"]) == (200, "", etag)


def test_without_a_snapshot_it_says_why(client, folder):
    folder.snapshot.unlink()
    answer = client.simulate_get(PLACE)
    assert answer.status_code == 503
    assert "run utxoracle analyze" in answer.json["error"]["detail"]
