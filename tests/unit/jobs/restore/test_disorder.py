"""`utxoracle restore` where things are damaged, killed, full or another user's."""

import json
import os
import shutil
from signal import SIGKILL

import duckdb
import pytest

from tests.appliance import Appliance, one_line
from tests.conftest import NOBODY, small_disk
from tests.unit.jobs.backing import record
from tests.unit.jobs.restore.restoring import (
    NEW,
    OLD,
    as_root,
    assert_restored,
    leave_a_log,
    refusal,
    restored,
    top_of,
)
from tests.unit.store.samples import block_row
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError
from utxoracle.jobs.backup import backup
from utxoracle.settings import Settings
from utxoracle.store.database import Database, create_database, published_database
from utxoracle.store.folder import SPARE_SPACE, DataFolder
from utxoracle.store.snapshot import Snapshot, is_published, published_revision


def junk(data):
    data.database.write_bytes(b"junk")


def missing(data):
    data.database.unlink()


def folder_in_its_place(data):
    missing(data)
    data.database.mkdir()


def of_a_newer_schema(data):
    with duckdb.connect(str(data.database)) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (999, 'later', now())")


def without_snapshot(data):
    data.snapshot.unlink()


def junk_snapshot(data):
    data.snapshot.write_bytes(b"junk")


def nothing(data):
    missing(data)
    without_snapshot(data)


@pytest.mark.parametrize(
    "spoil",
    [
        junk,
        missing,
        folder_in_its_place,
        of_a_newer_schema,
        without_snapshot,
        junk_snapshot,
        nothing,
    ],
)
def test_it_works_whatever_became_of_the_database(data, settings, spoil):
    spoil(data)
    was_there = data.database.exists()
    kept = restored(settings).kept
    assert (kept is not None) == was_there
    assert top_of(data.snapshot) == OLD
    assert is_published(data, published_revision(data))
    assert Snapshot(data).reader().top() == block_row(OLD)


def test_a_log_of_a_database_that_is_gone_is_kept(data, settings):
    leave_a_log(data, NEW + 1)
    log = data.wal.read_bytes()
    data.database.unlink()
    kept = restored(settings).kept
    assert kept.with_name(f"{kept.name}.wal").read_bytes() == log
    assert top_of(data.database) == OLD
    assert not data.wal.exists()


def test_a_log_is_not_put_beside_a_database_that_was_replaced_before_it_was_written(data, settings):
    kept = restored(settings).kept
    os.utime(kept)
    leave_a_log(data, OLD + 1)
    os.utime(data.wal, (data.wal.stat().st_mtime + 5,) * 2)
    data.database.unlink()
    restored(settings)
    assert not kept.with_name(f"{kept.name}.wal").exists()
    assert len(list(data.path.glob("*.wal"))) == 1


def test_a_backup_of_an_older_schema_is_brought_up(data, settings, saved):
    with duckdb.connect(str(saved)) as connection:
        connection.execute("DROP TABLE predecessor_prices")
        connection.execute("DELETE FROM schema_migrations WHERE version = 2")
    record(saved)
    assert restored(settings).facts.schema_version == 1
    assert Snapshot(data).reader().schema_version == 2


CRASHES = {
    "open .utxoracle_cache.db.new": NEW,
    "os.rename utxoracle_cache.db": NEW,
    "os.rename utxoracle_cache.db.wal": None,
    "os.rename .utxoracle_cache.db.new": None,
    "open .utxoracle_snapshot.db.new": OLD,
    "os.rename utxoracle_snapshot.db": OLD,
}
"""Steps of a restore, and the newest block of the database where it is killed before each."""


@pytest.mark.parametrize(
    ("moment", "has_log"),
    [(moment, False) for moment in CRASHES if not moment.endswith("wal")]
    + [(moment, True) for moment in CRASHES],
)
def test_a_restore_that_is_killed_loses_nothing_and_can_be_made_again(
    data, appliance, log, moment, has_log
):
    if has_log:
        shutil.copy(log, data.wal)
    newest = NEW + has_log
    crashed = appliance.run_disturbed("kill", moment, "restore", "latest")
    assert crashed.returncode == -SIGKILL, crashed.stderr
    if CRASHES[moment] == NEW:
        assert top_of(data.database) == newest
    elif CRASHES[moment] == OLD:
        assert top_of(data.database) == OLD
        assert not data.wal.exists()
    else:
        assert not data.database.exists()
        for use in (Database.open, create_database):
            with pytest.raises(StorageError, match="was kept by a restore: run that again"):
                use(data, REGTEST)
    restored(Settings(data_dir=data.path))
    kept = [top_of(path) for path in data.replaced]
    assert kept == ([newest, OLD] if CRASHES[moment] == OLD else [newest])
    assert_restored(data, kept)


def test_the_next_run_publishes_what_a_killed_restore_did_not(data, appliance, settings):
    same = backup(settings).path
    moment = "open .utxoracle_snapshot.db.new"
    crashed = appliance.run_disturbed("kill", moment, "restore", str(same))
    assert crashed.returncode == -SIGKILL
    before = data.snapshot.stat().st_ino
    # The same rows, the same length, and yet another database.
    with published_database(data, REGTEST):
        pass
    assert data.snapshot.stat().st_ino != before
    assert data.snapshot.read_bytes() == data.database.read_bytes()


def test_a_disk_that_fills_up_is_one_line_and_the_database_stays(data, saved, tmp_path):
    with small_disk(tmp_path / "disk", "100m") as disk:
        cramped = Appliance(shutil.copytree(data.path, disk / "data"), "")
        folder = DataFolder(cramped.folder)
        command = ("restore", "latest")
        line = one_line(cramped.run_disturbed("fill", "open .utxoracle_cache.db.new", *command), 5)
        assert "No space left on device" in line
        assert top_of(folder.database) == top_of(folder.snapshot) == NEW
        (cramped.folder / "filler").unlink()
        # There is room for the database, but not for the snapshot as well.
        room = SPARE_SPACE + saved.stat().st_size * 3 // 2
        (cramped.folder / "filler").write_bytes(bytes(shutil.disk_usage(disk).free - room))
        assert "are needed: make room" in cramped.refused(5, *command)
        (cramped.folder / "filler").unlink()
        assert cramped.run(*command).returncode == 0
        assert_restored(folder, [NEW])


@as_root
def test_root_is_kept_from_locking_the_service_out(data, settings):
    os.chown(data.path, NOBODY, NOBODY)
    assert "belongs to user" in refusal(settings)


def test_another_restore_at_the_same_time_is_refused(data, appliance):
    with appliance.halted("open .utxoracle_cache.db.new", "restore", "latest") as pid:
        line = appliance.refused(5, "restore", "latest")
        assert f"another run is going on (pid {pid}, since" in line
    assert json.loads(appliance.run("restore", "latest", "--json").stdout)["last_height"] == OLD
    assert_restored(data, [NEW])
