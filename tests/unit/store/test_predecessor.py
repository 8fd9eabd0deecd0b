from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest

from utxoracle.bitcoin.network import REGTEST
from utxoracle.store.connection import Connection
from utxoracle.store.database import Database
from utxoracle.store.predecessor import Imported, PredecessorRow, predecessor_rows

FULL = PredecessorRow(
    date=date(2025, 11, 1),
    origin='/mnt/nvme/it\'s a "disk"/utxoracle_cache.db',
    exchange_price=Decimal("9999999999.99"),
    utxoracle_price=Decimal("0.10"),
    price_difference=Decimal("-9999999999.99"),
    avg_pct_diff=Decimal("-9999.99"),
    confidence=Decimal("0.8712"),
    tx_count=2**31 - 1,
    is_valid=False,
    created_at=datetime(2025, 11, 1, 3, 0, 0, 123456),
)
EMPTY = PredecessorRow(date(2025, 11, 2), "b.db", *[None] * 8)


def imported(folder, rows):
    with Database.open(folder, REGTEST) as database:
        return database.import_predecessor(rows), database.revision


def stored(folder):
    connection = Connection.open_read_only(folder.database, str)
    try:
        return predecessor_rows(connection)
    finally:
        connection.close()


def test_rows_are_stored_exactly(folder):
    assert imported(folder, [FULL, EMPTY])[0] == Imported(new=2)
    assert stored(folder) == [FULL, EMPTY]


def test_the_same_rows_change_nothing_the_second_time(folder):
    _, revision = imported(folder, [FULL, EMPTY])
    before = folder.database.read_bytes()
    assert imported(folder, [EMPTY, FULL]) == (Imported(unchanged=2), revision)
    assert folder.database.read_bytes() == before


def test_a_row_of_the_same_day_and_origin_is_replaced(folder):
    _, revision = imported(folder, [FULL, EMPTY])
    newer = replace(EMPTY, utxoracle_price=Decimal("60000.01"))
    assert imported(folder, [FULL, newer]) == (Imported(changed=1, unchanged=1), revision + 1)
    assert stored(folder) == [FULL, newer]


def test_files_that_hold_the_same_day_are_kept_apart(folder):
    other = replace(FULL, origin="backup.db", confidence=None)
    imported(folder, [FULL])
    assert imported(folder, [other])[0] == Imported(new=1)
    assert stored(folder) == [FULL, other]


def test_two_rows_of_one_day_and_origin_are_refused_and_nothing_is_stored(folder):
    with pytest.raises(ValueError, match="one day"):
        imported(folder, [EMPTY, FULL, replace(FULL, tx_count=1)])
    assert stored(folder) == []


def test_what_separates_values_can_not_shift_them(folder):
    imported(folder, [replace(FULL, origin="a\x1fb"), EMPTY])
    assert {row.date: row.tx_count for row in stored(folder)} == {
        FULL.date: FULL.tx_count, EMPTY.date: None,
    }  # fmt: skip


def test_no_rows_raise_no_revision(folder):
    with Database.open(folder, REGTEST) as database:
        before = database.revision
        assert database.import_predecessor([]) == Imported()
        assert database.revision == before
