"""Files of backups: what they are called, and which of them go when another is made."""

import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from utxoracle.errors import StorageError
from utxoracle.settings import Settings
from utxoracle.store.backups import BackupFile, checksum_file, recorded_checksum

_SECONDS_OF_DAY = 86_400
_DAY = "%Y-%m-%d"
_SECOND = "%Y-%m-%d_%H%M%S"


def dated_files(folder: Path, prefix: str, suffix: str) -> list[BackupFile]:
    """Return the files in `folder` whose names hold a date between `prefix` and `suffix`.

    The newest come first; those that have no checksum beside them are among them.

    Raises:
        StorageError: The folder can't be read.
    """
    name = re.compile(rf"{re.escape(prefix)}(\d{{4}}-\d\d-\d\d(?:_\d{{6}})?){re.escape(suffix)}")
    found = []
    try:
        for path in folder.iterdir():
            match = name.fullmatch(path.name)
            moment = _moment(match[1]) if match else None
            if moment and path.is_file():
                found.append(BackupFile(path, moment.date(), moment.timestamp()))
    except OSError as error:
        raise StorageError(
            f"{folder} can't be read: {error.strerror}; check its owner and its disk"
        ) from None
    return sorted(found, key=lambda backup: backup.path.name, reverse=True)


def free_name(folder: Path, prefix: str, suffix: str) -> Path:
    """Return a name by the day (UTC) that no file has yet; with the time where one has it."""
    while True:
        now = datetime.now(UTC)
        for form in (_DAY, _SECOND):
            path = folder / f"{prefix}{now.strftime(form)}{suffix}"
            if not os.path.lexists(path):
                return path
        # Two in one second.
        time.sleep(0.1)


def remove_old(
    made: Path,
    others: list[BackupFile],
    settings: Settings,
    is_good: Callable[[Path], bool],
) -> tuple[Path, ...]:
    """Remove backups that are older than `backup_keep_days`, and return which.

    Only those with a checksum of their own, and as long as `backup_keep_min` good ones stay.

    Args:
        made: The one that was made just now, and is good.
        others: The other ones, the newest first.
        settings: How many stay for how long.
        is_good: Reads one, and tells whether it could be used.

    Raises:
        StorageError: One can't be removed.
    """
    oldest = time.time() - settings.backup_keep_days * _SECONDS_OF_DAY
    expired = [other.path for other in others if other.made < oldest and _is_ours(other.path)]
    good = 1
    for other in others if expired else []:
        if good >= settings.backup_keep_min:
            break
        # Whatever is met before enough are good stays, for nothing but a good one replaces it.
        if other.path in expired:
            expired.remove(other.path)
        good += is_good(other.path)
    try:
        for path in expired:
            path.unlink()
            checksum_file(path).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"{made} is made, but older ones in {made.parent} can't be removed: {error.strerror}; "
            "check its owner"
        ) from None
    return tuple(expired)


def _is_ours(path: Path) -> bool:
    try:
        return recorded_checksum(path) is not None
    except StorageError:
        return False


def _moment(text: str) -> datetime | None:
    """Return the moment that a name tells, None where there is no such day or time."""
    try:
        form = _SECOND if "_" in text else _DAY
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
