import os
import re
import shutil
import struct
import subprocess
import sys
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tests.conftest import another_user, ordinary_user
from tests.old_tree import COLUMNS, FIRST_DAY, price_database, price_rows
from utxoracle.errors import StorageError
from utxoracle.jobs.migration.old_rows import (
    OldRows,
    old_databases,
    read_old_rows,
)

WHALES = "whale_net_flow DOUBLE, whale_direction TEXT, action TEXT, combined_signal DOUBLE"

ADD_ROWS = f"""
import duckdb, os, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("PRAGMA disable_checkpoint_on_shutdown")
connection.execute("CREATE TABLE IF NOT EXISTS price_analysis ({COLUMNS.replace(chr(10), " ")})")
connection.execute(
    "INSERT INTO price_analysis VALUES "
    "('2025-12-24', 88000.01, 87999.99, -0.02, 0, 0.5, 4321, true)"
)
if len(sys.argv) > 2:
    print("open", flush=True)
    sys.stdin.read()
os._exit(0)
"""


def add_rows_to_log(path):
    """Commit a row that only the log holds, as a process does that is killed."""
    subprocess.run([sys.executable, "-c", ADD_ROWS, path], check=True)


@contextmanager
def open_elsewhere(path):
    process = subprocess.Popen(
        [sys.executable, "-c", ADD_ROWS, path, "stay"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "open\n"
        yield process.pid


def database(path, *statements):
    with duckdb.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A database with more than a page of rows, to be damaged."""
    return database(
        tmp_path_factory.mktemp("large") / "utxoracle_cache.db",
        "CREATE TABLE price_analysis AS SELECT DATE '2020-01-01' + i::INTEGER AS date, "
        "hash(i)::TEXT AS tx_count FROM range(2000) AS days(i)",
    )


def contents(folder):
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.iterdir()
        if path.is_file()
    }


def values(row):
    return (
        row.date, row.exchange_price, row.utxoracle_price, row.price_difference, row.avg_pct_diff,
        row.confidence, row.tx_count, row.is_valid,
    )  # fmt: skip


def text_of(old):
    return "\n".join(old.remarks)


def nothing_from(path):
    """The one remark on a file without rows that can be had, which is as it was before."""
    before = contents(path.parent)
    old = read_old_rows(path, "the origin")
    assert old.rows == []
    assert contents(path.parent) == before
    (remark,) = old.remarks
    assert "\n" not in remark
    assert str(path) in remark
    return remark


def test_rows_are_read_as_they_stand(tmp_path):
    path = price_database(tmp_path / "utxoracle_cache.db", price_rows(4))
    before = contents(tmp_path)
    old = read_old_rows(path, "data/utxoracle_cache.db")
    assert [values(row) for row in old.rows] == price_rows(4)
    assert {row.origin for row in old.rows} == {"data/utxoracle_cache.db"}
    assert {row.created_at for row in old.rows} == {None}
    assert (old.remarks, old.refused) == ([], 0)
    assert contents(tmp_path) == before


def test_every_value_may_be_missing_but_the_day(tmp_path):
    path = price_database(tmp_path / "a.db", [(FIRST_DAY, *[None] * 7)])
    (row,) = read_old_rows(path, "a").rows
    assert values(row) == (FIRST_DAY, *[None] * 7)


def test_the_time_of_writing_is_taken_where_it_was_kept(tmp_path):
    stamp = datetime(2025, 11, 1, 3, 0, 0, 500_000)
    path = price_database(
        tmp_path / "a.db",
        [(*price_rows(1)[0], stamp)],
        columns=f"{COLUMNS}, created_at TIMESTAMP DEFAULT now()",
    )
    old = read_old_rows(path, "a")
    assert [row.created_at for row in old.rows] == [stamp]
    assert old.remarks == []


def test_a_time_with_a_zone_becomes_utc(tmp_path):
    path = database(
        tmp_path / "a.db",
        "CREATE TABLE price_analysis (date DATE, created_at TIMESTAMP WITH TIME ZONE)",
        "INSERT INTO price_analysis VALUES ('2025-11-01', '2025-11-01 03:00:00+02')",
    )
    (row,) = read_old_rows(path, "a").rows
    assert row.created_at == datetime(2025, 11, 1, 1)


def test_columns_of_whales_are_left_out_and_named(tmp_path):
    path = price_database(
        tmp_path / "a.db",
        [(*row, 12.5, "BUY", "HOLD", None) for row in price_rows(2)],
        columns=f"{COLUMNS}, {WHALES}",
    )
    old = read_old_rows(path, "a")
    assert [values(row) for row in old.rows] == price_rows(2)
    assert old.remarks == [
        f"{path}: columns that are not taken: action, combined_signal, whale_direction, "
        "whale_net_flow"
    ]


def test_columns_may_be_in_any_order(tmp_path):
    path = database(
        price_database(tmp_path / "a.db", price_rows(3)),
        "CREATE TABLE other AS SELECT is_valid, confidence, utxoracle_price, date, tx_count, "
        "avg_pct_diff, price_difference, exchange_price FROM price_analysis",
        "DROP TABLE price_analysis",
        "ALTER TABLE other RENAME TO price_analysis",
    )
    assert [values(row) for row in read_old_rows(path, "a").rows] == price_rows(3)


def test_a_column_that_is_missing_is_left_empty_and_named(tmp_path):
    path = database(
        price_database(tmp_path / "a.db", price_rows(2)),
        "ALTER TABLE price_analysis DROP is_valid",
    )
    old = read_old_rows(path, "a")
    assert [values(row) for row in old.rows] == [(*row[:-1], None) for row in price_rows(2)]
    assert old.remarks == [f"{path}: left empty, for want of a column: is_valid"]


def test_an_empty_table_is_told(tmp_path):
    path = price_database(tmp_path / "a.db", [])
    assert nothing_from(path) == f"{path}: its table price_analysis is empty"


def test_a_database_of_whales_alone_is_told_with_all_that_is_not_taken(tmp_path):
    path = database(
        tmp_path / "a.db",
        "CREATE TABLE whale_transactions AS SELECT * FROM range(1234)",
        'CREATE TABLE "net ""flow""" (i INTEGER)',
    )
    assert read_old_rows(path, "a") == OldRows(
        [],
        [
            f"{path} has no table price_analysis, so no rows are imported",
            f'{path}: not taken: net "flow" (0 rows), whale_transactions (1,234 rows)',
        ],
    )


def test_a_table_without_days_is_told(tmp_path):
    path = database(
        tmp_path / "a.db",
        "CREATE TABLE price_analysis AS SELECT 60000.00 AS utxoracle_price",
    )
    old = read_old_rows(path, "a")
    assert (old.rows, old.refused) == ([], 1)
    assert "row None is not imported: it has no date" in text_of(old)


def test_rows_that_do_not_fit_are_refused_one_by_one_and_the_others_taken(tmp_path):
    path = database(
        tmp_path / "a.db",
        """CREATE TABLE price_analysis (date TEXT, exchange_price DOUBLE, utxoracle_price TEXT,
            price_difference TEXT, avg_pct_diff TEXT, confidence TEXT, tx_count TEXT,
            is_valid TEXT, created_at TEXT)""",
        """INSERT INTO price_analysis VALUES
            ('2025-11-01', 60000.33, '60000.330', '1', '2', '0.50', '7', 'true', '2025-11-01'),
            ('2025-11-02', 60000.333, '1', '1', '2', '0.5', '7', 'true', NULL),
            ('2025-11-03', 'inf', '1', '1', '2', '0.5', '7', 'true', NULL),
            ('2025-11-04', 1, 'abc', '1', '2', '0.5', '7', 'true', NULL),
            ('2025-11-05', 1, '1', '1', '10000', '0.5', '7', 'true', NULL),
            ('2025-11-06', 1, '1', '1', '2', 'nan', '7', 'true', NULL),
            ('2025-11-07', 1, '1', '1', '2', '0.5', '3000000000', 'true', NULL),
            ('2025-11-08', 1, '1', '1', '2', '0.5', '7', 'maybe', NULL),
            ('2025-11-09', 1, '1', '1', '2', '0.5', '7', 'true', 'yesterday'),
            ('infinity', 1, '1', '1', '2', '0.5', '7', 'true', NULL),
            ('2025-11-10 00:00:00', 1, '1', '1', '2', '0.5', '7', 'false', NULL)""",
    )
    old = read_old_rows(path, "a")
    assert [values(row) for row in old.rows] == [
        (date(2025, 11, 1), Decimal("60000.33"), Decimal("60000.33"), 1, 2, Decimal("0.5"), 7,
         True),
        (date(2025, 11, 10), 1, 1, 1, 2, Decimal("0.5"), 7, False),
    ]  # fmt: skip
    assert old.refused == 9
    assert old.remarks == [
        f"{path}: row '2025-11-02' is not imported: exchange_price is '60000.333', not a "
        "DECIMAL(12, 2)",
        f"{path}: row '2025-11-03' is not imported: exchange_price is 'inf', not a DECIMAL(12, 2)",
        f"{path}: row '2025-11-04' is not imported: utxoracle_price is 'abc', not a DECIMAL(12, 2)",
        f"{path}: row '2025-11-05' is not imported: avg_pct_diff is '10000', not a DECIMAL(6, 2)",
        f"{path}: row '2025-11-06' is not imported: confidence is 'nan', not a DECIMAL(5, 4)",
        f"{path}: 4 more rows are not imported for such reasons",
    ]


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("tx_count", "3000000000", "an INTEGER"),
        ("tx_count", "1.5", "a DECIMAL(10, 0)"),
        ("is_valid", "maybe", "a BOOLEAN"),
        ("created_at", "yesterday", "a TIMESTAMP"),
        ("date", "infinity", "a date"),
    ],
)
def test_a_value_of_a_wrong_kind_is_named(tmp_path, column, value, wanted):
    others = {"date": "2025-11-01", column: value}
    marks = ", ".join(f"'{text}' AS {name}" for name, text in others.items())
    path = database(tmp_path / "a.db", f"CREATE TABLE price_analysis AS SELECT {marks}")
    old = read_old_rows(path, "a")
    assert old.refused == 1
    assert f"{column} is '{value}', not {wanted}" in text_of(old)


