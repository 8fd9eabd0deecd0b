import hashlib
import os
import shutil
import time
from datetime import UTC, datetime

import pytest

from tests.conftest import NOBODY, ordinary_user
from tests.unit.store.samples import batch
from utxoracle.bitcoin.network import REGTEST
from utxoracle.jobs.checks.backups import last_backup
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
    assert found(verify=False)[0] == CheckStatus.OK


def test_one_without_a_checksum_fails(backup, found):
    checksum_file(backup).unlink()
    status, detail = found()
    assert status == CheckStatus.ERROR
    assert "nothing tells whether it is" in detail


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
