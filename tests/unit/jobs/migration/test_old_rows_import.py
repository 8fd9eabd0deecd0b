"""The import of old rows: once, whole, and published."""

import duckdb
import pytest

from tests.old_tree import price_database
from utxoracle.bitcoin.network import MAIN, REGTEST
from utxoracle.errors import StorageError
from utxoracle.jobs.migration.old_rows import (
    import_old_rows,
    read_old_rows,
)
from utxoracle.settings import Settings
from utxoracle.store.connection import Connection
from utxoracle.store.folder import DataFolder
from utxoracle.store.lock import run_lock
from utxoracle.store.predecessor import Imported, predecessor_rows


def own_rows(folder):
    with duckdb.connect(folder.database, read_only=True) as connection:
        return [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            for table in ("blocks", "window_prices", "daily_prices", "runs")
        ]


def published_rows(folder):
    connection = Connection.open_read_only(folder.snapshot, str)
    try:
        return predecessor_rows(connection)
    finally:
        connection.close()


def test_rows_are_imported_and_published_into_a_folder_that_is_made(tmp_path):
    path = price_database(tmp_path / "old" / "utxoracle_cache.db")
    rows = read_old_rows(path, "old").rows
    settings = Settings(data_dir=tmp_path / "new" / "data")
    folder = DataFolder(settings.data_folder())
    assert import_old_rows(settings, MAIN, rows) == Imported(new=3)
    assert published_rows(folder) == rows
    assert own_rows(folder) == [(0,)] * 4


def test_importing_again_publishes_nothing_new(folder, tmp_path):
    rows = read_old_rows(price_database(tmp_path / "old.db"), "old").rows
    settings = Settings(data_dir=folder.path)
    import_old_rows(settings, REGTEST, rows)
    before = folder.snapshot.stat()
    assert import_old_rows(settings, REGTEST, rows) == Imported(unchanged=3)
    after = folder.snapshot.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_rows_wait_for_no_other_run(folder, tmp_path):
    rows = read_old_rows(price_database(tmp_path / "old.db"), "old").rows
    settings = Settings(data_dir=folder.path)
    with run_lock(folder), pytest.raises(StorageError, match="another run is going on"):
        import_old_rows(settings, REGTEST, rows)
    assert published_rows(folder) == []


def test_a_database_of_another_network_is_refused(folder, tmp_path):
    rows = read_old_rows(price_database(tmp_path / "old.db"), "old").rows
    with pytest.raises(StorageError, match="holds the network 'regtest'"):
        import_old_rows(Settings(data_dir=folder.path), MAIN, rows)
    assert published_rows(folder) == []


def test_a_crash_between_import_and_publication_heals(folder, tmp_path):
    rows = read_old_rows(price_database(tmp_path / "old.db"), "old").rows
    settings = Settings(data_dir=folder.path)
    old_snapshot = folder.snapshot.read_bytes()
    import_old_rows(settings, REGTEST, rows)
    folder.snapshot.write_bytes(old_snapshot)
    assert import_old_rows(settings, REGTEST, rows) == Imported(unchanged=3)
    assert published_rows(folder) == rows