def test_a_day_that_is_there_twice_is_imported_once(tmp_path):
    columns = COLUMNS.replace("PRIMARY KEY", "")
    first, second = price_rows(2)
    path = price_database(
        tmp_path / "a.db", [first, second, (first[0], *second[1:])], columns=columns
    )
    old = read_old_rows(path, "a")
    assert [values(row) for row in old.rows] == [first, second]
    assert old.refused == 1
    assert "its day is there twice" in text_of(old)


def test_mock_prices_are_taken_and_pointed_out(tmp_path):
    mocks = [
        (FIRST_DAY + timedelta(days=n), Decimal(90_000), Decimal(100_000), 1, 1, 1, 3, True)
        for n in range(10, 13)
    ]
    path = price_database(tmp_path / "a.db", [*price_rows(2), *mocks])
    old = read_old_rows(path, "a")
    assert [values(row) for row in old.rows] == [*price_rows(2), *mocks]
    assert old.remarks == [
        f"{path}: 3 of its rows look like mock values ($100,000 from 3 transactions), from "
        "2025-11-11 to 2025-11-13: imported as they are"
    ]


def test_rows_that_only_a_log_holds_are_read_and_the_log_is_left(tmp_path):
    path = price_database(tmp_path / "utxoracle_cache.db", price_rows(2))
    add_rows_to_log(path)
    before = contents(tmp_path)
    assert "utxoracle_cache.db.wal" in before
    old = read_old_rows(path, "a")
    assert [row.date for row in old.rows] == [
        FIRST_DAY, FIRST_DAY + timedelta(days=1), date(2025, 12, 24),
    ]  # fmt: skip
    assert old.rows[-1].utxoracle_price == Decimal("87999.99")
    assert old.remarks == [f"{path}.wal was read too: rows may be in it alone"]
    assert contents(tmp_path) == before


