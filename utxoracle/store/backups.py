"""Backups: whole copies of the published database, each with its checksum in a file beside it."""

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from utxoracle.errors import StorageError
from utxoracle.store.backup_files import (
    MODE,
    BackupFile,
    Progress,
    checksum_file,
    dated_files,
    digest_of,
    new_file,
    read_through,
    recorded_checksum,
)
from utxoracle.store.folder import BEFORE_RESTORE, log_of

if TYPE_CHECKING:
    from utxoracle.store.connection import Connection
    from utxoracle.store.queries import Counts

ANOTHER = "use another backup"
"""What to do about one that isn't good."""

PREFIX, SUFFIX = "utxoracle_cache_", ".db"
"""What stands round the date in the name of a backup."""

_NO_CHAIN = "its blocks are not one chain"

_TORN_BLOCKS = """SELECT count(*) FROM (
    SELECT prev_hash IS DISTINCT FROM lag(hash) OVER up AS is_torn, lag(height) OVER up AS before
    FROM blocks WHERE height BETWEEN ? AND ? WINDOW up AS (ORDER BY height)
) WHERE before IS NOT NULL AND is_torn"""

_AT_ONCE = 50_000
"""Blocks: to put all in order at once takes memory that grows with the history."""

_UNSOUND = {
    "it has window prices of other blocks than its own": """SELECT count(*)
        FROM window_prices LEFT JOIN blocks USING (height)
        WHERE window_prices.hash IS DISTINCT FROM blocks.hash""",
    "it lacks window prices of its blocks": """SELECT count(*)
        FROM blocks LEFT JOIN window_prices USING (height)
        WHERE window_prices.hash IS NULL AND height >= (SELECT min(height) FROM blocks) + ?""",
    "it has daily prices of blocks that it lacks": """SELECT count(*) FROM daily_prices
        WHERE last_height > (SELECT coalesce(max(height), -1) FROM blocks)
            OR last_height - first_height + 1 <> blocks""",
}
"""Queries that count what no committed state of a database has."""


@dataclass(frozen=True, kw_only=True)
class DatabaseFacts:
    """What is in a file that was read from end to end and found good.

    Attributes:
        size: Its bytes.
        network: The network whose chain it holds.
        schema_version: The version of its tables.
        revision: Number of changes to the database that it is a copy of.
        counts: How much is stored in it.
    """

    size: int
    network: str
    schema_version: int
    revision: int
    counts: "Counts"


@dataclass(frozen=True, kw_only=True)
class BackupFacts(DatabaseFacts):
    """The same of a backup.

    Attributes:
        sha256: The checksum of its bytes, 64 hex digits.
    """

    sha256: str


def backups_in(folder: Path) -> list[BackupFile]:
    """Return the files in `folder` that are called as backups are, the newest first.

    None where the folder isn't there.

    Raises:
        StorageError: It can't be read.
    """
    return dated_files(folder, PREFIX, SUFFIX)


def checked(
    path: Path, *, without_checksum: bool = False, progress: Progress | None = None
) -> BackupFacts:
    """Read a backup from end to end, and return what is in it.

    Args:
        path: The file.
        without_checksum: Whether one that has no checksum beside it may be good all the same.
        progress: Told how far the reading is.

    Raises:
        StorageError: It is missing, damaged or cut short, or not a database of utxoracle, or of a
            newer version, or has no checksum. It is left as it is.
    """
    _check_file(path)
    recorded = recorded_checksum(path)
    digest = digest_of(path, progress)
    if recorded is not None and digest != recorded:
        # Tells more exactly what is wrong, where it is more than some bytes.
        _examined(path)
        raise _differs(path)
    facts = _examined(path)
    if recorded is None and not without_checksum:
        raise StorageError(
            f"{path} has no {checksum_file(path).name} beside it, so nothing tells whether it is "
            "as it was made: use another one, or see restore --without-checksum"
        )
    return BackupFacts(**vars(facts), sha256=digest)


def examined(path: Path, remedy: str = ANOTHER) -> DatabaseFacts:
    """Read a database that nobody writes to from end to end, and return what is in it.

    Args:
        path: The file.
        remedy: What to do where it isn't good, for the message.

    Raises:
        StorageError: It is missing, damaged, cut short or torn, or not a database of utxoracle, or
            of a newer version. It is left as it is.
    """
    _check_file(path, remedy)
    return _examined(path, remedy)


