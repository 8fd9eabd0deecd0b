from dataclasses import replace
from datetime import date, timedelta

import duckdb
import pytest

from tests.unit.store.samples import (
    EVER,
    FIRST_DAY,
    NO_EXCHANGE,
    batch,
    block_row,
    day_row,
    run_row,
    window_row,
)
from utxoracle.bitcoin.network import REGTEST
from utxoracle.store.database import Database
from utxoracle.store.queries import Counts
from utxoracle.store.schema import known_version


@pytest.fixture
def reader(folder):
    """A database of 30 blocks and 3 days; heights and days that are multiples of 3 have gaps."""
    with Database.open(folder, REGTEST) as database:
        first = batch(1, 29, run=run_row(1.0, 29, blocks=29))
        windows = [
            window_row(height, exchange=NO_EXCHANGE) if height % 3 == 0 else window_row(height)
            for height in range(1, 30)
        ]
        days = [
            day_row(0, last_height=10, exchange=NO_EXCHANGE),
            day_row(1, last_height=12),
            day_row(2, last_height=14),
            day_row(3, last_height=16, exchange=NO_EXCHANGE),
        ]
        database.commit(replace(first, windows=windows, days=days))
        database.commit(batch(30, 30))
        yield database.reader


@pytest.fixture
def empty(folder):
    with Database.open(folder, REGTEST) as database:
        yield database.reader


def test_an_empty_database_answers_nothing(empty):
    assert empty.top() is empty.block(1) is empty.first_height() is empty.window(1) is None
    assert empty.latest_window() is empty.latest_day() is None
    assert empty.points() is None
    assert empty.blocks_from(0) == empty.block_times(0, 9) == empty.daily(*EVER, "label") == []
    assert empty.days(FIRST_DAY, FIRST_DAY) == []
    assert empty.window_at(EVER[1]) is None
    assert empty.exchange_gaps(0) == ([], [])
    assert empty.counts() == Counts(0, None, None, 0, 0, None, None, 0, 0, None, None, 0)


def test_a_database_knows_what_it_is(reader):
    assert (reader.network, reader.revision) == ("regtest", 2)
    assert reader.schema_version == known_version()


def test_blocks_are_found(reader):
    assert reader.top() == block_row(30)
    assert reader.first_height() == 1
    assert reader.block(17) == block_row(17)
    assert reader.block(31) is None
    assert reader.blocks_from(28) == [block_row(height) for height in (28, 29, 30)]
    assert reader.block_times(29, 40) == [(height, block_row(height).time) for height in (29, 30)]


def test_window_prices_are_found(reader):
    assert reader.latest_window() == window_row(30)
    assert reader.window(4) == window_row(4)
    assert reader.window(0) is None


def test_the_price_at_a_moment_is_of_the_newest_block_that_is_stamped_by_then(folder):
    times = {5: 1000, 6: 3000, 7: 2000}
    rows = [replace(window_row(height), time=time) for height, time in times.items()]
    with Database.open(folder, REGTEST) as database:
        database.commit(replace(batch(5, 7), windows=rows))
        found = [database.reader.window_at(time) for time in (999, 1000, 1999, 2000, 3000)]
    assert found == [None, rows[0], rows[0], rows[2], rows[2]]


def test_days_are_found(reader):
    assert reader.latest_day() == day_row(3, last_height=16, exchange=NO_EXCHANGE)
    assert reader.latest_day(last_height=15) == day_row(2, last_height=14)
    assert reader.latest_day(last_height=14) == day_row(2, last_height=14)
    assert reader.latest_day(last_height=9) is None
    second = FIRST_DAY + timedelta(days=1)
    assert reader.days(second, second + timedelta(days=1)) == [
        day_row(1, last_height=12),
        day_row(2, last_height=14),
    ]
    assert reader.days(date(2020, 1, 1), date(2020, 12, 31)) == []


def test_gaps_are_those_that_young_runs_stored_however_old_their_blocks_are(folder):
    with Database.open(folder, REGTEST) as database:
        for run, heights in enumerate(([1, 2, 3], [4, 5, 6])):
            gone = [replace(window_row(one), exchange=NO_EXCHANGE) for one in heights[1:]]
            database.commit(
                replace(
                    batch(heights[0], heights[-1]),
                    windows=[window_row(heights[0]), *gone],
                    days=[day_row(run, last_height=heights[0], exchange=NO_EXCHANGE)],
                    run=run_row(1000.0 * (1 + run), heights[-1], blocks=3),
                )
            )
        found = [database.reader.exchange_gaps(since) for since in (0, 1500, 3000)]
    assert [[gap.height for gap in windows] for windows, _ in found] == [[2, 3, 5, 6], [5, 6], []]
    assert [len(days) for _, days in found] == [2, 2, 0]


def test_what_is_stored_is_counted(reader):
    assert reader.counts() == Counts(
        blocks=30,
        first_height=1,
        last_height=30,
        windows=30,
        valid_windows=30,
        first_window=1,
        last_window=30,
        days=4,
        valid_days=4,
        first_day=FIRST_DAY,
        last_day=FIRST_DAY + timedelta(days=3),
        runs=1,
    )


def test_the_view_compares_the_prices_of_a_day(folder):
    row, gap = day_row(1, last_height=12), day_row(2, last_height=14, exchange=NO_EXCHANGE)
    with Database.open(folder, REGTEST) as database:
        database.commit(replace(batch(1, 1), days=[row, gap]))
    with duckdb.connect(folder.database) as connection:
        found = connection.execute("SELECT * FROM price_analysis ORDER BY date").fetchall()
        columns = [one[0] for one in connection.description]
    price, exchange = row.facts.price, row.exchange.price
    assert columns == [
        "date", "exchange_price", "utxoracle_price", "price_difference", "avg_pct_diff",
        "confidence", "tx_count", "is_valid",
    ]  # fmt: skip
    others = (row.facts.confidence, row.facts.tx_count, True)
    assert found == [
        (row.date, exchange, price, exchange - price, 100 * (exchange - price) / price, *others),
        (gap.date, None, price, None, None, *others),
    ]
