from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import duckdb
import pytest

from tests.unit.store.samples import FIRST_DAY, batch, day_row
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError
from utxoracle.jobs.checks import snapshot
from utxoracle.jobs.health import CheckStatus
from utxoracle.settings import Settings
from utxoracle.store.database import Database
from utxoracle.store.snapshot import Snapshot, is_published, publish

DAYS = 6
TOP = 144 * DAYS + 10


@pytest.fixture
def stored(folder):
    """Six days of blocks from the midnight on at which day 1 begins, all priced but day 0."""
    rows = batch(1, TOP)
    days = [day_row(number, last_height=144 * (number + 1) - 1) for number in range(1, DAYS)]
    with Database.open(folder, REGTEST) as database:
        database.commit(replace(rows, windows=rows.windows[144:], days=days))
    publish(folder)
    return folder


def look(folder):
    return snapshot.snapshot(folder, Settings(data_dir=folder.path, network="regtest"))


def ask(folder, check, *statements):
    """Return what a check finds after statements have changed what is stored."""
    with duckdb.connect(folder.database) as connection:
        for statement in statements:
            connection.execute(statement)
    publish(folder)
    with closing(Snapshot(folder)) as published:
        return check(published.reader())


def test_a_whole_snapshot_is_well(stored):
    told = look(stored)
    assert told.status == CheckStatus.OK
    assert told.detail == "revision 1, schema 2, 874 blocks, 730 window prices and 5 daily prices"
    assert ask(stored, snapshot.heights).status == CheckStatus.OK
    assert ask(stored, snapshot.days).status == CheckStatus.OK


def test_an_empty_snapshot_lacks_nothing(folder):
    assert look(folder).status == CheckStatus.OK
    assert ask(folder, snapshot.heights).status == CheckStatus.OK
    assert ask(folder, snapshot.days).status == CheckStatus.OK


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"junk" * 10_000,
    ],
)
def test_a_snapshot_that_can_not_be_used_fails_with_what_to_do(stored, spoil):
    stored.snapshot.write_bytes(spoil(stored.snapshot.read_bytes()))
    with pytest.raises(
        StorageError, match=r"move it away and run utxoracle analyze, which publishe"
    ):
        look(stored)


LONG_HISTORY = (
    "INSERT INTO blocks (height, hash, prev_hash, time) "
    "SELECT height, md5(height::TEXT), md5((height - 1)::TEXT), "
    "TIMESTAMP '2020-01-01' + to_minutes(10 * height) FROM range(300_000) AS r(height)",
    "INSERT INTO window_prices BY NAME SELECT height, hash, time, random() AS price FROM blocks "
    "WHERE height >= 144",
)


def test_a_flipped_bit_far_in_the_past_fails_though_all_that_is_new_can_be_read(folder):
    assert "300,000 blocks" in ask(folder, lambda _: look(folder), *LONG_HISTORY).detail
    content = bytearray(folder.snapshot.read_bytes())
    content[len(content) // 3] ^= 1
    folder.snapshot.write_bytes(content)
    # No run would publish it anew, either.
    assert is_published(folder, revision=0)
    told = look(folder)
    assert told.status == CheckStatus.ERROR
    assert str(folder.snapshot) in told.detail
    assert "move it away and run utxoracle analyze" in told.detail


def test_a_snapshot_of_an_older_version_fails(stored):
    with duckdb.connect(stored.snapshot) as connection:
        connection.execute("DELETE FROM schema_migrations WHERE version = 2")
    with pytest.raises(StorageError, match="was published by an older version: run utxoracle ana"):
        look(stored)


def test_a_snapshot_that_is_not_there_fails(stored):
    stored.snapshot.unlink()
    with pytest.raises(
        StorageError, match=f"{stored.snapshot} is not there: run utxoracle analyze"
    ):
        look(stored)


def test_another_network_fails(stored):
    told = snapshot.snapshot(stored, Settings(data_dir=stored.path))
    assert told.status == CheckStatus.ERROR
    assert "holds the network 'regtest', not 'main': set UTXORACLE_NETWORK or" in told.detail


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM blocks WHERE height = 200", "blocks are missing (1): 200;"),
        (
            "DELETE FROM blocks WHERE height BETWEEN 200 AND 300 OR height = 500",
            "blocks are missing (102): 200 to 300, 500;",
        ),
        (
            "DELETE FROM window_prices WHERE height % 10 = 0",
            "window prices are missing (73): 150, 160, 170, 180, 190, and more;",
        ),
        ("DELETE FROM window_prices WHERE height < 150", "prices are missing (5): 145 to 149;"),
        ("DELETE FROM window_prices WHERE height > 870", "prices are missing (4): 871 to 874;"),
        ("DELETE FROM window_prices", "window prices are missing (730): 145 to 874;"),
    ],
)
def test_missing_heights_fail_and_are_named(stored, statement, told):
    found = ask(stored, snapshot.heights, statement)
    assert found.status == CheckStatus.ERROR
    assert told in found.detail
    assert "restore a backup that has them" in found.detail


@pytest.mark.parametrize(
    ("missing", "told"), [([1], "1"), ([3], "3"), ([2, 3], "2, 3"), ([5], "5"), (range(1, 6), None)]
)
def test_missing_days_fail_wherever_they_are_and_are_named(stored, missing, told):
    dates = [str(FIRST_DAY + timedelta(days=number)) for number in missing]
    gone = ", ".join(f"'{one}'" for one in dates)
    found = ask(stored, snapshot.days, f"DELETE FROM daily_prices WHERE date IN ({gone})")
    assert found.status == CheckStatus.ERROR
    assert found.detail.startswith(f"there is no price of {', '.join(dates)}, though the blocks")


def test_of_many_missing_days_the_first_are_named(stored):
    more = batch(TOP + 1, TOP + 5 * 144, kept_height=TOP)
    with Database.open(stored, REGTEST) as database:
        database.commit(more)
    found = ask(stored, snapshot.days, "DELETE FROM daily_prices WHERE date > '2025-11-23'")
    dates = ", ".join(str(FIRST_DAY + timedelta(days=number)) for number in range(2, 7))
    assert found.detail.startswith(f"there is no price of {dates}, and more, though")


def test_a_day_without_blocks_is_not_missing(stored):
    later = "UPDATE blocks SET time = time + INTERVAL 2 DAY WHERE height >= 432"
    days = "UPDATE daily_prices SET date = date + INTERVAL 2 DAY WHERE first_height >= 432"
    assert ask(stored, snapshot.days, later, days).status == CheckStatus.OK


def test_days_can_not_be_told_where_blocks_are_missing(stored):
    found = ask(stored, snapshot.days, "DELETE FROM blocks WHERE height = 200")
    assert found.status == CheckStatus.UNKNOWN
