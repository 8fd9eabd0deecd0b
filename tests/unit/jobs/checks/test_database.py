import os
import shutil

import pytest

from tests.unit.store.samples import batch
from utxoracle.bitcoin.network import REGTEST
from utxoracle.jobs.checks import database as module
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
def test_a_flipped_bit_in_one_of_both_fails(stored, name):
    path = stored.path / name
    flip(path, path.stat().st_size // 2)
    told = published(stored)
    assert told.status == CheckStatus.ERROR
    assert "run utxoracle restore latest" in told.detail


@pytest.mark.parametrize("name", ["utxoracle_cache.db", "utxoracle_snapshot.db"])
def test_one_of_both_that_was_cut_short_fails(stored, name):
    path = stored.path / name
    os.truncate(path, path.stat().st_size - 4096)
    told = published(stored)
    assert told.status == CheckStatus.ERROR
    assert "run utxoracle restore latest" in told.detail


def test_what_a_killed_run_leaves_is_no_damage(killed):
    flip(killed.database, killed.database.stat().st_size // 2)
    told = published(killed)
    assert told.status == CheckStatus.WARNING
    assert "run utxoracle analyze, which puts it in order" in told.detail


def test_a_lock_of_a_file_on_another_disk_is_no_run(stored, tmp_path, monkeypatch):
    table = tmp_path / "locks"
    monkeypatch.setattr(module, "_LOCKS", table)
    stored.lock.touch()
    status = stored.lock.stat()
    major, minor, inode = os.major(status.st_dev), os.minor(status.st_dev), status.st_ino

    def is_run(device):
        table.write_text(
            f"1: POSIX  ADVISORY  READ  7 {major:02x}:{minor:02x}:{inode} 128 128\n"
            f"2: FLOCK  ADVISORY  WRITE 7 {device}:{inode} 0 EOF\n"
        )
        return "a run is going on" in database(stored).detail

    assert is_run(f"{major:02x}:{minor:02x}")
    assert not is_run(f"{major + 1:02x}:{minor:02x}")
    if major:
        assert not is_run(f"{major:02x}:{minor + 1:02x}")


def test_a_lock_in_a_subvolume_is_a_run(stored, tmp_path, monkeypatch):
    stored.lock.touch()
    table = tmp_path / "locks"
    table.write_text(f"1: FLOCK  ADVISORY  WRITE 7 00:2b:{stored.lock.stat().st_ino} 0 EOF\n")
    monkeypatch.setattr(module, "_LOCKS", table)
    monkeypatch.setattr(module.os, "major", lambda _: 0)
    assert "a run is going on" in database(stored).detail


def test_a_run_that_ends_while_both_are_compared_leaves_that_open(stored, monkeypatch):
    compare = module._first_difference

    def compare_and_commit(*paths):
        differing = compare(*paths)
        commit(stored, 203, 204)
        return differing

    commit(stored, 201, 202)
    monkeypatch.setattr(module, "_first_difference", compare_and_commit)
    told = published(stored)
    assert (told.status, "a run is going on" in told.detail) == (CheckStatus.UNKNOWN, True)


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
