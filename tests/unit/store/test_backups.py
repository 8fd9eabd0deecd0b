import os
import shutil
import sqlite3
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from random import Random

import duckdb
import pytest

from tests.conftest import ordinary_user
from tests.unit.store.samples import batch, day_row, run_row
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError
from utxoracle.store import backups
from utxoracle.store.backup_files import checksum_file, recorded_checksum
from utxoracle.store.backups import backups_in, checked, copy_checked, is_of_predecessor
from utxoracle.store.database import Database
from utxoracle.store.folder import DataFolder

NAME = "utxoracle_cache_2025-11-23.db"
LAST = 2000
HEADERS = 3 * 4096
PAGE = 262_144


@pytest.fixture(scope="module")
def original(empty_store, tmp_path_factory):
    """A database of some pages, to be copied."""
    folder = DataFolder(shutil.copytree(empty_store, tmp_path_factory.mktemp("original") / "data"))
    days = [day_row(0, last_height=LAST - 500)]
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(1, LAST, days=days, run=run_row(1.5, LAST)))
    return folder.database


@pytest.fixture
def backup(original, tmp_path):
    """A good backup, with its checksum."""
    path = shutil.copy(original, tmp_path / NAME)
    record(path)
    return path


def record(path):
    """Write the checksum that a file has now, as sha256sum does."""
    digest = sha256(path.read_bytes()).hexdigest()
    checksum_file(path).write_text(f"{digest}  {path.name}\n")


def alter(path, *statements):
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)


