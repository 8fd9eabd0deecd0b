"""`utxoracle backups`: what isn't good is found, whatever it is."""

import shutil

import pytest

from tests.unit.jobs.backing import SPOILS, of_day, predecessor
from tests.unit.store.samples import batch
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError
from utxoracle.jobs.backups import backups
from utxoracle.settings import Settings
from utxoracle.store.backups import checked
from utxoracle.store.database import Database


@pytest.fixture
def source(folder):
    """A database that holds some blocks."""
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(1, 300))
    return folder.database


@pytest.fixture
def settings(folder):
    return Settings(data_dir=folder.path)


@pytest.fixture
def found(settings):
    """The folder of the backups."""
    return settings.backup_folder()


def test_all_are_told_newest_first_with_what_is_in_them(source, settings, found):
    made = [of_day(source, found, days) for days in (1, 9, 3)]
    listed = backups(settings)
    assert [one.file.path for one in listed] == [made[0], made[2], made[1]]
    for one in listed:
        assert one.trouble is None
        assert one.facts == checked(one.file.path)
        assert one.size == source.stat().st_size


@pytest.mark.parametrize("spoil", SPOILS)
def test_one_that_is_not_good_is_found_among_others(source, settings, found, spoil):
    made = [of_day(source, found, days) for days in (1, 2, 3)]
    spoil(made[1])
    listed = backups(settings)
    assert [one.trouble is None for one in listed] == [True, False, True]
    assert listed[1].facts is None
    assert str(made[1]) in listed[1].trouble
    assert "\n" not in listed[1].trouble
    assert listed[1].is_of_predecessor == (spoil is predecessor)


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_quick_look_reads_no_backup(source, settings, found, spoil):
    path = of_day(source, found, 1)
    spoil(path)
    (listed,) = backups(settings, quick=True)
    assert listed.facts is None
    is_seen = spoil.__name__ in ("flip_checksum", "forget_checksum", "predecessor")
    # A flipped digit of the checksum is another checksum.
    assert (listed.trouble is not None) == is_seen or spoil.__name__ == "flip_checksum"
    assert listed.is_of_predecessor == (spoil is predecessor)


def test_reading_tells_how_far_it_is(source, settings, found):
    for days in (1, 2):
        of_day(source, found, days)
    told = []
    backups(settings, progress=lambda *place: told.append(place))
    total = 2 * source.stat().st_size
    assert told[-1] == (total, total)
    assert told == sorted(told)


def test_where_nothing_is_there_is_nothing_to_tell(settings, found):
    assert backups(settings) == []
    found.mkdir()
    assert backups(settings) == []


def test_a_data_folder_that_is_gone_is_told(tmp_path):
    with pytest.raises(StorageError, match="gone is not there, nor are backups in it: mount its"):
        backups(Settings(data_dir=tmp_path / "gone"))


def test_a_folder_that_was_named_must_be_there(settings, source, tmp_path):
    elsewhere = Settings(data_dir=settings.data_dir, backup_dir=tmp_path / "mount")
    with pytest.raises(StorageError, match="mount is not there: mount its disk"):
        backups(elsewhere)
    path = of_day(source, tmp_path / "mount", 1)
    assert [one.file.path for one in backups(elsewhere)] == [path]
    shutil.rmtree(tmp_path / "mount")