def test_a_table_that_only_a_log_holds_is_read(tmp_path):
    path = tmp_path / "utxoracle_cache.db"
    add_rows_to_log(path)
    assert [row.date for row in read_old_rows(path, "a").rows] == [date(2025, 12, 24)]


def test_a_file_that_a_process_has_open_is_refused_with_its_name(tmp_path):
    path = price_database(tmp_path / "utxoracle_cache.db")
    with open_elsewhere(path) as pid, pytest.raises(StorageError) as caught:
        read_old_rows(path, "a")
    assert str(caught.value).startswith(f"{path} is open in python")
    assert f"(pid {pid}): stop that" in str(caught.value)
    assert len(read_old_rows(path, "a").rows) == 4


def test_a_file_that_others_only_read_is_read(tmp_path):
    path = price_database(tmp_path / "utxoracle_cache.db")
    with duckdb.connect(path, read_only=True):
        assert len(read_old_rows(path, "a").rows) == 3


@pytest.mark.parametrize("suffix", ["", ".wal"])
def test_a_file_that_this_user_may_not_read_is_refused(open_folder, suffix):
    path = price_database(open_folder / "utxoracle_cache.db")
    add_rows_to_log(path)
    closed = path.with_name(path.name + suffix)
    closed.chmod(0)
    with ordinary_user(), pytest.raises(StorageError, match=f"can't read {closed}: Permission"):
        read_old_rows(path, "a")


def test_a_file_that_is_gone_is_refused(tmp_path):
    with pytest.raises(StorageError, match="No such file"):
        read_old_rows(tmp_path / "a.db", "a")


@pytest.mark.parametrize("junk", [b"", b"junk", b"SQLite format 3\0" + bytes(50_000)])
def test_junk_is_a_remark(tmp_path, junk):
    path = tmp_path / "utxoracle_cache.db"
    path.write_bytes(junk)
    assert nothing_from(path).startswith("no rows are imported from the origin: ")


