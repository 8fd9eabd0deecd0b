import struct
from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from tests.unit.store.samples import (
    EVER,
    EXCHANGE,
    NO_EXCHANGE,
    NO_PRICE,
    batch,
    block_row,
    day_row,
    points,
    run_row,
    stored_windows,
    window_row,
)
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError
from utxoracle.store.database import Database
from utxoracle.store.rows import Batch

NOTHING = Batch(kept_height=None, blocks=(), windows=(), days=(), points=None)


@pytest.fixture
def database(folder):
    with Database.open(folder, REGTEST) as database:
        yield database


def heights_of(rows):
    return [row.height for row in rows]


def stored_heights(database):
    blocks = heights_of(database.reader.blocks_from(0))
    assert heights_of(stored_windows(database.reader)) == blocks
    return blocks


def stored_days(database):
    return [int(last_height) for _, _, _, last_height, *_ in database.reader.daily(*EVER, "")]


def test_what_is_stored_is_read_as_it_was(database):
    window = replace(window_row(7), facts=NO_PRICE, exchange=NO_EXCHANGE, diverges=None)
    day = replace(day_row(3, last_height=5), diverges=True)
    database.commit(
        Batch(None, blocks=[block_row(7)], windows=[window], days=[day], points=points(7))
    )
    assert database.reader.block(7) == block_row(7)
    assert database.reader.window(7) == window
    assert database.reader.days(day.date, day.date) == [day]
    stored, expected = database.reader.points(), points(7)
    assert stored.height == 7
    assert stored.heights.dtype == np.int64
    assert np.array_equal(stored.heights, expected.heights)
    assert np.array_equal(stored.prices, expected.prices)


def test_numbers_are_stored_to_the_last_bit(database):
    draw = Random(1)
    numbers = [0.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1 + 0.2, 1e22, 1e23]
    while len(numbers) < 1000:
        number = struct.unpack("<d", draw.randbytes(8))[0]
        numbers += [number] if np.isfinite(number) else []
    rows = [
        replace(
            window_row(height),
            facts=replace(window_row(height).facts, price=number, deviation=np.float64(number)),
        )
        for height, number in enumerate(numbers)
    ]
    database.commit(replace(NOTHING, windows=rows))
    stored = [row.facts for row in stored_windows(database.reader)]
    assert [facts.price for facts in stored] == numbers
    assert [facts.deviation for facts in stored] == numbers


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_stored(database, number):
    row = window_row(1)
    with pytest.raises(ValueError, match="isn't finite"):
        database.commit(
            replace(NOTHING, windows=[replace(row, facts=replace(row.facts, price=number))])
        )
    assert database.reader.revision == 0


@pytest.mark.parametrize("text", ['it\'s; "so" -- ?', "ü \N{SNOWMAN}", "a,b", "NULL", "\\N"])
def test_texts_are_stored_as_they_are(database, text):
    rows = [replace(block_row(height), source=text) for height in (1, 2)]
    database.commit(replace(NOTHING, blocks=rows))
    assert database.reader.blocks_from(0) == rows


def test_a_text_stays_one_line_in_one_row(database):
    database.commit(
        replace(NOTHING, blocks=[replace(block_row(1), source="a\x1fb\n\tc "), block_row(2)])
    )
    assert database.reader.block(1).source == "a b c"
    assert database.reader.block(2) == block_row(2)


def test_stale_rows_go_and_new_ones_come(database):
    database.commit(batch(1, 10))
    database.commit(batch(9, 12, kept_height=8, branch="new"))
    assert stored_heights(database) == [*range(1, 13)]
    assert database.reader.block(8) == block_row(8)
    for height in range(9, 13):
        assert database.reader.block(height) == block_row(height, "new")
        assert database.reader.window(height) == window_row(height, "new")


def test_a_chain_that_only_became_shorter_loses_its_end(database):
    database.commit(batch(1, 10))
    database.commit(replace(NOTHING, kept_height=8))
    assert stored_heights(database) == [*range(1, 9)]
    assert database.reader.points() is None


