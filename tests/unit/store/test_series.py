import struct
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import isfinite
from random import Random
from statistics import correlation

import pytest

from tests.unit.sources.stamped import chain_of, obey_median_rule
from tests.unit.store.samples import EVER, block_row, day_row, facts, window_row
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import DayUnavailable
from utxoracle.jobs.finished_days import finished_days
from utxoracle.sources.days import DAY, FIRST_V91_DAY, BlockTimes, day_heights_v91, midnight
from utxoracle.sources.exchange import ExchangePrice
from utxoracle.store.database import Database
from utxoracle.store.rows import Batch
from utxoracle.store.series import BY_BLOCK, BY_DAY, BY_HOUR, DAILY, SERIES, Extent

NOTHING = Batch(kept_height=None, blocks=(), windows=(), days=(), points=None)
LABEL = "as the original"

DISORDER = 7200
"""Seconds that a block may be stamped ahead of its time."""


@pytest.fixture
def database(folder):
    with Database.open(folder, REGTEST) as database:
        yield database


def names(columns):
    return [column.name for column in columns]


def priced(height, price, exchange, *, time=None, is_valid=True):
    row = window_row(height, exchange=ExchangePrice(exchange, None, None))
    found = replace(facts(price), is_valid=is_valid)
    return replace(row, facts=found, time=row.time if time is None else time)


def numbers():
    """Doubles of all kinds: short and long, tiny and huge, and neighbours of round ones."""
    draw = Random(4)
    found = [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1 + 0.2, 1e16, 1e17, 1e22]
    found += [1e23, 9007199254740993.0, 123456789012345680.0, 1e-5, 1e-4, 0.1, 1.0, 100000.0]
    found += [draw.uniform(1e3, 2e5) for _ in range(8000)]
    found += [round(draw.uniform(1e3, 2e5), draw.randrange(6)) for _ in range(1000)]
    while len(found) < 16_000:
        (number,) = struct.unpack("<d", draw.randbytes(8))
        found += [abs(number)] if abs(number) < float("inf") else []
    return found


def test_the_text_of_a_number_is_read_back_as_the_same_number(database):
    written = numbers()
    rows = [priced(height, number, None) for height, number in enumerate(written)]
    database.commit(replace(NOTHING, windows=rows))
    column = names(SERIES).index("utxoracle_price")
    assert [float(row[column]) for row in database.reader.series(*EVER, BY_BLOCK)] == written


def test_a_quotient_that_is_no_number_is_left_out(database):
    database.commit(
        replace(
            NOTHING,
            windows=[priced(1, 5e-324, 60_000.0), priced(2, 0.0, 60_000.0), priced(3, 0.0, 0.0)],
        )
    )
    column = names(SERIES).index("diff_percent")
    assert [row[column] for row in database.reader.series(*EVER, BY_BLOCK)] == [None] * 3


def test_the_extent_tells_how_many_rows_there_can_be(database):
    times = [0, 10, 3599, 3600, 7200, DAY]
    database.commit(
        replace(NOTHING, windows=[priced(n, 1.0, 1.0, time=time) for n, time in enumerate(times)])
    )
    reader = database.reader
    assert reader.extent(0, 3600) == Extent(3, 0, 3599)
    assert reader.extent(1, 3601) == Extent(3, 10, 3600)
    assert reader.extent(DAY + 1, DAY + 2) == Extent(0, None, None)
    for start, stop in [(0, 3600), (1, 3601), (0, 2 * DAY), (DAY + 1, DAY + 2)]:
        extent = reader.extent(start, stop)
        for interval in (BY_BLOCK, BY_HOUR, BY_DAY):
            rows = reader.series(start, stop, interval)
            assert len(rows) <= extent.most_rows(interval)
    assert reader.extent(0, 2 * DAY).most_rows(BY_DAY) == 2
    assert reader.extent(0, 7201).most_rows(BY_HOUR) == 3
    assert reader.extent(0, 7201).most_rows(BY_BLOCK) == 5


def test_a_day_is_asked_for_by_its_noon(database):
    rows = [day_row(number, last_height=143 + 144 * number) for number in range(3)]
    database.commit(replace(NOTHING, days=rows))
    noon = midnight(rows[1].date) + DAY // 2

    def found(start, stop):
        dates = [row[0] for row in database.reader.daily(start, stop, LABEL)]
        return [date.fromisoformat(one) for one in dates]

    assert found(noon, noon + 1) == [rows[1].date]
    assert found(noon + 1, noon + DAY) == []
    assert found(noon - DAY, noon) == [rows[0].date]
    assert found(*EVER) == [row.date for row in rows]


