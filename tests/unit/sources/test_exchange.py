import json

import pytest

from utxoracle.sources.exchange import ExchangePrice, ExchangeRows

HOUR = 3600
NOON = 1_795_356_000


def rows(*pairs, max_age=2 * HOUR):
    return ExchangeRows([{"time": time, "USD": usd} for time, usd in pairs], max_age)


def no_price(reason):
    return ExchangePrice(price=None, time=None, reason=reason)


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_last_row_that_is_not_behind_the_moment_counts(newest_first):
    hours = [(NOON + hour * HOUR, 60_000 + hour) for hour in range(5)]
    stored = rows(*(reversed(hours) if newest_first else hours))
    for time, hour in ((0, 0), (1, 0), (HOUR - 1, 0), (HOUR, 1), (4 * HOUR, 4), (5 * HOUR, 4)):
        assert stored.price_at(NOON + time) == ExchangePrice(
            price=60_000 + hour, time=NOON + hour * HOUR, reason=None
        )


def test_of_rows_with_one_time_the_first_counts():
    assert rows((NOON, 1), (NOON, 2), (NOON - 1, 3)).price_at(NOON).price == 1


def test_a_row_behind_the_moment_is_no_price():
    late = "the server has no row from before the block"
    assert rows((NOON + 1, 60_000)).price_at(NOON) == no_price(late)
    assert rows().price_at(NOON) == no_price(late)


def test_a_row_that_is_too_old_is_no_price_and_says_how_old_it_is():
    stored = rows((NOON, 60_000), max_age=2 * HOUR)
    assert stored.price_at(NOON + 2 * HOUR).price == 60_000
    assert stored.price_at(NOON + 2 * HOUR + 1) == no_price(
        "newest row is 2.0 h older than the block"
    )
    assert stored.price_at(NOON + 11_520) == no_price("newest row is 3.2 h older than the block")


@pytest.mark.parametrize("usd", [0, -1, -0.5])
def test_what_is_not_above_0_is_no_price(usd):
    assert rows((NOON, usd)).price_at(NOON) == no_price("the server stored no price")


@pytest.mark.parametrize(
    "text",
    [
        "null", "true", '"60000"', "[60000]", '{"x":1}', "NaN", "Infinity", "-Infinity", "1e999",
        "1" + "0" * 400,
    ],
    ids=lambda text: text[:10],
)  # fmt: skip
def test_what_is_no_number_is_no_price(text):
    usd = json.loads(text)
    assert rows((NOON, usd)).price_at(NOON) == no_price("the server's row has no number for USD")


def test_a_row_without_usd_is_no_price():
    stored = ExchangeRows([{"time": NOON, "EUR": 5}], HOUR)
    assert stored.price_at(NOON) == no_price("the server's row has no number for USD")


@pytest.mark.parametrize("row", [{}, [], None, "x", {"USD": 5}])
def test_a_row_that_is_none_is_refused(row):
    with pytest.raises(ValueError, match="a row has no time"):
        ExchangeRows([{"time": NOON, "USD": 5}, row], HOUR)


@pytest.mark.parametrize("time", [-1, True, 1.5, "1795356000", None, [1]])
def test_a_row_without_a_usable_time_is_refused(time):
    with pytest.raises(ValueError, match="a row has no time"):
        rows((time, 60_000))
