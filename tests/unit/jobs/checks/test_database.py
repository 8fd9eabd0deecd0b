import shutil

import pytest

from tests.unit.store.samples import batch
from utxoracle.bitcoin.network import REGTEST
from utxoracle.jobs.checks.database import database, published
from utxoracle.jobs.health import CheckStatus
from utxoracle.store.database import Database
from utxoracle.store.folder import DataFolder
from utxoracle.store.lock import run_lock
from utxoracle.store.snapshot import publish


def commit(folder, *heights):
    with Database.open(folder, REGTEST) as opened:
        opened.commit(batch(*heights))


@pytest.fixture
def stored(folder):
    """A data folder with some blocks, published."""
    commit(folder, 1, 200)
    publish(folder)
    return folder


@pytest.fixture
def killed(stored, tmp_path):
    """The files that a run leaves which is killed behind its commit."""
    with Database.open(stored, REGTEST) as opened:
        opened.commit(batch(201, 210))
        return DataFolder(shutil.copytree(stored.path, tmp_path / "killed"))


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_published_database_is_well(stored):
    assert database(stored).status == published(stored).status == CheckStatus.OK


def test_a_database_that_is_not_there_fails(stored):
    stored.database.unlink()
    told = database(stored)
    assert told.status == CheckStatus.ERROR
    assert "is not there: mount its disk, run utxoracle restore latest, or" in told.detail
    told = published(stored)
    assert told.status == CheckStatus.UNKNOWN
    assert str(stored.database) in told.detail


@pytest.mark.parametrize("content", [b"", b"junk" * 5000, b"SQLite format 3\0" + bytes(20_000)])
def test_a_file_of_another_kind_fails(stored, content):
    stored.database.write_bytes(content)
    told = database(stored)
    assert told.status == CheckStatus.ERROR
    assert "is not a DuckDB database: run utxoracle restore" in told.detail


def test_the_log_of_a_killed_run_deserves_a_look(killed):
    told = database(killed)
    assert told.status == CheckStatus.WARNING
    assert told.detail.startswith(f"{killed.wal} is left of a run that was killed: run utxoracle")


def test_commits_that_are_not_published_fail(stored):
    commit(stored, 201, 202)
    told = published(stored)
    assert told.status == CheckStatus.ERROR
    assert "run utxoracle analyze, which publishes it" in told.detail


@pytest.mark.parametrize("name", ["utxoracle_cache.db", "utxoracle_snapshot.db"])
def test_a_flipped_bit_in_one_of_both_deserves_a_look(stored, name):
    path = stored.path / name
    flip(path, path.stat().st_size // 2)
    told = published(stored)
    assert told.status == CheckStatus.WARNING
    assert "run utxoracle restore latest" in told.detail


def test_a_snapshot_that_was_cut_short_is_no_copy(stored):
    stored.snapshot.write_bytes(stored.snapshot.read_bytes()[:-4096])
    assert published(stored).status == CheckStatus.WARNING


def test_a_run_that_is_going_on_is_told_and_not_disturbed(stored):
    with run_lock(stored), Database.open(stored, REGTEST) as opened:
        opened.commit(batch(201, 202))
        told = database(stored)
        assert (told.status, "a run is going on" in told.detail) == (CheckStatus.OK, True)
        assert published(stored).status == CheckStatus.OK
        opened.commit(batch(203, 400))
    with run_lock(stored):
        told = published(stored)
        assert (told.status, "a run is going on" in told.detail) == (CheckStatus.UNKNOWN, True)
    publish(stored)
    assert published(stored).status == CheckStatus.OK
