import os
import subprocess
import sys

import duckdb
import pytest

from tests.unit.store.samples import batch, block_row
from utxoracle import __version__
from utxoracle.bitcoin.network import MAIN, REGTEST
from utxoracle.errors import StorageError
from utxoracle.store.database import Database, create_database
from utxoracle.store.folder import DataFolder
from utxoracle.store.lock import run_lock
from utxoracle.store.snapshot import publish, published_revision

LEAVE_LOG = """
import duckdb, os, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("PRAGMA disable_checkpoint_on_shutdown")
connection.execute("CREATE TABLE left_over (i INTEGER)")
os._exit(0)
"""


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}


def leave_log(path):
    subprocess.run([sys.executable, "-c", LEAVE_LOG, path], check=True)


def refusal(folder, network=REGTEST):
    """The one line with which a database is refused that is then as it was before."""
    before = contents(folder)
    with pytest.raises(StorageError) as caught:
        Database.open(folder, network)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder.database) in message
    assert contents(folder) == before
    return message


def test_folder_database_and_snapshot_are_made(tmp_path):
    folder = DataFolder(tmp_path / "some" / "where")
    assert create_database(folder, REGTEST)
    assert {path.name for path in folder.path.iterdir()} == {
        "utxoracle_cache.db", "utxoracle_snapshot.db", "scans", "lock",
    }  # fmt: skip
    assert folder.path.stat().st_mode & 0o777 == 0o750
    assert folder.database.stat().st_mode & 0o777 == 0o640
    assert folder.snapshot.stat().st_mode & 0o777 == 0o640
    assert folder.database.read_bytes() == folder.snapshot.read_bytes()


def test_a_database_tells_what_made_it(folder):
    with duckdb.connect(folder.database) as connection:
        meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    assert meta == {
        "network": "regtest", "revision": "0", "created_by": f"utxoracle {__version__}",
    }  # fmt: skip


def test_what_is_there_already_is_left_alone(folder):
    before = contents(folder)
    assert not create_database(folder, REGTEST)
    assert {**contents(folder), "lock": b""} == {**before, "lock": b""}


def test_the_storage_version_is_the_oldest_and_stays_so(folder):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(1, 150))
    # Byte 12 on: the version number of the storage, as all versions of DuckDB write it there.
    assert folder.database.read_bytes()[8:20] == b"DUCK" + (64).to_bytes(8, "little")


def test_a_snapshot_that_is_missing_or_old_is_published_again(folder):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(1, 1))
    create_database(folder, REGTEST)
    assert published_revision(folder) == 1
    folder.snapshot.unlink()
    create_database(folder, REGTEST)
    assert published_revision(folder) == 1


def test_what_a_killed_run_left_half_made_goes(folder):
    for name in (".utxoracle_cache.db.new", ".utxoracle_cache.db.new.wal"):
        (folder.path / name).write_bytes(b"half")
    folder.database.unlink()
    folder.snapshot.unlink()
    assert create_database(folder, REGTEST)
    assert {path.name for path in folder.path.iterdir()} == {
        "utxoracle_cache.db", "utxoracle_snapshot.db", "scans", "lock",
    }  # fmt: skip


def test_a_copy_without_its_database_is_not_begun_anew(folder):
    folder.database.unlink()
    before = contents(folder)
    with pytest.raises(StorageError, match="to start over") as caught:
        create_database(folder, REGTEST)
    assert f"cp {folder.snapshot} {folder.database}" in str(caught.value)
    assert {**contents(folder), "lock": b""} == {**before, "lock": b""}


def test_a_log_without_its_database_is_not_begun_anew(folder):
    folder.database.unlink()
    folder.snapshot.unlink()
    folder.wal.write_bytes(b"commits")
    with pytest.raises(StorageError, match=r"wal with its last commits is there"):
        create_database(folder, REGTEST)
    assert folder.wal.read_bytes() == b"commits"
    assert not folder.database.exists()


def test_a_database_of_another_network_is_not_taken(folder):
    with pytest.raises(StorageError, match="'regtest', not 'main'"):
        create_database(folder, MAIN)


def test_nothing_is_made_while_another_run_goes_on(tmp_path):
    folder = DataFolder(tmp_path)
    with run_lock(folder), pytest.raises(StorageError, match="another run is going on"):
        create_database(folder, REGTEST)
    assert not folder.database.exists()


def test_a_folder_that_can_not_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="is not a folder"):
        create_database(DataFolder(tmp_path / "file"), REGTEST)
    with pytest.raises(StorageError, match=r"can't make the folder .*: Not a directory"):
        create_database(DataFolder(tmp_path / "file" / "data"), REGTEST)


def test_commits_are_there_when_it_is_opened_again(folder):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(1, 5))
    assert not folder.wal.exists()
    with Database.open(folder, REGTEST) as database:
        assert database.reader.top() == block_row(5)
        assert database.reader.revision == 1


def test_opening_and_closing_writes_nothing(folder):
    before = folder.database.stat()
    with Database.open(folder, REGTEST) as database:
        database.reader.counts()
    after = folder.database.stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)


def test_a_missing_database_is_told(folder):
    folder.database.unlink()
    assert "is not there: mount its disk, run utxoracle restore latest, or" in refusal(folder)
    assert not folder.database.exists()


@pytest.mark.parametrize(
    "content", [b"", b"junk", bytes(20_000), pytest.param(os.urandom(20_000), id="noise")]
)
def test_junk_is_refused_with_the_way_back(folder, content):
    folder.database.write_bytes(content)
    message = refusal(folder)
    assert "not a valid DuckDB database" in message
    assert "is left as it is" in message
    assert message.endswith(
        "run utxoracle restore latest, or where there is no backup utxoracle restore "
        f"{folder.snapshot} --without-checksum"
    )


