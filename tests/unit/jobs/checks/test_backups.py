import hashlib
import os
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import NOBODY, ordinary_user
from tests.unit.store.samples import batch
from utxoracle.bitcoin.network import REGTEST
from utxoracle.jobs.checks.backups import kept_backups, last_backup, last_dump
from utxoracle.jobs.health import CheckStatus
from utxoracle.settings import Settings
from utxoracle.store.backup_files import checksum_file
from utxoracle.store.database import Database
from utxoracle.store.snapshot import publish

HOUR = 3600


@pytest.fixture
def backup(folder):
    """A good backup that was made a moment ago, in the usual folder."""
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(1, 200))
    publish(folder)
    path = folder.path / "backups" / f"utxoracle_cache_{datetime.now(UTC):%Y-%m-%d_%H%M%S}.db"
    path.parent.mkdir()
    shutil.copy(folder.snapshot, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    checksum_file(path).write_text(f"{digest}  {path.name}\n")
    return path


@pytest.fixture
def found(folder):
    def look(hours=0.0, *, verify=True, **settings):
        told = last_backup(
            Settings(data_dir=folder.path, **settings), time.time() + hours * HOUR, verify=verify
        )
        return told.status, told.detail

    return look


def test_a_young_backup_that_is_good_is_well(backup, found):
    assert found() == (CheckStatus.OK, f"{backup.name} is 0 min old and good")
    assert found(verify=False) == (CheckStatus.OK, f"{backup.name} is 0 min old")


def test_none_at_all_deserves_a_look(found):
    status, detail = found()
    assert status == CheckStatus.WARNING
    assert "there is no backup in" in detail
    assert "run utxoracle backup" in detail


def test_another_folder_that_is_not_there_fails(tmp_path, found):
    status, detail = found(backup_dir=tmp_path / "usb")
    assert status == CheckStatus.ERROR
    assert detail.startswith(f"the folder of backups {tmp_path / 'usb'} is not there: mount its")


def test_one_that_is_too_old_is_overdue(backup, found):
    assert found(29)[0] == CheckStatus.OK
    status, detail = found(31)
    assert status == CheckStatus.ERROR
    assert detail.startswith(f"a backup is overdue: {backup.name} is 31 h old; run utxoracle back")
    assert found(31, backup_hours=32)[0] == CheckStatus.OK


def test_a_damaged_one_fails_where_it_is_read(backup, found):
    damaged = bytearray(backup.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    backup.write_bytes(damaged)
    status, detail = found()
    assert status == CheckStatus.ERROR
    assert detail.startswith("the newest backup is not good: ")
    assert detail.endswith(" run utxoracle backup, and look at that disk")
    assert found(verify=False)[0] == CheckStatus.OK


def test_one_that_is_dated_ahead_fails(backup, found):
    assert found(-23)[0] == CheckStatus.OK
    status, detail = found(-26, verify=False)
    assert status == CheckStatus.ERROR
    assert detail.startswith(f"{backup.name} is dated 26 h from now: the clock was wrong when it")


def test_a_link_to_a_folder_that_is_not_there_fails(folder, tmp_path, found):
    (folder.path / "backups").symlink_to(tmp_path / "usb")
    status, detail = found()
    assert status == CheckStatus.ERROR
    assert "is not there: mount its disk" in detail


def test_one_without_a_checksum_fails(backup, found):
    checksum_file(backup).unlink()
    status, detail = found()
    assert status == CheckStatus.ERROR
    assert "nothing tells whether it is" in detail


def test_without_the_data_folder_nobody_is_sent_to_back_up(tmp_path):
    told = last_backup(Settings(data_dir=tmp_path / "data"), time.time())
    assert told.status == CheckStatus.UNKNOWN
    assert told.detail == f"not known, since {tmp_path / 'data'} is not there"


def test_a_good_one_on_the_disk_of_the_data_deserves_a_look(folder, backup):
    told = kept_backups(Settings(data_dir=folder.path), time.time())
    assert told.status == CheckStatus.WARNING
    assert f"{backup.name} is 0 min old and good; {backup.parent} is on the disk" in told.detail
    assert "UTXORACLE_BACKUP_DIR" in told.detail


def test_another_disk_is_well_and_the_newest_dump_is_told(backup):
    # The data folder is only looked at, and /proc is always a file system of its own.
    settings = Settings(data_dir=Path("/proc"), backup_dir=backup.parent)
    now = time.time()
    found = kept_backups(settings, now)
    assert (found.status, found.detail) == (CheckStatus.OK, f"{backup.name} is 0 min old and good")
    moment = datetime.fromtimestamp(now - 5 * HOUR, UTC)
    (backup.parent / f"mempool_db_{moment:%Y-%m-%d_%H%M%S}.sql.gz").touch()
    assert kept_backups(settings, now).detail.endswith(" is 5 h old")
    overdue = kept_backups(replace(settings, backup_hours=4), now)
    assert overdue.status == CheckStatus.WARNING
    assert "0 min old and good; a dump of MariaDB is overdue: " in overdue.detail


def test_dumps_are_looked_at_where_there_are_any(tmp_path):
    settings = Settings(data_dir=tmp_path, backup_dir=tmp_path / "kept")
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC).timestamp()

    def found(hours, **others):
        told = last_dump(replace(settings, **others), noon + hours * HOUR)
        return told and (told.status, told.detail)

    assert found(0) is None
    settings.backup_dir.mkdir()
    (settings.backup_dir / "utxoracle_cache_2026-01-01.db").touch()
    assert found(0) is None
    for day in ("2025-12-24_120000", "2026-01-02_120000"):
        (settings.backup_dir / f"mempool_db_{day}.sql.gz").touch()
    newest = "mempool_db_2026-01-02_120000.sql.gz"
    assert found(29) == (CheckStatus.OK, f"{newest} is 29 h old")
    assert found(31) == (
        CheckStatus.WARNING,
        f"a dump of MariaDB is overdue: {newest} is 31 h old; run utxoracle backup-mempool-db as "
        "root, and see journalctl -u utxoracle-backup-mempool, or move the dumps away",
    )
    assert found(31, backup_hours=32.0)[0] == CheckStatus.OK
    status, detail = found(-26)
    assert status == CheckStatus.WARNING
    assert detail.startswith(f"{newest} is dated 26 h from now")


def test_dumps_whose_folder_can_not_be_read_are_not_known(tmp_path):
    (tmp_path / "kept").touch()
    told = last_dump(Settings(data_dir=tmp_path, backup_dir=tmp_path / "kept"), 0.0)
    assert told.status == CheckStatus.UNKNOWN
    assert "can't be read" in told.detail


def test_one_that_is_not_good_is_told_as_such(backup, folder):
    checksum_file(backup).unlink()
    assert kept_backups(Settings(data_dir=folder.path), time.time()).status == CheckStatus.ERROR


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("closed", ["folder", "file"])
def test_one_that_may_not_be_read_is_not_known(open_folder, backup, closed):
    folder = shutil.copytree(backup.parent, open_folder / "backups")
    folder.chmod(0o755)
    (folder if closed == "folder" else folder / backup.name).chmod(0)
    with ordinary_user():
        assert os.geteuid() == NOBODY
        told = last_backup(Settings(data_dir=open_folder), time.time())
    assert told.status == CheckStatus.UNKNOWN
    assert "Permission denied" in told.detail
