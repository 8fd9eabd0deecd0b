import os
import signal
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from threading import Timer

import duckdb
import pytest

from tests.unit.store.samples import (
    EVER,
    FIRST_TIME,
    NO_EXCHANGE,
    NO_PRICE,
    block_row,
    day_row,
    window_row,
)
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError
from utxoracle.store.database import Database
from utxoracle.store.exports import DAILY, DATASETS, PREDECESSOR, PRICES, Export, parts_of
from utxoracle.store.rows import Batch
from utxoracle.store.series import Extent
from utxoracle.store.snapshot import publish

DAY = 86_400

WINDOW_TEXT = (
    "7", block_row(7).hash, "2025-11-22T01:10:00Z", "60000.333333333336", "60012",
    "0.30000000000000004", "110000", "210000", "190000", "0.6666666666666666", "true", None,
    "v9.1", "60100.0", "2025-11-22T00:00:00Z", None, "false",
)  # fmt: skip


@pytest.fixture
def opened(folder):
    """Open the snapshot for an export of a dataset, after rows were stored."""
    exports = []

    def store_and_open(dataset, *, windows=(), days=(), statement="", writable=None):
        with Database.open(folder, REGTEST) as database:
            database.commit(Batch(None, [], windows, days, None))
        if statement:
            with duckdb.connect(str(folder.database)) as connection:
                connection.execute(statement)
        publish(folder)
        exports.append(Export.open(folder, dataset, writable))
        return exports[-1]

    yield store_and_open
    for export in exports:
        export.close()


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_every_stored_column_is_exported(folder, dataset):
    with duckdb.connect(str(folder.snapshot), read_only=True) as connection:
        stored = connection.execute(f"DESCRIBE {dataset.table}").fetchall()
    assert {name for name, *_ in stored} == set(dataset.types)


def test_values_are_written_out_exactly_and_alike_by_all_versions_of_duckdb(opened):
    export = opened(PRICES, windows=[window_row(7)])
    assert export.texts(*EVER) == [WINDOW_TEXT]


def test_what_is_missing_stays_missing(opened):
    row = replace(window_row(7, exchange=NO_EXCHANGE), facts=NO_PRICE)
    (text,) = opened(PRICES, windows=[row]).texts(*EVER)
    values = dict(zip(PRICES.types, text, strict=True))
    empty = {name for name, value in values.items() if value is None}
    assert empty == {
        "price", "rough_price", "deviation", "exchange_price", "exchange_time", "diverges"
    }  # fmt: skip
    assert values["invalid_reason"] == "too few points"


def test_rows_come_in_the_order_of_their_times_and_not_of_their_heights(opened):
    windows = [
        replace(window_row(height), time=FIRST_TIME + apart)
        for height, apart in [(9, 100), (10, 50), (101, 50), (11, 0)]
    ]
    found = opened(PRICES, windows=windows).texts(*EVER)
    assert [row[0] for row in found] == ["11", "10", "101", "9"]


def test_a_range_holds_its_first_moment_and_not_the_one_behind_it(opened):
    export = opened(PRICES, windows=[window_row(height) for height in (1, 2, 3)])
    start, stop = window_row(1).time, window_row(3).time
    assert [row[0] for row in export.texts(start, stop)] == ["1", "2"]
    assert export.extent(start, stop) == Extent(2, start, window_row(2).time)
    assert export.extent(0, start) == Extent(0, None, None)


def test_a_day_is_in_a_range_when_its_noon_is(opened):
    export = opened(DAILY, days=[day_row(number, last_height=143) for number in (0, 1)])
    noon = FIRST_TIME + DAY // 2
    assert [row[0] for row in export.texts(noon, noon + DAY)] == ["2025-11-22"]
    assert [row[0] for row in export.texts(noon + 1, noon + DAY + 1)] == ["2025-11-23"]


