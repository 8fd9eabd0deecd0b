import shutil

import duckdb
import pytest

from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError
from utxoracle.store import schema
from utxoracle.store.database import Database, create_database
from utxoracle.store.schema import MIGRATIONS, Migration
from utxoracle.store.snapshot import Snapshot, published_revision

NEWEST = MIGRATIONS[-1].version

ADD_FEES = Migration(NEWEST + 1, "fees of blocks", ("ALTER TABLE blocks ADD COLUMN fees BIGINT",))
FAIL = Migration(
    NEWEST + 2,
    "one that fails",
    ("CREATE TABLE half (i INTEGER)", "ALTER TABLE nowhere ADD COLUMN i INTEGER"),
)


def add_migrations(monkeypatch, *more):
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, *more))


def query(folder, statement):
    with duckdb.connect(folder.database, read_only=True) as connection:
        return connection.execute(statement).fetchall()


def test_migrations_are_numbered_through():
    assert [one.version for one in MIGRATIONS] == [*range(1, len(MIGRATIONS) + 1)]


def test_every_migration_is_on_record_once(folder):
    with Database.open(folder, REGTEST):
        pass
    assert query(folder, "SELECT version, name FROM schema_migrations") == [
        (one.version, one.name) for one in MIGRATIONS
    ]


def test_a_pending_migration_is_applied_once_and_published(folder, monkeypatch):
    add_migrations(monkeypatch, ADD_FEES)
    for _ in range(2):
        with Database.open(folder, REGTEST) as database:
            assert database.reader.schema_version == NEWEST + 1
            assert database.revision == database.reader.revision == 1
    assert query(
        folder, "SELECT count(fees), (SELECT count(*) FROM schema_migrations) FROM blocks"
    ) == [(0, NEWEST + 1)]
    with pytest.raises(StorageError, match="older version: run utxoracle analyze"):
        Snapshot(folder).reader()
    assert not create_database(folder, REGTEST)
    assert published_revision(folder) == 1
    assert Snapshot(folder).reader().schema_version == NEWEST + 1


def test_a_migration_that_fails_leaves_nothing_and_stays_pending(folder, monkeypatch):
    add_migrations(monkeypatch, ADD_FEES, FAIL)
    for _ in range(2):
        with pytest.raises(StorageError) as caught:
            Database.open(folder, REGTEST)
        assert "\n" not in str(caught.value)
    assert query(folder, "SELECT max(version) FROM schema_migrations") == [(NEWEST + 1,)]
    assert query(folder, "SELECT value FROM meta WHERE key = 'revision'") == [("1",)]
    assert not query(folder, "SELECT 1 FROM duckdb_tables() WHERE table_name = 'half'")


def test_a_newer_schema_is_refused_by_the_writer_and_by_readers(folder, monkeypatch):
    with monkeypatch.context() as newer:
        add_migrations(newer, ADD_FEES)
        create_database(folder, REGTEST)
        shutil.copy(folder.database, folder.snapshot)
    before = folder.database.read_bytes()
    message = rf"was written by a newer utxoracle \(schema {NEWEST + 1}, this one knows {NEWEST}\)"
    with pytest.raises(StorageError, match=message):
        Database.open(folder, REGTEST)
    with pytest.raises(StorageError, match=message):
        Snapshot(folder).reader()
    assert folder.database.read_bytes() == before