def a_day(day, *, blocks_before=100):
    """Times of blocks of a day and of some before and behind, all in order, 600 s apart.

    Returns the times, the index of the day's first block and that behind its last one.
    """
    start = midnight(day)
    times = [start + 300 + 600 * number for number in range(-blocks_before, 144 + 20)]
    return times, blocks_before, blocks_before + 144


def label_of(database, day, times, first, stop):
    """The label of a day whose blocks are those from index `first` to `stop`."""
    bottom = 1000
    row = replace(
        day_row(0, last_height=bottom + stop - 1),
        date=day, first_height=bottom + first, blocks=stop - first,
    )  # fmt: skip
    blocks = [replace(block_row(bottom + n), time=time) for n, time in enumerate(times)]
    database.commit(replace(NOTHING, kept_height=0, blocks=blocks, days=[row]))
    ((*_, label),) = database.reader.daily(*EVER, LABEL)
    return label


def test_a_day_in_order_has_the_label(database):
    assert label_of(database, FIRST_V91_DAY, *a_day(FIRST_V91_DAY)) == LABEL
    longer = a_day(FIRST_V91_DAY, blocks_before=150)
    assert label_of(database, FIRST_V91_DAY, *longer) == LABEL


def test_a_day_for_which_the_original_gives_no_price_has_none(database):
    before = FIRST_V91_DAY - timedelta(days=1)
    assert label_of(database, before, *a_day(before)) is None


@pytest.mark.parametrize(
    ("index", "seconds"),
    [
        (0, -300),  # exactly at midnight
        (143, 301),  # the last block is stamped after the next midnight
        (143, 300),  # the same, exactly at it
        (50, DAY),
        (-1, 600),  # a block before the day is stamped within it
        (-1, 300),
        (-100, 100 * 600),
    ],
)
def test_a_day_with_a_block_on_the_wrong_side_of_midnight_has_none(database, index, seconds):
    day = FIRST_V91_DAY
    times, first, stop = a_day(day)
    times[first + index] += seconds
    assert label_of(database, day, times, first, stop) is None


def test_a_day_has_none_where_blocks_are_not_stored_that_would_show_it(database):
    day = FIRST_V91_DAY
    assert label_of(database, day, *a_day(day, blocks_before=99)) is None
    times, first, stop = a_day(day)
    assert label_of(database, day, times[:stop], first, stop) == LABEL
    assert label_of(database, day, times[: stop - 1], first, stop) is None


def test_a_day_without_a_price_has_none(database):
    day = FIRST_V91_DAY
    assert label_of(database, day, *a_day(day)) == LABEL
    row = day_row(0, last_height=1243)
    row = replace(row, date=day, first_height=1100, facts=replace(facts(None), is_valid=False))
    blocks = database.reader.blocks_from(0)
    database.commit(replace(NOTHING, kept_height=0, blocks=blocks, days=[row]))
    assert database.reader.daily(*EVER, LABEL)[0][-1] is None


def disordered_chain(seed, start, days=5):
    """Times of blocks from a midnight on, some ahead by up to two hours, as consensus allows."""
    draw = Random(seed)
    share = draw.choice([0.0, 0.01, 0.05, 0.3])
    times, time = [], start
    while time < start + days * DAY:
        time += max(1, round(draw.expovariate(1 / 600)))
        ahead = draw.randrange(DISORDER) if draw.random() < share else 0
        times.append(time + ahead)
        if draw.random() < 0.02:
            # Miners like round numbers, of which midnight is one.
            times[-1] -= times[-1] % 3600
    return obey_median_rule(times)