def refusal(path, **options):
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StorageError) as caught:
        checked(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    assert before == (path.read_bytes() if path.is_file() else None)
    return message


def flipped(data, place, bit):
    return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


def test_what_is_in_a_good_backup_is_told(backup, original):
    facts = checked(backup)
    assert facts.size == original.stat().st_size
    assert facts.sha256 == sha256(original.read_bytes()).hexdigest()
    assert (facts.network, facts.schema_version, facts.revision) == ("regtest", 2, 1)
    counts = facts.counts
    assert (counts.blocks, counts.first_height, counts.last_height) == (LAST, 1, LAST)
    assert (counts.windows, counts.days, counts.last_day) == (LAST, 1, date(2025, 11, 22))
    assert {path.name for path in backup.parent.iterdir()} - {NAME, f"{NAME}.sha256"} <= {"data"}


def test_reading_tells_how_far_it_is(backup):
    told = []
    checked(backup, progress=lambda *place: told.append(place))
    size = backup.stat().st_size
    assert told[-1] == (size, size)
    assert told == sorted(set(told))


@pytest.mark.parametrize("seed", range(12))
def test_a_flipped_bit_anywhere_is_found(backup, seed):
    draw = Random(seed)
    data = backup.read_bytes()
    place = draw.randrange(HEADERS) if seed < 4 else draw.randrange(len(data))
    backup.write_bytes(flipped(data, place, draw.randrange(8)))
    refusal(backup)


def test_a_damaged_page_is_found_whether_or_not_duckdb_reads_it(backup, original):
    checksum = checksum_file(backup).read_text()
    data = original.read_bytes()
    unread = 0
    for page in range((len(data) - HEADERS) // PAGE):
        backup.write_bytes(flipped(data, HEADERS + PAGE * page + 5000, 0))
        checksum_file(backup).unlink()
        try:
            checked(backup, without_checksum=True)
        except StorageError as error:
            assert "Corrupt database file" in str(error)
        else:
            unread += 1
            checksum_file(backup).write_text(checksum)
            assert f"its checksum differs from that in {NAME}.sha256" in refusal(backup)
            # One that is there counts also where none is needed.
            assert "checksum differs" in refusal(backup, without_checksum=True)
        checksum_file(backup).write_text(checksum)
    assert 0 < unread < page / 2


@pytest.mark.parametrize("place", [0, 31, 63, 64, 65, 66, 80, -6, -1])
def test_a_flipped_bit_in_the_checksum_file_is_found(backup, place):
    file = checksum_file(backup)
    data = file.read_bytes()
    for bit in range(8):
        file.write_bytes(flipped(data, place % len(data), bit))
        with pytest.raises(StorageError, match=r"checksum differs|is damaged, or of another file"):
            checked(backup)


@pytest.mark.parametrize("content", [b"", b"\xff" * 96, b"0" * 64, b"0" * 5000])
def test_a_checksum_file_of_another_form_is_told(backup, content):
    checksum_file(backup).write_bytes(content)
    assert f"{NAME}.sha256 is damaged, or of another file" in refusal(backup)


def test_a_pipe_in_the_place_of_the_checksum_holds_nobody_up(backup):
    checksum_file(backup).unlink()
    os.mkfifo(checksum_file(backup))
    assert "is damaged, or of another file" in refusal(backup)


def test_the_checksum_of_another_file_is_told(backup):
    file = checksum_file(backup)
    file.write_text(file.read_text().replace("11-23", "11-22"))
    assert "is damaged, or of another file" in refusal(backup)


@pytest.mark.parametrize("kept", [1, 4096, HEADERS, -3 * PAGE, -1])
def test_a_file_that_was_cut_short_is_found(backup, kept):
    os.truncate(backup, kept % backup.stat().st_size)
    refusal(backup)
    checksum_file(backup).unlink()
    if kept != -1:
        refusal(backup, without_checksum=True)


def test_a_lost_page_that_no_row_is_in_is_found_by_the_length(empty_store, tmp_path):
    path = shutil.copy(empty_store / "utxoracle_cache.db", tmp_path / NAME)
    os.truncate(path, path.stat().st_size - PAGE)
    assert "has been cut short" in refusal(path, without_checksum=True)


def test_an_empty_file_is_told(backup):
    os.truncate(backup, 0)
    assert "is empty: use another backup" in refusal(backup)


def test_what_is_missing_or_no_file_is_told(tmp_path):
    assert "is not there" in refusal(tmp_path / NAME)
    (tmp_path / NAME).mkdir()
    assert "is not a plain file" in refusal(tmp_path / NAME)


def test_without_a_checksum_a_sound_file_is_refused_unless_that_is_allowed(backup):
    checksum_file(backup).unlink()
    assert f"has no {NAME}.sha256 beside it" in refusal(backup)
    assert checked(backup, without_checksum=True).counts.blocks == LAST


@pytest.mark.parametrize("has_checksum", [False, True])
def test_a_database_of_another_program_is_told(tmp_path, has_checksum):
    path = tmp_path / NAME
    alter(path, "CREATE TABLE addresses (name TEXT)")
    if has_checksum:
        record(path)
    assert "is not a database of utxoracle" in refusal(path)
    assert not is_of_predecessor(path)


@pytest.mark.parametrize("has_checksum", [False, True])
def test_a_sqlite_file_is_told(tmp_path, has_checksum):
    path = tmp_path / NAME
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE price_analysis (date TEXT)")
    connection.commit()
    connection.close()
    if has_checksum:
        record(path)
    assert "can't be used" in refusal(path)
    with pytest.raises(StorageError):
        is_of_predecessor(path)


def test_a_backup_of_the_predecessor_is_told_as_such(tmp_path):
    path = tmp_path / NAME
    alter(path, "CREATE TABLE price_analysis (date DATE PRIMARY KEY, confidence DECIMAL(5, 4))")
    assert "of the hand-made predecessor" in refusal(path)
    assert "utxoracle migrate takes over its prices" in refusal(path, without_checksum=True)
    assert is_of_predecessor(path)


def test_one_of_ours_is_not_of_the_predecessor(backup):
    assert not is_of_predecessor(backup)


def test_a_backup_of_a_newer_version_is_told(backup):
    alter(backup, "INSERT INTO schema_migrations VALUES (999, 'later', now())")
    record(backup)
    assert "was written by a newer utxoracle (schema 999" in refusal(backup)


@pytest.mark.parametrize(
    ("statement", "trouble"),
    [
        ("DELETE FROM blocks WHERE height = 1000", "its blocks are not one chain"),
        ("UPDATE blocks SET hash = 'ab' WHERE height = 999", "its blocks are not one chain"),
        ("UPDATE blocks SET prev_hash = NULL WHERE height = 999", "its blocks are not one chain"),
        ("UPDATE window_prices SET hash = 'ab' WHERE height = 999", "prices of other blocks"),
        ("DELETE FROM blocks WHERE height = 2000", "prices of other blocks"),
        ("DELETE FROM window_prices WHERE height = 2000", "it lacks window prices"),
        ("DELETE FROM window_prices WHERE height = 145", "it lacks window prices"),
        ("UPDATE daily_prices SET last_height = 2001, first_height = 1858", "daily prices of"),
        ("UPDATE daily_prices SET blocks = 143", "daily prices of"),
    ],
)
def test_what_no_commit_leaves_is_found(backup, statement, trouble):
    alter(backup, statement)
    record(backup)
    message = refusal(backup)
    assert "is torn" in message
    assert trouble in message


def test_a_chain_that_is_read_part_by_part_is_whole_or_torn_at_any_height(backup, monkeypatch):
    monkeypatch.setattr(backups, "_AT_ONCE", 10)
    assert checked(backup).counts.blocks == LAST
    for height in (2, 11, 12, 999, 1991, LAST):
        torn = Path(shutil.copy(backup, backup.with_name("torn.db")))
        alter(torn, f"UPDATE blocks SET prev_hash = 'ab' WHERE height = {height}")
        record(torn)
        assert "its blocks are not one chain" in refusal(torn)


def test_the_first_144_blocks_need_no_window_price(backup):
    alter(backup, "DELETE FROM window_prices WHERE height < 145")
    record(backup)
    assert checked(backup).counts.windows == LAST - 144


def test_an_empty_database_is_a_good_backup(empty_store, tmp_path):
    path = shutil.copy(empty_store / "utxoracle_cache.db", tmp_path / NAME)
    record(path)
    assert checked(path).counts.blocks == 0


def test_a_log_of_commits_beside_a_backup_is_refused(backup):
    backup.with_name(f"{NAME}.wal").write_bytes(b"commits")
    assert "somebody wrote to it" in refusal(backup)


def test_a_backup_that_may_not_be_read_is_told(open_folder, backup):
    path = shutil.copy(backup, open_folder / NAME)
    path.chmod(0)
    with ordinary_user(), pytest.raises(StorageError, match="can't be read: Permission denied"):
        checked(path)
    open_folder.chmod(0)
    with ordinary_user(), pytest.raises(StorageError, match="Permission denied"):
        backups_in(open_folder)
    open_folder.chmod(0o755)


def test_a_copy_is_whole_private_and_checked(original, tmp_path):
    target = tmp_path / "copy"
    told = []
    facts = copy_checked(original, target, progress=lambda *place: told.append(place))
    assert target.read_bytes() == original.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o640
    assert facts.sha256 == sha256(original.read_bytes()).hexdigest()
    assert told[-1] == (2 * facts.size, 2 * facts.size)
    assert told == sorted(told)


def test_a_copy_with_another_checksum_than_the_recorded_one_is_refused(original, tmp_path):
    with pytest.raises(StorageError, match=f"{original} is not as it was made"):
        copy_checked(original, tmp_path / "copy", recorded="0" * 64)


def test_what_is_wrong_with_a_copy_is_told_of_its_original(backup, tmp_path):
    alter(backup, "DELETE FROM blocks WHERE height = 1000")
    with pytest.raises(StorageError) as caught:
        copy_checked(backup, tmp_path / "copy", remedy="look at it")
    assert str(caught.value) == f"{backup} is torn (its blocks are not one chain): look at it"


def test_a_disk_that_gives_back_something_else_is_found(original, tmp_path, monkeypatch):
    sync = os.fsync

    def spoil(handle):
        sync(handle)
        os.pwrite(handle, b"\0\1\2\3", 100_000)

    monkeypatch.setattr(os, "fsync", spoil)
    with pytest.raises(StorageError, match="does not give back what was written"):
        copy_checked(original, tmp_path / "copy")


def test_a_copy_never_takes_the_place_of_a_file(original, tmp_path):
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(StorageError, match="File exists"):
        copy_checked(original, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "mine"


def test_backups_are_told_by_their_names_newest_first(tmp_path):
    names = [
        "utxoracle_cache_2025-12-01.db",
        "utxoracle_cache_2025-11-30_235959.db",
        "utxoracle_cache_2025-11-30_000001.db",
        "utxoracle_cache_2025-11-30.db",
        "utxoracle_cache_2024-02-29.db",
    ]
    others = [
        "utxoracle_cache.db",
        "utxoracle_cache_2025-02-29.db",
        "utxoracle_cache_2025-11-30_250000.db",
        "utxoracle_cache_2025-11-30_1.db",
        "utxoracle_cache_2025-11-30.db.sha256",
        ".utxoracle_cache_2025-11-30.db.new",
        "utxoracle_cache_2025-11-30.db.gz",
        "xutxoracle_cache_2025-11-30.db",
        "lock",
    ]
    for name in sorted(names + others):
        (tmp_path / name).touch()
    (tmp_path / "utxoracle_cache_2025-10-01.db").mkdir()
    (tmp_path / "utxoracle_cache_2025-10-02.db").symlink_to("nowhere")
    found = backups_in(tmp_path)
    assert [backup.path for backup in found] == [tmp_path / name for name in names]
    assert found[1].made == datetime(2025, 11, 30, 23, 59, 59, tzinfo=UTC).timestamp()
    assert found[1].day == date(2025, 11, 30)


def test_the_first_of_a_day_was_made_when_it_changed_if_that_is_of_its_day(tmp_path):
    path = tmp_path / NAME
    path.touch()
    midnight = datetime(2025, 11, 23, tzinfo=UTC).timestamp()
    for changed, made in (
        (midnight + 10_800, midnight + 10_800),
        (midnight - 1, midnight),
        (midnight + 86_400, midnight),
    ):
        os.utime(path, (changed, changed))
        assert backups_in(tmp_path)[0].made == made


def test_one_that_is_removed_meanwhile_hides_no_others(tmp_path, monkeypatch):
    gone, stays = (tmp_path / f"utxoracle_cache_2025-12-0{day}.db" for day in (1, 2))
    gone.touch()
    stays.touch()
    stat = Path.stat

    def stat_and_remove(path, **options):
        found = stat(path, **options)
        if path == gone:
            gone.unlink()
        return found

    monkeypatch.setattr(Path, "stat", stat_and_remove)
    assert stays in [backup.path for backup in backups_in(tmp_path)]


def test_where_no_folder_is_there_are_no_backups(tmp_path):
    assert backups_in(tmp_path / "nowhere") == []


def test_sha256sum_agrees(backup):
    digest, name = checksum_file(backup).read_text().split()
    assert recorded_checksum(backup) == digest == sha256(backup.read_bytes()).hexdigest()
    assert name == NAME
