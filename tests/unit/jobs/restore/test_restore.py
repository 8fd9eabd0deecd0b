"""`utxoracle restore`: only a good backup, and nothing lost."""

import os
import shutil
import subprocess
import sys

import duckdb
import pytest

from tests.unit.jobs.backing import SPOILS, cut, flip, forget_checksum, of_day, record
from tests.unit.jobs.restore.restoring import (
    NEW,
    OLD,
    assert_restored,
    content,
    leave_a_log,
    refusal,
    restored,
    top_of,
)
from utxoracle.bitcoin.network import MAIN, REGTEST
from utxoracle.errors import StorageError, UsageError
from utxoracle.jobs.backup import backup
from utxoracle.settings import Settings
from utxoracle.store.backup_files import checksum_file
from utxoracle.store.backups import checked
from utxoracle.store.database import create_database
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import file_marks
from utxoracle.store.lock import run_lock
from utxoracle.store.snapshot import Snapshot

HOLD_OPEN = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("PRAGMA disable_checkpoint_on_shutdown")
print("open", flush=True)
sys.stdin.readline()
connection.execute("CREATE TABLE notes (text TEXT)")
"""
"""Commits to a database when it is told to, and leaves that in its log."""


def test_the_database_is_replaced_published_and_kept(data, settings, saved):
    before = data.database.read_bytes()
    done = restored(settings)
    assert (done.path, done.database, done.passed_over) == (saved, data.database, ())
    assert done.facts == checked(saved)
    assert done.kept.name.startswith("utxoracle_cache.db.before-restore-20")
    assert done.kept.read_bytes() == before
    assert data.replaced == [done.kept]
    assert_restored(data, [NEW])


def test_commits_that_are_only_in_the_log_are_kept_and_not_taken_for_the_new_ones(data, settings):
    leave_a_log(data, NEW + 1)
    kept = restored(settings).kept
    assert kept.with_name(f"{kept.name}.wal").exists()
    assert_restored(data, [NEW + 1])


def test_readers_see_another_snapshot_also_when_it_holds_the_same(data, settings):
    same = backup(settings).path
    snapshot = Snapshot(data)
    revision, mark = snapshot.reader().revision, snapshot.mark
    marks = file_marks(data)
    for number in range(1, 3):
        restored(settings, str(same))
        assert snapshot.reader().revision == revision + number
        assert snapshot.mark != mark
        mark = snapshot.mark
        assert all(file_marks(data)[name] != marks[name] for name in marks)
    snapshot.close()


def test_restores_in_one_second_keep_all_that_they_replace(data, settings):
    for number in range(1, 4):
        restored(settings)
        assert len(data.replaced) == number
    assert [top_of(path) for path in data.replaced] == [NEW, OLD, OLD]


@pytest.mark.parametrize("spoil", SPOILS)
def test_what_is_not_good_is_refused_and_the_database_stays(settings, saved, spoil):
    spoil(saved)
    assert str(saved) in refusal(settings, str(saved))
    assert "is good" in refusal(settings)


@pytest.mark.parametrize("spoil", [flip, forget_checksum])
def test_the_newest_good_one_is_taken_and_what_was_passed_over_is_told(
    data, settings, saved, spoil
):
    newer = of_day(data.snapshot, saved.parent, 1)
    spoil(newer)
    done = restored(settings)
    assert done.path == saved
    assert len(done.passed_over) == 1
    assert str(newer) in done.passed_over[0]
    assert_restored(data, [NEW])


def test_one_of_another_network_is_passed_over(tmp_path, data, settings, saved):
    other = DataFolder(tmp_path / "main")
    create_database(other, MAIN)
    newer = of_day(other.snapshot, saved.parent, 1)
    done = restored(settings)
    assert done.path == saved
    assert f"{newer} holds the network 'main', not 'regtest'" in done.passed_over[0]
    assert_restored(data, [NEW])


def test_those_dated_ahead_are_the_last_to_be_taken(data, settings, saved):
    ahead = of_day(data.snapshot, saved.parent, -3)
    done = restored(settings, dry_run=True)
    assert done.path == saved
    (line,) = done.passed_over
    assert line.startswith(f"{ahead.name} is dated ")
    assert "from now: the clock was wrong when it was made" in line
    cut(saved)
    done = restored(settings, dry_run=True)
    assert (done.path, len(done.passed_over)) == (ahead, 1)
    assert str(saved) in done.passed_over[0]


def test_a_backup_that_is_changed_between_checking_and_copying_is_refused(
    settings, saved, monkeypatch
):
    import utxoracle.jobs.restore as job

    def check(path, **options):
        facts = checked(path, **options)
        flip(path)
        return facts

    monkeypatch.setattr(job, "checked", check)
    with pytest.raises(StorageError, match="is not as it was made"):
        restored(settings)
    assert top_of(DataFolder(settings.data_dir).database) == NEW


def test_the_newest_good_one_of_a_day_can_be_asked_for(data, settings, saved):
    day = saved.stem.removeprefix("utxoracle_cache_")
    later = record(shutil.copy(data.snapshot, saved.with_name(f"{saved.stem}_120000.db")))
    of_day(data.snapshot, saved.parent, 1)
    assert restored(settings, day, dry_run=True).path == later
    cut(later)
    done = restored(settings, day)
    assert (done.path, len(done.passed_over)) == (saved, 1)
    assert "there is no backup of 2020-01-01 in" in refusal(settings, "2020-01-01")


def test_a_file_is_found_by_path_or_in_the_folder_of_the_backups(settings, saved, tmp_path):
    assert restored(settings, saved.name, dry_run=True).path == saved
    moved = tmp_path / saved.name
    for path in (saved, checksum_file(saved)):
        path.rename(tmp_path / path.name)
    assert "is not there" in refusal(settings, saved.name)
    assert "there is no backup in" in refusal(settings)
    assert restored(settings, str(moved)).path == moved


@pytest.mark.parametrize("which", ["yesterday", "2026-13-45", "20261123", "2026-W48-1"])
def test_what_is_no_file_nor_day_is_wrong_usage(settings, which):
    with pytest.raises(UsageError, match=f"^'{which}' is no file, day "):
        restored(settings, which)


def test_one_without_a_checksum_is_taken_only_where_that_is_asked_for(data, settings, saved):
    forget_checksum(saved)
    assert "--without-checksum" in refusal(settings, str(saved))
    restored(settings, str(saved), without_checksum=True)
    assert_restored(data, [NEW])


@pytest.mark.parametrize("has_log", [False, True])
def test_what_a_restore_replaced_can_be_restored_with_its_log(data, settings, log, has_log):
    if has_log:
        shutil.copy(log, data.wal)
    kept = restored(settings).kept
    assert kept.with_name(f"{kept.name}.wal").exists() == has_log
    done = restored(settings, str(kept), without_checksum=True)
    newest = NEW + has_log
    assert done.facts.counts.last_height == newest
    assert [top_of(path) for path in data.replaced] == [newest, OLD]
    assert top_of(data.database) == top_of(data.snapshot) == newest
    assert data.snapshot.read_bytes() == data.database.read_bytes()
    assert not data.wal.exists()
    assert not list(data.path.glob(".*"))


def test_a_log_beside_a_backup_that_has_a_checksum_is_refused_whatever_its_name(
    settings, saved, tmp_path
):
    named = record(shutil.copy(saved, tmp_path / "utxoracle_cache.db.before-restore-20251123.db"))
    named.with_name(f"{named.name}.wal").touch()
    assert "somebody wrote to it" in refusal(settings, str(named))


def test_a_database_that_another_program_has_open_stays(data, settings):
    """Its next commit would make a log beside the restored one."""
    command = [sys.executable, "-c", HOLD_OPEN, str(data.database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"open\n"
        assert f"{data.database} is in use by another program: close it" in refusal(settings)
        holder.communicate(b"go on\n")
        assert holder.returncode == 0
    assert data.wal.exists()
    restored(settings)
    assert_restored(data, [NEW])


def test_no_other_program_can_open_the_database_until_it_is_replaced(data, appliance):
    with (
        appliance.halted("os.rename utxoracle_cache.db", "restore", "latest") as pid,
        pytest.raises(duckdb.IOException, match=f"lock.*{pid}"),
    ):
        duckdb.connect(str(data.database))


def test_a_dry_run_changes_nothing_and_needs_no_lock(data, settings, saved):
    before = content(data)
    with run_lock(data):
        done = restored(settings, dry_run=True)
    assert (done.path, done.kept, done.dry_run) == (saved, None, True)
    assert content(data) == before


def test_it_refuses_while_a_run_is_going_on(data, settings):
    with run_lock(data):
        assert f"another run is going on (pid {os.getpid()}, since" in refusal(settings)


def test_a_backup_of_another_network_is_refused(settings):
    message = refusal(settings, network=MAIN)
    assert "holds the network 'regtest', not 'main'" in message


def test_a_folder_that_was_named_must_be_there(settings, tmp_path):
    elsewhere = Settings(data_dir=settings.data_dir, backup_dir=tmp_path / "mount")
    assert "mount is not there: mount its disk" in refusal(elsewhere)


def test_a_data_folder_is_not_made_while_its_disk_is_not_mounted(settings, saved, tmp_path):
    fresh = Settings(data_dir=tmp_path / "disk" / "data", mount_point=str(tmp_path / "disk"))
    for which in str(saved), "latest":
        with pytest.raises(StorageError, match="disk is not mounted: mount it"):
            restored(fresh, which)
    assert not (tmp_path / "disk").exists()


def test_backups_are_not_missed_in_a_data_folder_that_is_gone(tmp_path):
    message = refusal(Settings(data_dir=tmp_path / "mnt" / "data"))
    assert "mnt/data is not there, nor are backups in it: mount its disk, or name" in message


@pytest.mark.parametrize("is_initialised", [False, True])
def test_a_fresh_folder_is_filled(saved, tmp_path, is_initialised):
    fresh = DataFolder(tmp_path / "new" / "machine")
    if is_initialised:
        create_database(fresh, REGTEST)
    done = restored(Settings(data_dir=fresh.path), str(saved))
    assert (done.kept is not None) == is_initialised
    assert fresh.path.stat().st_mode & 0o777 == 0o750
    assert fresh.database.stat().st_mode & 0o777 == 0o640
    assert fresh.scans.is_dir()
    assert top_of(fresh.snapshot) == OLD