def test_points_take_the_place_of_older_ones(database):
    database.commit(batch(1, 1))
    database.commit(batch(2, 2))
    assert database.reader.points().height == 2
    database.commit(NOTHING)
    assert database.reader.points().height == 2


def test_points_that_are_not_stale_stay(database):
    database.commit(batch(1, 10))
    database.commit(replace(NOTHING, kept_height=10))
    assert database.reader.points().height == 10


@pytest.mark.parametrize(("last_height", "stays"), [(93, True), (94, False), (100, False)])
def test_a_day_goes_with_the_seven_blocks_that_prove_it(database, last_height, stays):
    database.commit(replace(NOTHING, days=[day_row(0, last_height=last_height)]))
    database.commit(replace(NOTHING, kept_height=100))
    assert stored_days(database) == ([last_height] if stays else [])


def test_a_day_comes_again_in_the_transaction_in_which_it_goes(database):
    database.commit(replace(NOTHING, days=[day_row(0, last_height=95)]))
    moved = day_row(0, last_height=96, exchange=NO_EXCHANGE)
    found = [(moved.date, EXCHANGE, False)]
    database.commit(replace(NOTHING, kept_height=100, days=[moved], day_exchanges=found))
    assert database.reader.days(moved.date, moved.date) == [moved]


def test_exchange_prices_are_filled_in(database):
    gaps = [window_row(height, exchange=NO_EXCHANGE) for height in range(1, 6)]
    days = [day_row(number, last_height=number, exchange=NO_EXCHANGE) for number in range(1, 4)]
    database.commit(replace(NOTHING, windows=gaps, days=days))
    database.commit(
        replace(
            NOTHING,
            window_exchanges=[(2, EXCHANGE, True), (4, EXCHANGE, False)],
            day_exchanges=[(days[1].date, EXCHANGE, False)],
        )
    )
    filled = {2: replace(gaps[1], exchange=EXCHANGE, diverges=True),
              4: replace(gaps[3], exchange=EXCHANGE, diverges=False)}  # fmt: skip
    assert stored_windows(database.reader) == [filled.get(row.height, row) for row in gaps]
    assert database.reader.days(days[1].date, days[1].date) == [
        replace(days[1], exchange=EXCHANGE, diverges=False)
    ]
    assert database.reader.days(days[0].date, days[0].date) == [days[0]]


def test_a_run_has_one_row_however_many_batches_it_stores(database):
    database.commit(batch(1, 2, run=run_row(100.25, 2, blocks=2)))
    database.commit(batch(3, 4, run=run_row(100.25, 4, blocks=4)))
    database.commit(batch(5, 5, run=run_row(100.5, 5)))
    assert database.reader.counts().runs == 2


def test_every_commit_raises_the_revision_by_one(database):
    assert [database.commit(batch(height, height)) for height in range(1, 4)] == [1, 2, 3]
    assert database.commit(NOTHING) == database.revision == database.reader.revision == 4


def test_a_batch_that_fails_changes_nothing(database):
    database.commit(batch(1, 10))
    torn = batch(9, 12, kept_height=8, branch="new", days=[day_row(0, last_height=3)] * 2)
    with pytest.raises(StorageError) as caught:
        database.commit(torn)
    assert "\n" not in str(caught.value)
    assert stored_heights(database) == [*range(1, 11)]
    assert database.reader.top() == block_row(10)
    assert database.revision == database.reader.revision == 1
    assert database.commit(batch(11, 11)) == 2


def test_a_random_history_of_reorganisations_equals_the_last_of_each_height(database):
    draw = Random(2)
    expected = {}
    top = 0
    for revision in range(1, 25):
        kept = max(0, top - draw.randrange(0, 7))
        top = kept + draw.randrange(0, 9)
        branch = str(revision)
        for height in [height for height in expected if height > kept]:
            del expected[height]
        expected |= {height: block_row(height, branch) for height in range(kept + 1, top + 1)}
        database.commit(batch(kept + 1, top, kept_height=kept, branch=branch))
    assert database.reader.blocks_from(0) == [expected[height] for height in sorted(expected)]
    assert Counter(stored_heights(database)).most_common(1)[0][1] == 1
