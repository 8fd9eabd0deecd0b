"""Putting another database in the place of the one in use."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from utxoracle.atomic import sync_folder
from utxoracle.errors import StorageError
from utxoracle.store.connection import Connection
from utxoracle.store.folder import BEFORE_RESTORE, DataFolder, log_of
from utxoracle.store.queries import Reader
from utxoracle.store.schema import migrate
from utxoracle.store.snapshot import publish, published_revision


def replace_database(folder: DataFolder) -> Path | None:
    """Let the database that lies ready as `folder.new_database` take the place, and publish it.

    Only under `run_lock`. The one in use is kept beside it, with its log of commits. Whenever it
    is killed, what was stored is there under the one name or the other, and to restore once more
    puts it in order.

    Returns:
        Where the one that was in use is kept; None when there was none.

    Raises:
        StorageError: That can't be done.
    """
    _bring_up(folder.new_database, published_revision(folder) or 0)
    try:
        kept = _keep(folder)
        # The log must be away for good before another database gets the name: DuckDB would take
        # its commits for that one's.
        sync_folder(folder.path)
        folder.new_database.replace(folder.database)
        sync_folder(folder.path)
    except OSError as error:
        raise StorageError(
            f"can't put another database in the place of {folder.database}: {error.strerror}; "
            "check the folder and its disk, then restore again"
        ) from None
    publish(folder)
    return kept


def _bring_up(path: Path, published: int) -> None:
    """Bring a database to the newest schema, and count the restoring as a change.

    So its revision is never one that was published, whatever it holds: the next run publishes it
    when this process is killed before it does.
    """
    connection = Connection.open(path, lambda: "use another backup")
    try:
        reader = Reader(connection)
        migrate(connection, reader.schema_version)
        revision = max(reader.revision, published) + 1
        connection.query("UPDATE meta SET value = ? WHERE key = 'revision'", [str(revision)])
        connection.query("CHECKPOINT")
    finally:
        connection.close()
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _keep(folder: DataFolder) -> Path | None:
    """Move the database that is in use away, and then its log."""
    has_log = folder.wal.exists()
    if os.path.lexists(folder.database):
        kept = _free_name(folder)
        folder.database.rename(kept)
    elif has_log:
        kept = _owner_of_log(folder) or _free_name(folder)
    else:
        return None
    if has_log:
        folder.wal.rename(log_of(kept))
    return kept


def _owner_of_log(folder: DataFolder) -> Path | None:
    """Return the database that a restore moved away which was killed before it moved the log."""
    newest = folder.replaced[-1:]
    written = datetime.fromtimestamp(folder.wal.stat().st_mtime, UTC)
    # A log that was written later is of a database that came after it.
    is_owner = newest and newest[0] >= _kept_name(folder, written)
    return newest[0] if is_owner and not log_of(newest[0]).exists() else None


def _free_name(folder: DataFolder) -> Path:
    moment = datetime.now(UTC)
    while os.path.lexists(kept := _kept_name(folder, moment)):
        moment += timedelta(seconds=1)
    return kept


def _kept_name(folder: DataFolder, moment: datetime) -> Path:
    return folder.path / f"{folder.database.name}.{BEFORE_RESTORE}{moment:%Y%m%dT%H%M%SZ}"
