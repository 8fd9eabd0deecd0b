"""`utxoracle restore`: only a good backup, nothing lost, and put in order after any crash."""

import json
import os
import shutil
import subprocess
import sys
from signal import SIGKILL

import duckdb
import pytest

from tests.appliance import Appliance, one_line
from tests.conftest import NOBODY
from tests.unit.jobs.backing import SPOILS, cut, flip, forget_checksum, of_day, record
from tests.unit.store.samples import batch, block_row
from utxoracle.bitcoin.network import MAIN, REGTEST
from utxoracle.errors import StorageError, UsageError
from utxoracle.jobs.backup import backup
from utxoracle.jobs.restore import restore
from utxoracle.settings import Settings
from utxoracle.store.backup_files import checksum_file
from utxoracle.store.backups import checked
from utxoracle.store.connection import Connection
from utxoracle.store.database import Database, create_database, published_database
from utxoracle.store.folder import SPARE_SPACE, DataFolder
from utxoracle.store.last_run import file_marks
from utxoracle.store.lock import run_lock
from utxoracle.store.snapshot import Snapshot, is_published, publish, published_revision

OLD, NEW = 300, 310
"""Newest blocks of the backup and of the database."""

LEAVE_A_LOG = """
import os, pathlib, sys
from tests.unit.store.samples import batch
from utxoracle.bitcoin.network import REGTEST
from utxoracle.store.database import Database
from utxoracle.store.folder import DataFolder
database = Database.open(DataFolder(pathlib.Path(sys.argv[1])), REGTEST)
database.commit(batch(int(sys.argv[2]), int(sys.argv[2])))
os._exit(0)
"""

HOLD_OPEN = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("PRAGMA disable_checkpoint_on_shutdown")
print("open", flush=True)
sys.stdin.readline()
connection.execute("CREATE TABLE notes (text TEXT)")
"""
"""Commits to a database when it is told to, and leaves that in its log."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user, or mount")


@pytest.fixture(scope="module")
def template(empty_store, tmp_path_factory):
    """A data folder up to NEW with a backup up to OLD, to be copied."""
    folder = DataFolder(shutil.copytree(empty_store, tmp_path_factory.mktemp("made") / "data"))
    store(folder, 1, OLD)
    of_day(folder.snapshot, folder.path / "backups", 2)
    store(folder, OLD + 1, NEW)
    return folder.path


@pytest.fixture
def data(template, tmp_path):
    return DataFolder(shutil.copytree(template, tmp_path / "data"))


@pytest.fixture(scope="module")
def log(template, tmp_path_factory):
    """The log that a killed run leaves which has stored one more block there."""
    folder = DataFolder(shutil.copytree(template, tmp_path_factory.mktemp("logged") / "data"))
    leave_a_log(folder, NEW + 1)
    return folder.wal


@pytest.fixture
def settings(data):
    return Settings(data_dir=data.path)


@pytest.fixture
def saved(data):
    """The backup."""
    return next((data.path / "backups").glob("*.db"))


@pytest.fixture
def appliance(data):
    """The commands on that data folder, each in a process of its own."""
    return Appliance(data.path, "")


def store(folder, first, last):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(first, last))
    publish(folder)


def leave_a_log(folder, height):
    """Commit a block, and die before the log is folded in."""
    command = [sys.executable, "-c", LEAVE_A_LOG, str(folder.path), str(height)]
    subprocess.run(command, check=True)
    assert folder.wal.exists()


def top_of(path):
    """Return the newest block that the program itself finds in a file, with its log."""
    connection = Connection.open_read_only(path, lambda: "")
    try:
        return connection.query("SELECT max(height) FROM blocks")[0][0]
    finally:
        connection.close()


def content(folder):
    return {
        path.relative_to(folder.path): path.read_bytes()
        for path in folder.path.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def restored(settings, which="latest", **options):
    return restore(settings, which, network=REGTEST, **options)


def refusal(settings, which="latest", network=REGTEST, **options):
    before = content(DataFolder(settings.data_dir))
    with pytest.raises(StorageError) as caught:
        restore(settings, which, network=network, **options)
    assert content(DataFolder(settings.data_dir)) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_restored(folder, kept):
    """Check that database and snapshot are of the backup, and what was there before is kept."""
    assert top_of(folder.database) == top_of(folder.snapshot) == OLD
    assert folder.snapshot.read_bytes() == folder.database.read_bytes()
    assert not folder.wal.exists()
    assert [top_of(path) for path in folder.replaced] == kept
    assert not list(folder.path.glob(".*"))
    # What comes next can go on.
    with published_database(folder, REGTEST) as database:
        database.commit(batch(OLD + 1, OLD + 2))
    assert top_of(folder.snapshot) == OLD + 2


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
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
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
    finally:
        subprocess.run(["umount", str(disk)], check=True)


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