@pytest.mark.parametrize("length", [10, 5000, 12_288, 12_289, -1, -4096])
def test_a_file_that_was_cut_short_is_a_remark(tmp_path, large, length):
    path = Path(shutil.copy(large, tmp_path))
    os.truncate(path, length if length > 0 else path.stat().st_size + length)
    assert nothing_from(path).startswith("no rows are imported from the origin: ")


def test_a_page_that_was_overwritten_is_a_remark(tmp_path, large):
    path = Path(shutil.copy(large, tmp_path))
    with path.open("r+b") as file:
        file.seek(12_288 + 3000)
        file.write(b"damage" * 50_000)
    assert nothing_from(path).startswith("no rows are imported from the origin: ")


def set_storage_version(path, version):
    with path.open("r+b") as file:
        header = bytearray(file.read(4096))
        header[12:20] = version.to_bytes(8, "little")
        # DuckDB's checksum: of each word of 8 bytes.
        checksum = 5381
        for (word,) in struct.iter_unpack("<Q", header[8:]):
            checksum ^= word * 0xBF58476D1CE4E5B9 % 2**64
        file.seek(0)
        file.write(checksum.to_bytes(8, "little") + header[8:])


def test_a_file_of_a_newer_duckdb_is_a_remark(tmp_path):
    path = price_database(tmp_path / "utxoracle_cache.db")
    set_storage_version(path, 2000)
    assert re.search("newer DuckDB|can only read .*versions", nothing_from(path))


def test_a_database_of_this_program_is_not_taken_for_the_old_one(folder):
    assert "is a database of this program" in nothing_from(folder.database)


def test_databases_are_found_by_their_names_each_once(tmp_path):
    data, temporary = tmp_path / "data", tmp_path / "tmp"
    for path in (
        data / "utxoracle_cache.db",
        data / "backups" / "utxoracle_cache_2025-11-02.db",
        data / "backups" / "utxoracle_cache_2025-11-01.db",
        temporary / "utxoracle_backup.duckdb",
    ):
        price_database(path)
    (data / "utxoracle_cache.db.wal").touch()
    (data / "utxoracle_folder.db").mkdir()
    (temporary / "other.duckdb").touch()
    (temporary / "utxoracle_link.db").symlink_to(data / "utxoracle_cache.db")
    (temporary / "utxoracle_nowhere.db").symlink_to(data / "nothing")
    places = [data, data / "backups", temporary, temporary / "other.duckdb", tmp_path / "gone"]
    assert old_databases(places) == [
        data / "utxoracle_cache.db",
        data / "backups" / "utxoracle_cache_2025-11-01.db",
        data / "backups" / "utxoracle_cache_2025-11-02.db",
        temporary / "utxoracle_backup.duckdb",
        temporary / "other.duckdb",
    ]


@pytest.mark.parametrize("mode", [0, 0o444])
def test_a_folder_that_can_not_be_looked_into_counts_as_empty(open_folder, mode):
    price_database(open_folder / "closed" / "utxoracle_cache.db")
    (open_folder / "closed").chmod(mode)
    with ordinary_user():
        places = [open_folder / "closed", open_folder / "closed" / "utxoracle_cache.db"]
        assert old_databases(places) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="the folder must be another user's")
def test_a_file_that_can_not_be_looked_at_hides_no_other(open_folder):
    fallen = price_database(open_folder / "utxoracle_backup.duckdb")
    (open_folder / "closed").mkdir(mode=0o700)
    (open_folder / "utxoracle_a.db").symlink_to(open_folder / "closed" / "file")
    with ordinary_user():
        assert old_databases([open_folder]) == [fallen]


def test_a_read_only_old_folder_can_be_read(open_folder):
    path = price_database(open_folder / "old" / "utxoracle_cache.db")
    add_rows_to_log(path)
    for file in (path, path.with_name(f"{path.name}.wal")):
        file.chmod(0o444)
    path.parent.chmod(0o555)
    with another_user():
        assert len(read_old_rows(path, "a").rows) == 4
    shutil.rmtree(open_folder / "old")


def test_a_second_schema_hides_no_rows_and_is_told(tmp_path):
    path = price_database(tmp_path / "utxoracle_cache.db")
    database(
        path,
        "CREATE SCHEMA archive",
        "CREATE TABLE archive.price_analysis AS SELECT 1 AS further",
        "CREATE TABLE archive.meta(key TEXT)",
    )
    old = read_old_rows(path, "x")
    assert len(old.rows) == 3
    assert old.remarks == [
        f"{path}: not taken: archive.meta (0 rows), archive.price_analysis (1 rows)"
    ]