def copy_checked(
    source: Path,
    target: Path,
    *,
    recorded: str | None = None,
    remedy: str = ANOTHER,
    progress: Progress | None = None,
) -> BackupFacts:
    """Copy a database that is closed, reach the disk, read the copy back, and return what is in it.

    All is read from one open file: another one may take the name meanwhile. The log of one that a
    restore kept is copied with it, and the facts are of both.

    Args:
        source: The file.
        target: The copy, which isn't there yet. It stays when something fails.
        recorded: The checksum that the file must have, if one is known.
        remedy: What to do where it isn't good, for the message.
        progress: Told how far the copying and reading back is.

    Raises:
        StorageError: It can't be copied, or what was copied is not good.
    """

    def told(done: int, total: int, before: int = 0) -> None:
        if progress:
            progress(done + before, 2 * total)

    try:
        digest = _copy(source, target, told)
        if is_replaced(source) and log_of(source).exists():
            _copy(log_of(source), log_of(target), None)
    except OSError as error:
        raise StorageError(
            f"can't copy {source} to {target.parent}: {error.strerror}; check the file, the folder "
            "and its free space"
        ) from None
    size = target.stat().st_size
    if digest_of(target, lambda done, total: told(done, total, size)) != digest:
        raise StorageError(
            f"the disk of {target.parent} does not give back what was written to it: see dmesg"
        )
    if recorded is not None and digest != recorded:
        raise _differs(source)
    try:
        return BackupFacts(**vars(_examined(target, remedy)), sha256=digest)
    except StorageError as error:
        # The copy is as its original is, which is what people know.
        raise StorageError(str(error).replace(str(target), str(source))) from None


def is_replaced(path: Path) -> bool:
    """Tell whether a file is a database that a restore kept, whose last commits are in its log."""
    return BEFORE_RESTORE in path.name and recorded_checksum(path) is None


def is_of_predecessor(path: Path) -> bool:
    """Tell whether a file is a database of the hand-made predecessor, whose backups are named so.

    Raises:
        StorageError: It is no database that can be opened.
    """
    with closing(_opened(path)) as connection:
        return _is_of_predecessor(connection)


def _check_file(path: Path, remedy: str = ANOTHER) -> None:
    try:
        if not path.is_file():
            what = "is not a plain file" if path.exists() else "is not there"
            raise StorageError(f"{path} {what}: utxoracle backups tells what there is")
        size = path.stat().st_size
    except OSError as error:
        raise StorageError(
            f"{path} can't be read: {error.strerror}; check its owner and its disk"
        ) from None
    if not size:
        raise StorageError(f"{path} is empty: use another backup")
    log = log_of(path)
    if log.exists() and not is_replaced(path):
        # DuckDB would read it together with the file, which nothing vouches for.
        raise StorageError(
            f"{log} beside the backup shows that somebody wrote to it: {remedy}, or move that log "
            "away"
        )


def _copy(source: Path, target: Path, progress: Progress | None) -> str:
    """Copy a file to the disk, and return the checksum of what was read."""
    with source.open("rb") as file, new_file(target, MODE) as copy:
        return read_through(file, os.fstat(file.fileno()).st_size, copy, progress)


def _differs(path: Path) -> StorageError:
    return StorageError(
        f"{path} is not as it was made: its checksum differs from that in "
        f"{checksum_file(path).name}; use another backup"
    )


def _examined(path: Path, remedy: str = ANOTHER) -> DatabaseFacts:
    """Return what is in a database, all of which is read."""
    from utxoracle.store.queries import Reader

    with closing(_opened(path, remedy)) as connection:
        if _is_of_predecessor(connection):
            raise StorageError(
                f"{path} is a backup of the hand-made predecessor, not of utxoracle: "
                "utxoracle migrate takes over its prices"
            )
        reader = Reader(connection)
        version = reader.schema_version
        connection.check_length()
        for name in _tables(connection):
            # DuckDB notices a damaged page only when it is read.
            connection.query(f'SELECT bit_xor(hash(rows)) FROM "{name}" AS rows')  # noqa: S608
        counts = reader.counts()
        if trouble := _trouble_in(connection, counts):
            raise StorageError(f"{path} is torn ({trouble}): {remedy}")
        return DatabaseFacts(
            size=path.stat().st_size,
            network=reader.network,
            schema_version=version,
            revision=reader.revision,
            counts=counts,
        )


def _trouble_in(connection: "Connection", counts: "Counts") -> str | None:
    """Return what a database holds that no commit leaves."""
    from utxoracle.sources.days import WINDOW

    first, last = counts.first_height or 0, counts.last_height or 0
    if counts.blocks and counts.blocks != last - first + 1:
        return _NO_CHAIN
    for height in range(first, last, _AT_ONCE):
        # The last of them is the first of the next.
        if connection.query(_TORN_BLOCKS, [height, height + _AT_ONCE]) != [(0,)]:
            return _NO_CHAIN
    for trouble, query in _UNSOUND.items():
        if connection.query(query, [WINDOW] * query.count("?")) != [(0,)]:
            return trouble
    return None


def _opened(path: Path, remedy: str = ANOTHER) -> "Connection":
    from utxoracle.store.connection import Connection

    return Connection.open_read_only(path, lambda: remedy)


def _tables(connection: "Connection") -> list[str]:
    rows = connection.query(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() "
        "ORDER BY table_name"
    )
    return [name for (name,) in rows]


def _is_of_predecessor(connection: "Connection") -> bool:
    tables = _tables(connection)
    return "price_analysis" in tables and "meta" not in tables
