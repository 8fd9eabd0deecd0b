"""`utxoracle init-db` begins a new database, but not unasked beside backups of one."""

import pytest

from tests.appliance import Appliance
from tests.unit.jobs.backing import flip, forget_checksum, of_day, predecessor
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError
from utxoracle.jobs.init_db import init_db
from utxoracle.jobs.restore import LATEST, restore
from utxoracle.settings import Settings
from utxoracle.store.folder import DataFolder


@pytest.fixture
def backups(folder, tmp_path):
    """The folder of the backups, with one of two days ago and one of yesterday."""
    for days_ago in 2, 1:
        of_day(folder.snapshot, tmp_path / "usb", days_ago)
    return tmp_path / "usb"


@pytest.fixture
def settings(backups, tmp_path):
    """Those of a machine whose data folder, on a new disk, is empty."""
    (tmp_path / "new").mkdir()
    return Settings(data_dir=tmp_path / "new", backup_dir=backups)


@pytest.fixture
def new(settings):
    return DataFolder(settings.data_folder())


def refusal(settings):
    with pytest.raises(StorageError) as caught:
        init_db(settings, REGTEST)
    return str(caught.value)


def test_nothing_is_begun_beside_backups(settings, new, backups):
    newest = max(path.name for path in backups.glob("*.db"))
    assert refusal(settings) == (
        f"{new.path} holds no database, but {backups} holds backups of one, up to {newest}: run "
        "utxoracle restore latest, or utxoracle init-db --anew to begin a new one beside them"
    )
    assert [path.name for path in new.path.iterdir()] == ["lock"]


def test_the_latest_backup_is_restored_into_the_empty_folder(settings, new):
    refusal(settings)
    assert restore(settings, LATEST, network=REGTEST).kept is None
    assert new.snapshot.is_file()
    assert init_db(settings, REGTEST) == (new, False)


def test_it_is_begun_beside_backups_where_that_is_wanted(settings, new, backups):
    before = sorted(backups.iterdir())
    assert init_db(settings, REGTEST, anew=True) == (new, True)
    assert init_db(settings, REGTEST) == (new, False)
    assert sorted(backups.iterdir()) == before


def test_backups_in_the_data_folder_count_too(folder):
    settings = Settings(data_dir=folder.path)
    of_day(folder.snapshot, settings.backup_folder(), 1)
    folder.database.unlink()
    folder.snapshot.unlink()
    assert f"but {folder.path}/backups holds backups of one" in refusal(settings)


def test_damaged_backups_count_too_as_they_are_not_read(settings, backups):
    for path in backups.glob("*.db"):
        flip(path)
    assert "init-db --anew" in refusal(settings)


@pytest.mark.parametrize("spoil", [forget_checksum, predecessor])
def test_backups_that_never_go_are_no_obstacle(settings, new, backups, spoil):
    for path in backups.glob("*.db"):
        spoil(path)
    assert init_db(settings, REGTEST) == (new, True)


@pytest.mark.parametrize("named", [None, "empty", "missing"])
def test_without_backups_it_is_begun(tmp_path, named):
    (tmp_path / "empty").mkdir()
    settings = Settings(data_dir=tmp_path / "new", backup_dir=named and tmp_path / named)
    assert init_db(settings, REGTEST) == (DataFolder(tmp_path / "new"), True)


def test_a_database_or_a_copy_of_it_says_more_than_backups(folder, backups):
    settings = Settings(data_dir=folder.path, backup_dir=backups)
    assert init_db(settings, REGTEST) == (folder, False)
    folder.database.unlink()
    assert f"cp {folder.snapshot} {folder.database} to go on from it" in refusal(settings)


def test_backups_are_not_looked_at_where_there_is_a_database(folder, tmp_path):
    (tmp_path / "file").touch()
    assert init_db(Settings(data_dir=folder.path, backup_dir=tmp_path / "file"), REGTEST)


def test_a_folder_of_backups_that_cannot_be_looked_at_is_told(tmp_path):
    (tmp_path / "file").touch()
    settings = Settings(data_dir=tmp_path / "new", backup_dir=tmp_path / "file")
    assert f"{tmp_path}/file can't be read: Not a directory" in refusal(settings)


def test_the_commands_refuse_and_obey(settings, new, backups):
    appliance = Appliance(new.path, "")
    for command in (["init-db"], ["analyze", "--init-db"]):
        line = appliance.refused(5, *command, UTXORACLE_BACKUP_DIR=str(backups))
        assert "run utxoracle restore latest, or utxoracle init-db --anew" in line
    done = appliance.run("init-db", "--anew", UTXORACLE_BACKUP_DIR=str(backups))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"made {new.database} for the regtest network\n"