def test_no_day_has_the_label_for_which_the_original_takes_other_blocks(database):
    chains, blocks, days = {}, [], []
    for seed in range(24):
        day, bottom = date(2024, 1, 1) + timedelta(days=10 * seed), 2000 * (1 + seed)
        times = disordered_chain(seed, midnight(day))
        chains[bottom] = times
        blocks += [replace(block_row(bottom + n), time=time) for n, time in enumerate(times)]
        found = [*finished_days(bottom, times)]
        # It isn't known whether the first day begins with the first block.
        for one in found[1:]:
            row = day_row(0, last_height=one.stop - 1)
            days.append(replace(row, date=one.date, first_height=one.first, blocks=one.blocks))
    database.commit(replace(NOTHING, blocks=blocks, days=days))

    rows = [dict(zip(names(DAILY), row, strict=True)) for row in database.reader.daily(*EVER, "x")]
    labelled = [row for row in rows if row["label"]]
    assert 0.2 * len(rows) < len(labelled) < 0.9 * len(rows)
    differ = 0
    for row in rows:
        day, first, last = date.fromisoformat(row["date"]), *map(int, heights_of(row))
        bottom = max(one for one in chains if one <= first)
        times = chains[bottom]
        for tip in range(last + 7, bottom + len(times), 97):
            try:
                taken = day_heights_v91(
                    BlockTimes(chain_of(times[: tip + 1 - bottom], bottom)), day
                )
            except DayUnavailable:
                taken = None
            differ += taken != range(first, last + 1)
            if row["label"]:
                assert taken == range(first, last + 1), (day, tip)
    assert differ > 20


def heights_of(row):
    return row["first_height"], row["last_height"]


def test_days_follow_each_other(database):
    assert names(DAILY)[:5] == ["date", "timestamp", "first_height", "last_height", "blocks"]
    database.commit(
        replace(NOTHING, days=[day_row(n, last_height=143 + 144 * n) for n in (2, 0, 1)])
    )
    stamps = [datetime.fromisoformat(row[1]) for row in database.reader.daily(*EVER, LABEL)]
    assert all(later - one == timedelta(days=1) for one, later in pairwise(stamps))
    assert stamps[0] == datetime(2025, 11, 22, 12, tzinfo=UTC)


def test_differences_are_of_valid_prices_with_an_exchange_price(database):
    reader = database.reader
    database.commit(
        replace(
            NOTHING,
            windows=[
                priced(1, 100.0, 110.0),
                priced(2, 200.0, 190.0),
                priced(3, 400.0, 440.0),
                priced(4, 1.0, 1000.0, is_valid=False),
                priced(5, 300.0, None),
                priced(6, None, 300.0, is_valid=False),
            ],
        )
    )
    found = reader.differences(*EVER)
    assert (found.total_entries, found.valid_entries) == (6, 3)
    assert (found.avg_diff, found.max_diff, found.min_diff) == (40 / 3, 40.0, -10.0)
    assert (found.avg_diff_percent, found.avg_abs_diff_percent) == (5.0, 25 / 3)
    assert (found.max_diff_percent, found.min_diff_percent) == (10.0, -5.0)
    expected = correlation([100.0, 200.0, 400.0], [110.0, 190.0, 440.0])
    assert found.correlation == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [(100.0, 110.0)],
        [(100.0 + 1 / 3, number) for number in (1.0, 2.0, 3.0)],
        [(number, 0.1) for number in (1.0, 2.0, 3.0)],
    ],
)
def test_what_does_not_vary_correlates_with_nothing(database, pairs):
    rows = [priced(height, *pair) for height, pair in enumerate(pairs)]
    # These would give it something to vary with if they counted.
    rows += [priced(8, 5.0, None), priced(9, 7.0, 9.0, is_valid=False)]
    database.commit(replace(NOTHING, windows=rows))
    found = database.reader.differences(*EVER)
    assert (found.valid_entries, found.correlation) == (len(pairs), None)


@pytest.mark.parametrize(("sign", "expected"), [(1, 1.0), (-1, -1.0)])
def test_a_correlation_is_never_beyond_one(database, sign, expected):
    draw = Random(5)
    for seed in range(20):
        prices = [draw.uniform(1e4, 1e5) for _ in range(3)]
        rows = [priced(n, price, 2e5 + sign * price) for n, price in enumerate(prices)]
        database.commit(replace(NOTHING, kept_height=-1, windows=rows))
        found = database.reader.differences(*EVER).correlation
        assert abs(found) <= 1, seed
        assert found == pytest.approx(expected)


def test_differences_that_are_no_numbers_are_told_as_none(database):
    for pairs in ([(5e-324, 1e308)], [(1.0, 1e308), (2.0, 1e308), (3.0, 1.7e308)]):
        rows = [priced(n, *pair) for n, pair in enumerate(pairs)]
        database.commit(replace(NOTHING, kept_height=-1, windows=rows))
        found = database.reader.differences(*EVER)
        values = [*vars(found).values()]
        assert None in values
        assert all(value is None or isfinite(value) for value in values)