def test_the_rows_of_a_predecessor_are_given_as_they_were_found(opened):
    statement = """INSERT INTO predecessor_prices VALUES
        ('2025-10-02', 'b.db', 120000.5, 119000, 1000.5, 0.84, 0.9123, 1500, true, NULL),
        ('2025-10-02', 'a.db', NULL, 100000, NULL, NULL, 0, 3, false, '2025-10-02 03:00:01.25')"""
    assert opened(PREDECESSOR, statement=statement).texts(*EVER) == [
        ("2025-10-02", "a.db", None, "100000.00", None, None, "0.0000", "3", "false",
         "2025-10-02 03:00:01.25"),
        ("2025-10-02", "b.db", "120000.50", "119000.00", "1000.50", "0.84", "0.9123", "1500",
         "true", None),
    ]  # fmt: skip


def test_parts_hold_every_moment_of_a_range_once():
    start, stop = 1_000_000_000, 1_040_000_000
    extent = Extent(5, start + 7, stop - 3_000_000)
    parts = parts_of(start, stop, extent)
    assert parts[0][0] == start
    assert parts[-1][1] > extent.last
    assert all(end == begin for (_, end), (begin, _) in pairwise(parts))
    assert all(begin % DAY == 0 for begin, _ in parts[1:])
    assert parts_of(start, stop, Extent(0, None, None)) == []
    assert parts_of(*EVER, Extent(1, 5, 5))[0][0] == 0


def test_parquet_has_types_and_times_are_utc_wherever_the_machine_is(opened, tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    # An hour that clocks there skip.
    skipped = int(datetime(2026, 3, 8, 2, 30, tzinfo=UTC).timestamp())
    export = opened(PRICES, windows=[replace(window_row(7), time=skipped)], writable=tmp_path)
    export.write_parquet(*EVER, tmp_path / "rows")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.read_parquet(str(tmp_path / "rows"))
        types = dict(zip(rows.columns, map(str, rows.types), strict=True))
        epochs = rows.project("epoch(time)").fetchall()
        codecs = connection.execute(
            "SELECT DISTINCT compression FROM parquet_metadata(?)", [str(tmp_path / "rows")]
        ).fetchall()
    assert types == {
        name: {"TEXT": "VARCHAR", "TIMESTAMP": "TIMESTAMP WITH TIME ZONE"}.get(kind, kind)
        for name, kind in PRICES.types.items()
    }
    assert epochs == [(skipped,)]
    assert codecs == [("ZSTD",)]


def test_the_same_rows_give_the_same_parquet(opened, tmp_path):
    export = opened(PRICES, windows=map(window_row, range(300)), writable=tmp_path)
    for name in "ab":
        export.write_parquet(*EVER, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_nothing_is_written_but_into_the_folder(opened, tmp_path):
    (tmp_path / "here").mkdir()
    export = opened(PRICES, writable=tmp_path / "here")
    for path in tmp_path / "there", tmp_path / "here" / ".." / "there", tmp_path / "here2":
        with pytest.raises(StorageError, match="Cannot access file"):
            export.write_parquet(*EVER, path)
    with closing(export._connection.reopened(tmp_path / "it's here")) as quoted:
        assert quoted.query("SELECT 1") == [(1,)]
    assert not (tmp_path / "there").exists()


def test_a_duckdb_without_parquet_is_told(opened, tmp_path):
    export = opened(PRICES, writable=tmp_path)
    with pytest.raises(StorageError) as caught:
        export._connection._copy("SELECT 1", tmp_path / "rows", "FORMAT no_such_format")
    message = str(caught.value)
    assert f"{duckdb.__version__}, can't write Parquet" in message
    assert message.endswith("take the newest of PyPI, or another format")
    assert "\n" not in message


def test_ctrl_c_ends_a_query_as_it_ends_everything_else(opened):
    export = opened(PRICES)
    timer = Timer(0.2, os.kill, [os.getpid(), signal.SIGINT])
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        export._connection.query("SELECT sum(random()) FROM range(30_000_000_000)")
