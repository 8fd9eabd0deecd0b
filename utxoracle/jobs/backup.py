"""A backup: the published database copied, verified, and given its name only then."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from utxoracle.atomic import sync_folder
from utxoracle.errors import StorageError
from utxoracle.settings import Settings
from utxoracle.store.backup_files import (
    MODE,
    Progress,
    checksum_file,
    free_name,
    remove_old,
    write_checksum,
)
from utxoracle.store.backups import (
    PREFIX,
    SUFFIX,
    BackupFacts,
    backups_in,
    checked,
    copy_checked,
)
from utxoracle.store.folder import (
    REPUBLISH,
    DataFolder,
    check_access,
    check_free,
    check_owner,
    no_snapshot,
)
from utxoracle.store.lock import backup_lock
from utxoracle.store.mounts import check_mounted


@dataclass(frozen=True)
class MadeBackup:
    """A backup that was made.

    Attributes:
        path: Where it is.
        facts: What is in it.
        seconds: How long it took.
        removed: Older ones that were removed.
    """

    path: Path
    facts: BackupFacts
    seconds: float
    removed: tuple[Path, ...]


def backup(settings: Settings, *, progress: Progress | None = None) -> MadeBackup:
    """Make a backup of the published database, verify it, and remove those that are too old.

    Needs no lock of a run, and writes nothing but into the folder of the backups. A backup of the
    day's name is never replaced: a second one has the time in its name.

    Args:
        settings: Where the database and its backups are, and which backups stay.
        progress: Told how many bytes of the work are done.

    Raises:
        StorageError: The disk is not mounted, there is nothing to back up, it can't be written, or
            it isn't good; or another backup is being made. What was there stays.
    """
    started = time.monotonic()
    check_mounted(settings)
    data = DataFolder(settings.data_folder())
    folder = settings.backup_folder()
    size = _published_size(data)
    if settings.backup_dir is None and not folder.is_symlink():
        _make_default(data, folder)
    check_backup_folder(folder)
    check_owner(folder)
    check_access(folder, os.R_OK | os.W_OK | os.X_OK)
    with backup_lock(folder):
        _remove_left_overs(folder)
        check_free(folder, size)
        path, facts = _make(data, folder, progress)
        others = [one for one in backups_in(folder) if one.path != path]
        removed = remove_old(path, others, settings, partial(_is_good, network=facts.network))
    return MadeBackup(path, facts, time.monotonic() - started, removed)


def folder_to_read(settings: Settings) -> Path:
    """Return the folder of the backups, which may be missing only in a data folder that is there.

    Raises:
        StorageError: It isn't there: its disk may not be mounted.
    """
    folder, data = settings.backup_folder(), settings.data_folder()
    if settings.backup_dir is not None or folder.is_symlink():
        check_backup_folder(folder)
        return folder
    # Why one may not be looked at is told where it is read.
    with suppress(OSError):
        if not data.exists():
            raise StorageError(
                f"{data} is not there, nor are backups in it: mount its disk, or name another "
                "folder with --from"
            )
    return folder


def check_backup_folder(folder: Path) -> None:
    """Check that the folder of the backups is there; it is never made where it was named.

    Raises:
        StorageError: It isn't: its disk may not be mounted.
    """
    try:
        if folder.is_dir():
            return
        is_there = folder.exists()
    except OSError as error:
        raise StorageError(
            f"{folder} can't be used: {error.strerror}; check the modes and owners of the folders "
            "that lead to it"
        ) from None
    if is_there:
        raise StorageError(f"{folder} is not a folder; choose another name")
    if folder.is_symlink():
        raise StorageError(
            f"{folder} leads to {folder.resolve()}, which is not there: mount its disk"
        )
    raise StorageError(f"{folder} is not there: mount its disk, or make it: mkdir {folder}")


def _published_size(data: DataFolder) -> int:
    try:
        return data.snapshot.stat().st_size
    except OSError as error:
        if isinstance(error, FileNotFoundError) and data.database.exists():
            raise StorageError(
                f"{data.snapshot} is not there, so nothing can be backed up: run utxoracle "
                "analyze, which publishes it"
            ) from None
        raise no_snapshot(data, error) from None


def _make_default(data: DataFolder, folder: Path) -> None:
    check_owner(data.path)
    try:
        folder.mkdir(0o750, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"can't make the folder {folder}: {error.strerror}; check {data.path}"
        ) from None


def _remove_left_overs(folder: Path) -> None:
    """Remove what backups have left that were killed."""
    try:
        for path in folder.glob(".utxoracle_cache_*.new"):
            path.unlink()
    except OSError as error:
        raise StorageError(
            f"can't remove old files in {folder}: {error.strerror}; check its owner"
        ) from None


def _make(data: DataFolder, folder: Path, progress: Progress | None) -> tuple[Path, BackupFacts]:
    path = free_name(folder, PREFIX, SUFFIX)
    temporary = _unfinished(path)
    checksum = _unfinished(checksum_file(path))
    try:
        facts = copy_checked(data.snapshot, temporary, remedy=REPUBLISH, progress=progress)
        write_checksum(checksum, facts.sha256, path.name, MODE)
        # A checksum without its backup does no harm; a backup without its checksum would count
        # as somebody else's.
        checksum.replace(checksum_file(path))
        temporary.replace(path)
        sync_folder(folder)
    except OSError as error:
        raise StorageError(
            f"can't write {path}: {error.strerror}; check the folder and its free space"
        ) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
            checksum.unlink(missing_ok=True)
    return path, facts


def _unfinished(path: Path) -> Path:
    """Return what a file is called as long as it isn't whole."""
    return path.with_name(f".{path.name}.new")


def _is_good(path: Path, *, network: str) -> bool:
    try:
        return checked(path).network == network
    except StorageError:
        return False
