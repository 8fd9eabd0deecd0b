"""A backup of the mempool back end's database: dumped, verified, and given its name only then."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from utxoracle.atomic import sync_folder
from utxoracle.errors import StorageError, UsageError
from utxoracle.jobs.mempool_dump import Content, content_of, dump
from utxoracle.settings import Settings
from utxoracle.store.backup_files import (
    BackupFile,
    checksum_file,
    dated_files,
    digest_of,
    free_name,
    new_file,
    recorded_checksum,
    remove_old,
    write_checksum,
)
from utxoracle.store.folder import check_free
from utxoracle.store.lock import dump_lock
from utxoracle.store.mounts import check_mounted

MODE = 0o600
"""Of a dump: root makes it, in a folder that others can read."""

_PREFIX, _SUFFIX = "mempool_db_", ".sql.gz"
_IN_PROGRESS = ".mempool_db.sql.gz.new"


@dataclass(frozen=True)
class MempoolBackup:
    """A backup of the mempool back end's database that was made.

    Attributes:
        path: Where it is.
        size: Its bytes.
        sha256: Their checksum, 64 hex digits.
        sql_size: Bytes of SQL that are packed in it.
        seconds: How long it took.
        removed: Older ones that were removed.
    """

    path: Path
    size: int
    sha256: str
    sql_size: int
    seconds: float
    removed: tuple[Path, ...]


def backup_mempool_db(
    settings: Settings, *, container: str, database: str, progress: Callable[[int], None]
) -> MempoolBackup:
    """Dump a database of MariaDB in a container, verify the dump, and remove those too old.

    Args:
        settings: Where backups are, and which ones stay.
        container: Name of the container.
        database: Name of the database.
        progress: Told how many bytes of SQL have come.

    Raises:
        UsageError: A name is empty.
        SourceError: podman or MariaDB gave no dump, or not all of it.
        DataError: The database holds no table.
        StorageError: The disk is not mounted, the dump can't be written, or another one is being
            made. What was there stays.
    """
    started = time.monotonic()
    for option, name in (("container", container), ("database", database)):
        if not name:
            raise UsageError(f"the name of the {option} is empty: leave --{option} out, or give it")
    check_mounted(settings)
    folder = settings.backup_folder()

    def told(count: int) -> None:
        # How large it gets nobody knows, and what else is on the disk needs room, too.
        check_free(folder, 0)
        progress(count)

    with dump_lock(folder):
        temporary = folder / _IN_PROGRESS
        try:
            # What a dump that was killed has left.
            temporary.unlink(missing_ok=True)
            newest = mempool_backups_in(folder)[:1]
            check_free(folder, sum(one.path.stat().st_size for one in newest))
            content, sha256 = _write(temporary, container, database, told)
            size = temporary.stat().st_size
            path = _give_name(temporary, sha256)
        except OSError as error:
            raise StorageError(
                f"can't write to {folder}: {error.strerror}; check its owner and the free space"
            ) from None
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        others = [other for other in mempool_backups_in(folder) if other.path != path]
        removed = remove_old(path, others, settings, _is_good)
    return MempoolBackup(path, size, sha256, content.size, time.monotonic() - started, removed)


def mempool_backups_in(folder: Path) -> list[BackupFile]:
    """Return the dumps in `folder`, the newest first; none where it isn't there.

    Raises:
        StorageError: It can't be read.
    """
    return dated_files(folder, _PREFIX, _SUFFIX)


def is_of_dump(path: Path) -> bool:
    """Tell by its name whether dumps make such a file: it is root's, in whose folder ever."""
    return path.name.startswith((_PREFIX, _IN_PROGRESS))


def _write(
    path: Path, container: str, database: str, progress: Callable[[int], None]
) -> tuple[Content, str]:
    """Write a dump to the disk, check that it reads back, and return the file's checksum, too."""
    with new_file(path, MODE) as file:
        content = dump(container, database, file, progress)
    # This reads from the disk itself; what is unpacked behind it are the same bytes.
    sha256 = digest_of(path)
    if content_of(path) != content:
        raise StorageError(
            f"the disk of {path.parent} does not give back what was written to it: see dmesg"
        )
    return content, sha256


def _give_name(temporary: Path, sha256: str) -> Path:
    """Let a dump be a backup, and return where it is."""
    path = free_name(temporary.parent, _PREFIX, _SUFFIX)
    # Before the dump has its name: without a checksum it would count as somebody else's.
    checksum_file(path).unlink(missing_ok=True)
    write_checksum(checksum_file(path), sha256, path.name, MODE)
    temporary.rename(path)
    sync_folder(path.parent)
    return path


def _is_good(path: Path) -> bool:
    try:
        return digest_of(path) == recorded_checksum(path)
    except StorageError:
        return False
