"""`utxoracle backup`: what stands under the name of a backup is whole, or it isn't there."""

import os
import re
import shutil
from datetime import UTC, datetime
from hashlib import sha256

import duckdb
import pytest

from tests.appliance import Appliance, one_line
from tests.conftest import NOBODY, small_disk
from tests.unit.jobs.backing import flip, flip_checksum, forget_checksum, of_day
from tests.unit.store.samples import batch
from utxoracle.bitcoin.network import MAIN, REGTEST
from utxoracle.errors import StorageError
from utxoracle.jobs.backup import backup
from utxoracle.jobs.backups import backups as listed_backups
from utxoracle.settings import Settings
from utxoracle.store.backup_files import checksum_file
from utxoracle.store.backups import backups_in, checked
from utxoracle.store.database import Database, create_database
from utxoracle.store.folder import DataFolder
from utxoracle.store.lock import run_lock
from utxoracle.store.snapshot import publish

LAST = 300

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user, or mount")


@pytest.fixture(scope="module")
def template(empty_store, tmp_path_factory):
    """A data folder whose snapshot holds some blocks, to be copied."""
    folder = DataFolder(shutil.copytree(empty_store, tmp_path_factory.mktemp("made") / "data"))
    store(folder, 1, LAST)
    return folder.path


@pytest.fixture
def data(template, tmp_path):
    return DataFolder(shutil.copytree(template, tmp_path / "data"))


@pytest.fixture
def settings(data):
    return Settings(data_dir=data.path)


@pytest.fixture
def backups(data):
    """The default folder of backups, which need not be there."""
    return data.path / "backups"


@pytest.fixture
def appliance(data):
    """The commands on that data folder, each in a process of its own."""
    return Appliance(data.path, "")


@pytest.fixture
def cramped(data, tmp_path):
    """A folder for backups that is a disk of its own, of 80 MB."""
    with small_disk(tmp_path / "disk", "80m") as disk:
        yield disk


def store(folder, first, last):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(first, last))
    publish(folder)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def today():
    return f"{datetime.now(UTC):%Y-%m-%d}"