def test_a_long_path_leaves_room_for_the_reason(tmp_path):
    folder = DataFolder(tmp_path / ("long" * 50) / "data")
    create_database(folder, REGTEST)
    folder.database.write_bytes(b"junk")
    assert "not a valid DuckDB database" in refusal(folder)


def test_without_a_snapshot_the_way_back_is_a_backup_or_to_begin_anew(folder):
    folder.database.write_bytes(b"junk")
    folder.snapshot.unlink()
    assert refusal(folder).endswith(
        "run utxoracle restore latest, or where there is no backup move it away and run utxoracle "
        "init-db"
    )


def test_a_file_cut_short_is_refused_unless_only_free_pages_are_gone(folder):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(1, 150))
    whole = folder.database.read_bytes()
    refused = 0
    for twentieth in range(20):
        folder.database.write_bytes(whole[: len(whole) * twentieth // 20])
        try:
            with Database.open(folder, REGTEST) as database:
                assert database.reader.blocks_from(0) == [*map(block_row, range(1, 151))]
                assert database.reader.points().height == 150
        except StorageError:
            message = refusal(folder)
            assert "is left as it is" in message
            assert f"restore {folder.snapshot}" in message
            refused += 1
    assert refused >= 17


def test_a_file_that_lost_a_used_page_is_refused(folder):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(1, 150))
    with duckdb.connect(folder.database) as connection:
        size, used = connection.execute(
            "SELECT block_size, used_blocks FROM pragma_database_size()"
        ).fetchone()
    # Whether the pages that follow are the used ones or not: one of these is missing.
    os.truncate(folder.database, 12_288 + size * used - 1)
    assert "is left as it is" in refusal(folder)


def test_a_damaged_page_is_told_when_it_is_met(folder):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(1, 150))
    damaged = bytearray(folder.database.read_bytes())
    # Behind the headers of 12 kB everything is data.
    for position in range(12_288 + 4000, len(damaged), 4096):
        damaged[position] ^= 0xFF
    folder.database.write_bytes(damaged)
    with pytest.raises(StorageError) as caught, Database.open(folder, REGTEST) as database:
        database.reader.counts()
        database.reader.blocks_from(0)
    assert "\n" not in str(caught.value)
    assert str(folder.database) in str(caught.value)


def make_foreign(folder, *statements):
    folder.database.unlink()
    with duckdb.connect(folder.database) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    "statements",
    [
        [],
        ["CREATE TABLE prices (i INTEGER)"],
        ["CREATE TABLE meta (i INTEGER)"],
        ["CREATE TABLE schema_migrations (version INTEGER)"],
        [
            "CREATE TABLE schema_migrations (version INTEGER)",
            "INSERT INTO schema_migrations VALUES (1)",
            "CREATE TABLE meta (key TEXT, value TEXT)",
        ],
    ],
)
def test_a_database_of_something_else_is_refused(folder, statements):
    make_foreign(folder, *statements)
    message = refusal(folder)
    assert "is not a database of utxoracle" in message
    assert "run utxoracle restore latest" in message


def test_the_log_of_something_else_is_not_folded_in(folder):
    make_foreign(folder)
    leave_log(folder.database)
    folder.snapshot.unlink()
    message = refusal(folder)
    assert "is not a database of utxoracle" in message
    assert "move it and its .wal away and run" in message


@pytest.mark.parametrize("with_log", [False, True])
def test_a_database_of_another_network_is_refused(folder, with_log):
    if with_log:
        leave_log(folder.database)
    message = refusal(folder, MAIN)
    assert "holds the network 'regtest', not 'main'" in message
    assert (
        "set UTXORACLE_NETWORK or --network to regtest, or UTXORACLE_DATA_DIR to another folder"
        in message
    )


def test_a_damaged_log_is_refused(folder):
    leave_log(folder.database)
    log = bytearray(folder.wal.read_bytes())
    log[len(log) // 2] ^= 0xFF
    folder.wal.write_bytes(log)
    message = refusal(folder)
    assert "Failure while replaying WAL" in message
    assert "run utxoracle restore latest" in message


def test_a_database_that_another_program_has_open_is_told(folder):
    code = (
        "import duckdb, sys; connection = duckdb.connect(sys.argv[1]); print('open', flush=True); "
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, folder.database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        holder.stdout.readline()
        message = refusal(folder)
        holder.stdin.close()
    assert f"is in use by another program (pid {holder.pid}): close it" in message


def test_a_failure_inside_is_what_is_told(folder):
    with pytest.raises(ZeroDivisionError), Database.open(folder, REGTEST) as database:
        database.commit(batch(1, 1))
        raise ZeroDivisionError
    assert not folder.wal.exists()
    with Database.open(folder, REGTEST) as database:
        assert database.reader.revision == 1


def test_a_log_that_was_left_is_taken_up(folder):
    leave_log(folder.database)
    assert folder.wal.exists()
    with Database.open(folder, REGTEST):
        pass
    assert not folder.wal.exists()
    with duckdb.connect(folder.database) as connection:
        assert connection.execute("SELECT count(*) FROM left_over").fetchone() == (0,)


def test_a_published_copy_can_take_the_place_of_the_database(folder):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(1, 5))
    publish(folder)
    folder.database.write_bytes(folder.snapshot.read_bytes())
    with Database.open(folder, REGTEST) as database:
        assert database.commit(batch(6, 6)) == 2
