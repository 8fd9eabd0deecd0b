"""The database and its one writer."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from utxoracle import __version__
from utxoracle.atomic import sync_folder
from utxoracle.bitcoin.network import Network
from utxoracle.errors import StorageError
from utxoracle.settings import variable_of
from utxoracle.store.backup_files import checksum_file
from utxoracle.store.backups import backups_in
from utxoracle.store.batches import store_batch
from utxoracle.store.connection import Connection, Remedy
from utxoracle.store.folder import DataFolder, make_folder, not_there
from utxoracle.store.lock import run_lock
from utxoracle.store.predecessor import Imported, PredecessorRow, store_predecessor
from utxoracle.store.queries import Reader
from utxoracle.store.rows import Batch
from utxoracle.store.schema import migrate, raise_revision
from utxoracle.store.snapshot import MODE, is_published, publish


class Database:
    """The open database, as a context manager; only ever under `run_lock`.

    Attributes:
        reader: Questions to it.
        revision: Number of changes since it was made.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.reader = Reader(connection)
        self.revision = self.reader.revision

    @classmethod
    def open(cls, folder: DataFolder, network: Network) -> "Database":
        """Return the database of `folder`, brought to the newest schema.

        Raises:
            StorageError: It isn't there, is damaged, not ours, newer than this program, of another
                network or in use, or its disk is full or fails. It is left as it is.
        """
        if not folder.database.exists():
            _tell_of_interrupted_restore(folder)
            raise StorageError(not_there(folder.database))
        has_log = folder.wal.exists()
        connection = Connection.open(folder.database, _recovery(folder))
        try:
            reader = Reader(connection)
            version = reader.schema_version
            if not has_log:
                connection.check_length()
            check_network(folder.database, reader.network, network)
            migrate(connection, version)
            return cls(connection)
        except BaseException:
            connection.close()
            raise

    def commit(self, batch: Batch) -> int:
        """Store a batch, and return the new revision.

        Raises:
            StorageError: It can't be stored; the database is as before.
        """
        with self._connection.transaction():
            store_batch(self._connection, batch)
            raise_revision(self._connection)
        self.revision = self.reader.revision
        return self.revision

    def import_predecessor(self, rows: Sequence[PredecessorRow]) -> Imported:
        """Store the predecessor's rows, one for each day and origin, beside our own.

        The revision is only raised if they change anything.

        Raises:
            StorageError: They can't be stored; the database is as before.
        """
        with self._connection.transaction():
            imported = store_predecessor(self._connection, rows)
            if imported.new or imported.changed:
                raise_revision(self._connection)
        self.revision = self.reader.revision
        return imported

    def close(self) -> None:
        """Fold the log of commits into the file, so that it can be copied, and close it.

        Raises:
            StorageError: That failed; nothing is lost, the next one to open it takes the log.
        """
        try:
            self._connection.query("CHECKPOINT")
        finally:
            self._connection.close()

    def __enter__(self) -> "Database":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        # What went wrong first is what is to be told.
        with suppress(StorageError):
            self.close()


@contextmanager
def published_database(folder: DataFolder, network: Network) -> Iterator[Database]:
    """Give the open database; then publish it if the snapshot is of another revision.

    So a crash between commit and publication heals, and what was stored before a failure is
    published too.

    Raises:
        StorageError: It can't be opened, closed or published.
    """
    database = Database.open(folder, network)
    before = database.revision
    try:
        with database:
            yield database
    except BaseException:
        # What went wrong first is what is to be told; and a database that failed before anything
        # was stored is no better than its copy.
        with suppress(StorageError):
            if database.revision != before:
                publish(folder)
        raise
    if database.revision != before or not is_published(folder, before):
        publish(folder)