def refusal(settings):
    with pytest.raises(StorageError) as caught:
        backup(settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_backup_is_the_published_database_with_its_checksum(data, settings, backups):
    days = {today()}
    made = backup(settings)
    assert made.path in {backups / f"utxoracle_cache_{day}.db" for day in days | {today()}}
    assert made.path.read_bytes() == data.snapshot.read_bytes()
    digest = sha256(data.snapshot.read_bytes()).hexdigest()
    assert checksum_file(made.path).read_text() == f"{digest}  {made.path.name}\n"
    assert names(backups) == [".lock", made.path.name, checksum_file(made.path).name]
    assert checked(made.path) == made.facts
    assert made.facts.counts.last_height == LAST
    assert made.removed == ()
    assert made.seconds > 0


def test_what_is_not_published_is_not_in_a_backup(data, settings):
    with Database.open(data, REGTEST) as database:
        database.commit(batch(LAST + 1, LAST + 1))
    assert backup(settings).facts.counts.last_height == LAST
    publish(data)
    assert backup(settings).facts.counts.last_height == LAST + 1


def test_only_the_group_may_read_a_backup(settings, backups):
    old = os.umask(0)
    try:
        path = backup(settings).path
    finally:
        os.umask(old)
    assert backups.stat().st_mode & 0o777 == 0o750
    assert path.stat().st_mode & 0o777 == 0o640
    assert checksum_file(path).stat().st_mode & 0o777 == 0o640


def test_a_second_one_of_a_day_has_the_time_also_when_nothing_is_new(settings, backups):
    made = [backup(settings) for _ in range(3)]
    found = backups_in(backups)
    assert [backup.path for backup in found] == [one.path for one in reversed(made)]
    assert made[0].facts == made[1].facts
    days = [re.fullmatch(r"utxoracle_cache_([\d-]+)(?:_\d{6})?", one.path.stem) for one in made]
    # There are two of them at midnight.
    without_time = [day for day in days if day[0] == f"utxoracle_cache_{day[1]}"]
    assert len(without_time) == len({day[1] for day in days})


def test_the_name_of_a_days_first_that_was_removed_is_not_used_again(settings, backups):
    first, second = (backup(settings).path for _ in range(2))
    for path in (first, checksum_file(first)):
        path.unlink()
    newest = backup(settings).path
    assert [one.path for one in backups_in(backups)] == [newest, second]


def test_a_folder_that_is_a_link_to_a_disk_that_is_not_mounted_is_told(settings, backups, tmp_path):
    backups.symlink_to(tmp_path / "usb" / "utxoracle")
    told = f"{backups} leads to {tmp_path}/usb/utxoracle, which is not there: mount its disk"
    assert refusal(settings) == told
    with pytest.raises(StorageError, match=f"^{told}$"):
        listed_backups(settings)
    (tmp_path / "usb" / "utxoracle").mkdir(parents=True)
    assert backup(settings).path.exists()


def test_without_data_it_says_how_to_get_them_back(settings, data):
    data.snapshot.unlink()
    assert "run utxoracle analyze, which publishes it" in refusal(settings)
    shutil.rmtree(data.path)
    told = f"{data.snapshot} is not there: mount its disk, run utxoracle restore latest, or"
    assert told in refusal(settings)


def test_another_folder_is_never_made(settings, tmp_path, data):
    elsewhere = tmp_path / "mount" / "utxoracle"
    there = Settings(data_dir=data.path, backup_dir=elsewhere)
    assert f"{elsewhere} is not there: mount its disk, or make it: mkdir" in refusal(there)
    assert not elsewhere.parent.exists()
    elsewhere.mkdir(parents=True)
    assert backup(there).path.parent == elsewhere
    assert not (data.path / "backups").exists()


def test_a_file_in_the_place_of_the_folder_is_told(settings, backups):
    backups.touch()
    assert "can't make the folder" in refusal(settings)
    there = Settings(data_dir=settings.data_dir, backup_dir=backups)
    assert "is not a folder; choose another name" in refusal(there)


def test_without_a_snapshot_there_is_nothing_to_back_up(data, settings, backups):
    data.snapshot.unlink()
    assert "run utxoracle analyze, which publishes it" in refusal(settings)
    assert not backups.exists()


def wipe(path):
    content = bytearray(path.read_bytes())
    # Somewhere in a page that is in use.
    content[12_288 + 5 * 262_144 : 12_288 + 6 * 262_144] = bytes(262_144)
    path.write_bytes(content)


def tear(path):
    with duckdb.connect(str(path)) as connection:
        connection.execute("DELETE FROM blocks WHERE height = 100")


@pytest.mark.parametrize("spoil", [wipe, tear, lambda path: os.truncate(path, 0)])
def test_a_snapshot_that_is_not_good_is_not_backed_up(data, settings, backups, spoil):
    backup(settings)
    before = names(backups)
    spoil(data.snapshot)
    message = refusal(settings)
    assert str(data.snapshot) in message
    assert "move it away and run utxoracle analyze, which publishes it anew; if that one" in message
    # What is published anew is a copy of a database that may be torn itself.
    assert message.endswith("run utxoracle restore latest")
    assert names(backups) == before


def test_the_lock_of_a_run_is_not_needed(data, settings):
    with run_lock(data):
        backup(settings)


def test_a_second_backup_at_the_same_time_is_told_who_makes_one(appliance, backups):
    with appliance.halted("open .utxoracle_cache_*.db.new", "backup") as pid:
        line = appliance.refused(5, "backup")
        assert f"another backup is being made in {backups} (pid {pid}, since 20" in line
        assert "wait for it" in line
        assert backups_in(backups) == []
    assert appliance.run("backup").returncode == 0


@pytest.mark.parametrize(
    ("crash", "is_made"),
    [
        (("kill", "open .utxoracle_cache_*.db.new"), False),
        (("kill_within", "open .utxoracle_cache_*.db.new"), False),
        (("kill", "open .utxoracle_cache_*.sha256.new"), False),
        (("kill", "os.rename utxoracle_cache_*.sha256"), False),
        (("kill", "os.rename utxoracle_cache_????-??-??.db"), False),
        (("kill", "open backups"), True),
    ],
)
def test_a_backup_that_is_killed_leaves_none_or_a_whole_one(
    appliance, settings, backups, crash, is_made
):
    crashed = appliance.run_disturbed(*crash, "backup")
    assert crashed.returncode < 0, crashed.stderr
    assert len(backups_in(backups)) == is_made
    for one in backups_in(backups):
        checked(one.path)
    # What a name was recorded for that no backup has yet is replaced by the next.
    made = backup(settings)
    assert checked(made.path) == made.facts
    assert names(backups)[0] == ".lock"
    assert all(name.startswith("utxoracle_cache_") for name in names(backups)[1:])
    assert len(names(backups)) == 3 + 2 * is_made


def test_a_full_disk_is_one_line_and_what_is_there_stays(cramped, appliance):
    assert appliance.run("backup", "--to", str(cramped)).returncode == 0
    before = names(cramped)
    moment = "open .utxoracle_cache_*.db.new"
    line = one_line(appliance.run_disturbed("fill", moment, "backup", "--to", str(cramped)), 5)
    assert f"to {cramped}: No space left on device" in line
    (cramped / "filler").unlink()
    assert names(cramped) == before
    moment = "open .utxoracle_cache_*.sha256.new"
    line = one_line(appliance.run_disturbed("fill", moment, "backup", "--to", str(cramped)), 5)
    assert "No space left on device; check the folder and its free space" in line
    (cramped / "filler").unlink()
    assert names(cramped) == before


def test_a_backup_does_not_begin_on_a_disk_that_is_nearly_full(cramped, appliance):
    (cramped / "filler").write_bytes(bytes(40 << 20))
    line = appliance.refused(5, "backup", "--to", str(cramped))
    assert f"the disk of {cramped} has " in line
    assert "are needed: make room" in line
    assert names(cramped) == [".lock", "filler"]


@as_root
def test_nothing_but_the_folder_of_the_backups_is_written(data, open_folder):
    shutil.copytree(data.path, open_folder / "data")
    appliance = Appliance(open_folder / "data", "")
    appliance.is_run_by_nobody = True
    appliance.snapshot.chmod(0o644)
    appliance.database.chmod(0)
    (appliance.folder / "lock").chmod(0)
    folder = appliance.folder / "backups"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    appliance.folder.chmod(0o555)
    done = appliance.run("backup")
    assert done.returncode == 0, done.stderr
    assert len(backups_in(folder)) == 1
    folder.chmod(0o555)
    assert f"{folder} is not readable and writable for user" in appliance.refused(5, "backup")


@as_root
def test_root_is_kept_from_locking_the_service_out(data, settings, backups):
    os.chown(data.path, NOBODY, NOBODY)
    assert "belongs to user" in refusal(settings)
    assert not backups.exists()


def test_backups_that_are_too_old_go_after_a_success(data, settings, backups):
    made = {days: of_day(data.snapshot, backups, days) for days in (60, 45, 31, 29, 5, 1)}
    removed = backup(settings).removed
    assert removed == (made[31], made[45], made[60])
    assert [one.path for one in backups_in(backups)][1:] == [made[1], made[5], made[29]]
    assert len(names(backups)) == 1 + 2 * 4


def test_a_backup_that_fails_removes_none(data, settings, backups):
    for days in (60, 50, 40, 1):
        of_day(data.snapshot, backups, days)
    before = names(backups)
    data.snapshot.write_bytes(b"junk")
    refusal(settings)
    assert names(backups) == [".lock", *before]


@pytest.mark.parametrize(("keep_min", "left"), [(0, 0), (1, 0), (2, 0), (3, 1), (4, 2), (9, 3)])
def test_some_good_ones_stay_however_old_the_new_one_included(
    data, settings, backups, keep_min, left
):
    made = [of_day(data.snapshot, backups, days) for days in (5, 40, 50, 60)]
    backup(Settings(data_dir=data.path, backup_keep_min=keep_min))
    assert [one.path for one in backups_in(backups)][1:] == made[: 1 + left]


def test_a_clock_that_jumps_ahead_takes_no_backups_with_it(data, settings, backups):
    made = [of_day(data.snapshot, backups, days) for days in range(400, 420)]
    assert backup(settings).removed == ()
    # If it was a pause, the next one does it.
    assert backup(settings).removed == tuple(made[1:])


def test_a_rhythm_that_is_slower_than_they_stay_is_no_jump(data, settings, backups):
    made = [of_day(data.snapshot, backups, days) for days in (33, 66, 99)]
    assert backup(settings).removed == (made[2],)


def test_those_of_another_network_replace_none(tmp_path, data, settings, backups):
    other = DataFolder(tmp_path / "main")
    create_database(other, MAIN)
    recent = [of_day(other.snapshot, backups, days) for days in (2, 3)]
    made = [of_day(data.snapshot, backups, days) for days in (40, 50, 60)]
    backup(settings)
    assert [one.path for one in backups_in(backups)][1:] == [*recent, *made[:2]]


@pytest.mark.parametrize("spoil", [flip, flip_checksum, forget_checksum])
def test_only_good_ones_count_among_those_that_stay(data, settings, backups, spoil):
    recent = of_day(data.snapshot, backups, 2)
    made = [of_day(data.snapshot, backups, days) for days in (40, 50, 60)]
    spoil(recent)
    backup(settings)
    assert [one.path for one in backups_in(backups)][1:] == [recent, *made[:2]]


def test_what_it_did_not_make_is_never_removed(data, settings, backups):
    backups.mkdir()
    old = backups / "utxoracle_cache_2020-01-01.db"
    old.write_bytes(data.snapshot.read_bytes())
    others = [backups / "utxoracle_cache_2020-01-01.db.old", backups / "notes.txt"]
    for other in others:
        other.touch()
    backup(Settings(data_dir=data.path, backup_keep_days=0, backup_keep_min=0))
    assert all(path.exists() for path in (old, *others))


def test_a_backup_of_the_future_is_not_too_old(data, settings, backups):
    path = of_day(data.snapshot, backups, -400)
    backup(Settings(data_dir=data.path, backup_keep_days=0, backup_keep_min=0))
    assert path.exists()


def test_the_one_just_made_stays_whatever_is_set(data, settings, backups):
    settings = Settings(data_dir=data.path, backup_keep_days=0, backup_keep_min=0)
    first = backup(settings).path
    second = backup(settings)
    assert second.removed == (first,)
    assert second.path.exists()
