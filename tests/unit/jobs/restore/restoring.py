"""What tests of `utxoracle restore` share: data folders, and what must be true of them."""

import os
import subprocess
import sys

import pytest

from tests.unit.store.samples import batch
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError
from utxoracle.jobs.restore import restore
from utxoracle.store.connection import Connection
from utxoracle.store.database import Database, published_database
from utxoracle.store.folder import DataFolder
from utxoracle.store.snapshot import publish

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

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user, or mount")


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