def create_database(folder: DataFolder, network: Network, *, backups: Path | None = None) -> bool:
    """Make folder, database and snapshot where they aren't there; return whether it made one.

    A database that is there must be a sound one of this network; it is brought to the newest
    schema, and published if its snapshot is missing or another.

    Args:
        folder: Where they are.
        network: The network of the database.
        backups: A folder beside whose backups none is begun; None: it is begun beside any.

    Raises:
        StorageError: They can't be made, what is there can't be used, or there are backups.
    """
    make_folder(folder.path)
    folder.check()
    with run_lock(folder):
        is_new = not os.path.lexists(folder.database)
        if is_new:
            _refuse_remains(folder)
            if backups:
                _refuse_backups(folder, backups)
        folder.remove_left_overs()
        folder.check_space()
        if is_new:
            _build(folder, network)
        make_folder(folder.scans)
        # To open it is to bring it to the newest schema, and behind that it is published.
        with published_database(folder, network):
            pass
    return is_new


def _refuse_remains(folder: DataFolder) -> None:
    """Refuse to begin anew beside what is left of a database that is gone."""
    _tell_of_interrupted_restore(folder)
    if folder.wal.exists():
        # It would be taken for the new one's.
        raise StorageError(
            f"{folder.database} is gone, but {folder.wal} with its last commits is there: put "
            "the database back, or move that file away to start over"
        )
    if folder.snapshot.exists():
        raise StorageError(
            f"{folder.database} is gone, but its copy is there: cp {folder.snapshot} "
            f"{folder.database} to go on from it, or move the copy away to start over"
        )


def _refuse_backups(folder: DataFolder, backups: Path) -> None:
    """Refuse to begin anew beside backups, the last of which would go when new ones are made."""
    # Those without a checksum are the predecessor's, or somebody else's: they are never removed.
    found = [one.path for one in backups_in(backups) if checksum_file(one.path).exists()]
    if found:
        raise StorageError(
            f"{folder.path} holds no database, but {backups} holds backups of one, up to "
            f"{found[0].name}: run utxoracle restore latest, or utxoracle init-db --anew to begin "
            "a new one beside them"
        )


def _tell_of_interrupted_restore(folder: DataFolder) -> None:
    """Say how to go on where a restore has moved the database away, and was killed then."""
    if folder.replaced:
        raise StorageError(
            f"{folder.database} is gone, but {folder.replaced[-1]} was kept by a restore: run "
            "that again, or move what was kept away to start over"
        )


def _build(folder: DataFolder, network: Network) -> None:
    """Make the database under another name, so that a killed run leaves none by its own."""
    new = folder.new_database
    new_wal = new.with_name(f"{new.name}.wal")
    try:
        try:
            _remove(new, new_wal)
            _fill(new, network, _recovery(folder))
            new.replace(folder.database)
        finally:
            _remove(new, new_wal)
        sync_folder(folder.path)
    except OSError as error:
        raise StorageError(
            f"can't make {folder.database}: {error.strerror}; check the folder and its disk"
        ) from None


def _fill(path: Path, network: Network, remedy: Remedy) -> None:
    connection = Connection.create(path, remedy)
    try:
        migrate(connection, 0)
        connection.query(
            "INSERT INTO meta VALUES ('network', ?), ('revision', '0'), ('created_by', ?)",
            [network.name, f"utxoracle {__version__}"],
        )
        connection.query("CHECKPOINT")
    finally:
        connection.close()
    with path.open("rb") as file:
        os.fchmod(file.fileno(), MODE)
        os.fsync(file.fileno())


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def check_network(path: Path, stored: str, asked: Network) -> None:
    """Check that the network which `path` holds is the one that is asked for.

    Raises:
        StorageError: It is another.
    """
    if stored != asked.name:
        raise StorageError(
            f"{path} holds the network {stored!r}, not {asked.name!r}: set "
            f"{variable_of('network')} or --network to {stored}, or {variable_of('data_dir')} to "
            "another folder"
        )


def _recovery(folder: DataFolder) -> Remedy:
    """Return what says how to go on without a database that can't be used."""

    def advice() -> str:
        if folder.snapshot.exists():
            other = f"utxoracle restore {folder.snapshot} --without-checksum"
        else:
            away = f"it{' and its .wal' if folder.wal.exists() else ''}"
            other = f"move {away} away and run utxoracle init-db"
        return f"run utxoracle restore latest, or where there is no backup {other}"

    return advice
