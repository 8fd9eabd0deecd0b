"""The published copy of the database: the one writer makes it, and every reader opens it."""

import os
import shutil
from pathlib import Path

from utxoracle.atomic import sync_folder
from utxoracle.errors import StorageError
from utxoracle.store.connection import Connection
from utxoracle.store.folder import REPUBLISH, DataFolder, no_snapshot
from utxoracle.store.queries import Reader
from utxoracle.store.schema import known_version

MODE = 0o640
"""Of both files: the group of the service may read."""

FileKey = tuple[int, int]
"""Inode and time of the last change in ns: another copy has others."""


def published_revision(folder: DataFolder) -> int | None:
    """Return the revision of the snapshot, None when there is none that can be read."""
    try:
        connection = Connection.open_read_only(folder.snapshot, lambda: REPUBLISH)
    except StorageError:
        return None
    try:
        return Reader(connection).revision
    except (StorageError, ValueError):
        return None
    finally:
        connection.close()


def is_published(folder: DataFolder, revision: int) -> bool:
    """Tell whether the snapshot is a whole copy of the closed database, which is of `revision`."""
    try:
        # A snapshot that was cut short may still tell its revision.
        if folder.snapshot.stat().st_size != folder.database.stat().st_size:
            return False
    except OSError:
        return False
    return published_revision(folder) == revision


def publish(folder: DataFolder) -> None:
    """Let readers see the database as it is now, which must be closed and without a log.

    Raises:
        StorageError: It has a log, or the copy can't be made; the old snapshot stays.
    """
    if folder.wal.exists():
        raise StorageError(
            f"{folder.wal} holds commits that {folder.database} doesn't, so it is not published: "
            "run utxoracle analyze, which puts them together"
        )
    # Only one process publishes at a time, so what has this name is a killed one's.
    temporary = folder.new_snapshot
    try:
        temporary.unlink(missing_ok=True)
        try:
            _copy(folder.database, temporary)
            # A log that somebody made who wrote to the old snapshot would be taken for the new
            # one's.
            folder.snapshot.with_name(f"{folder.snapshot.name}.wal").unlink(missing_ok=True)
            temporary.replace(folder.snapshot)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(folder.path)
    except OSError as error:
        raise StorageError(
            f"can't publish {folder.snapshot}: {error.strerror}; make room or mend the folder, "
            "then run utxoracle analyze"
        ) from None


def _copy(source: Path, target: Path) -> None:
    # Inside the kernel, where it can: it is what costs most in a run over a long history.
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fchmod(file.fileno(), MODE)
        os.fsync(file.fileno())


class Snapshot:
    """The snapshot, for a process that reads it again and again; one for each thread.

    Attributes:
        trouble: Why what is published now is not used, but an older copy; None if it is used.
    """

    def __init__(self, folder: DataFolder) -> None:
        self.trouble: str | None = None
        self._folder = folder
        self._path = folder.snapshot
        self._connection: Connection | None = None
        self._key: FileKey | None = None
        self._refused: FileKey | None = None

    def reader(self) -> Reader:
        """Return a reader of the snapshot that is published now; good until the next call.

        Where that can't be read, the one before stays in use, and `trouble` says why.

        Raises:
            StorageError: There is none, or it can't be read and there was none before.
        """
        key = self._current_key()
        if self._connection is None:
            self._connection, self._key = self._open_newest(key)
        elif key == self._key:
            self.trouble = self._refused = None
        elif key != self._refused:
            try:
                newer = self._open_newest(key)
            except StorageError as error:
                # Where it has gone meanwhile, so has the one before.
                if self._connection is None:
                    raise
                self.trouble, self._refused = str(error), key
            else:
                self.close()
                self._connection, self._key = newer
        return Reader(self._connection)

    def hold(self) -> Connection:
        """Return the connection to the copy in use, which stays good whatever is published.

        To be called after `reader`, and to be closed by the caller.
        """
        if self._connection is None:
            raise ValueError("no snapshot is in use")
        return self._connection.hold()

    @property
    def mark(self) -> str:
        """What tells the copy in use from all others; empty before the first reader."""
        return "{:x}-{:x}".format(*self._key) if self._key else ""

    def close(self) -> None:
        """Give up the file."""
        if self._connection:
            self._connection.close()
        self._connection = None
        self.trouble = self._refused = None

    def _current_key(self) -> FileKey:
        try:
            status = self._path.stat()
        except OSError as error:
            self.close()
            raise no_snapshot(self._folder, error) from None
        return status.st_ino, status.st_mtime_ns

    def _open_newest(self, key: FileKey) -> tuple[Connection, FileKey]:
        """Return a connection to the file that has the name, and the key of that file.

        `key` is that of the file that had it a moment ago.
        """
        while True:
            try:
                connection = self._open()
            except StorageError:
                if (newer := self._current_key()) == key:
                    raise
            else:
                if (newer := self._current_key()) == key:
                    return connection, key
                connection.close()
            key = newer

    def _open(self) -> Connection:
        connection = Connection.open_read_only(self._path, lambda: REPUBLISH)
        try:
            reader = Reader(connection)
            if reader.schema_version < known_version():
                raise StorageError(
                    f"{self._path} was published by an older version: run utxoracle analyze"
                )
            # What is asked most, before the copy in use is given up for this one.
            connection.check_length()
            for ask in (reader.top, reader.latest_window, reader.latest_day, reader.points):
                ask()
        except BaseException:
            connection.close()
            raise
        return connection
