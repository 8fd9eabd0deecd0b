"""Which backups there are, and whether each is good."""

from dataclasses import dataclass

from utxoracle.errors import StorageError
from utxoracle.jobs.backup import folder_to_read
from utxoracle.jobs.report import duration
from utxoracle.settings import Settings
from utxoracle.store.backup_files import BackupFile, Progress, recorded_checksum
from utxoracle.store.backups import BackupFacts, backups_in, checked, is_of_predecessor

_MOST_AHEAD = 86_400
"""Seconds from now: as far as a date in a name may be ahead."""


@dataclass(frozen=True)
class ListedBackup:
    """A backup, and what was found of it.

    Attributes:
        file: The file.
        size: Its bytes; None when that can't be told.
        facts: What is in it, if it was read and is good.
        trouble: Why it isn't good; None if nothing was found against it.
        is_of_predecessor: Whether the hand-made predecessor made it, so that it is none of ours.
    """

    file: BackupFile
    size: int | None
    facts: BackupFacts | None
    trouble: str | None
    is_of_predecessor: bool = False


def backups(
    settings: Settings, *, quick: bool = False, progress: Progress | None = None
) -> list[ListedBackup]:
    """Return all backups, newest first, each of which is read from end to end.

    Args:
        settings: Where they are.
        quick: Whether only names and checksum files are looked at.
        progress: Told how many bytes are read.

    Raises:
        StorageError: Their folder can't be read or isn't there.
    """
    files = backups_in(folder_to_read(settings))
    total = sum(_size(file) or 0 for file in files)
    listed: list[ListedBackup] = []
    for file in files:
        before = sum(backup.size or 0 for backup in listed)

        def told(done: int, _: int, before: int = before) -> None:
            if progress:
                progress(before + done, total)

        listed.append(_looked_at(file) if quick else _read(file, told))
    return listed


def trouble_with_date(file: BackupFile, now: float) -> str | None:
    """Tell what is wrong with a backup that is dated more than a day ahead, None for others."""
    ahead = file.made - now
    if ahead < _MOST_AHEAD:
        return None
    return (
        f"{file.path.name} is dated {duration(ahead)} from now: the clock was wrong when it was "
        "made: rename or move it"
    )


def _looked_at(file: BackupFile) -> ListedBackup:
    try:
        trouble = None if recorded_checksum(file.path) else "it has no checksum beside it"
    except StorageError as error:
        trouble = str(error)
    return ListedBackup(file, _size(file), None, trouble, _is_of_predecessor(file))


def _read(file: BackupFile, progress: Progress) -> ListedBackup:
    try:
        return ListedBackup(file, _size(file), checked(file.path, progress=progress), None)
    except StorageError as error:
        return ListedBackup(file, _size(file), None, str(error), _is_of_predecessor(file))


def _is_of_predecessor(file: BackupFile) -> bool:
    try:
        return recorded_checksum(file.path) is None and is_of_predecessor(file.path)
    except StorageError:
        return False


def _size(file: BackupFile) -> int | None:
    try:
        return file.path.stat().st_size
    except OSError:
        return None
