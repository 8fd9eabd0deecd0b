"""Files of backups: their names, their checksums, and which go when another is made."""

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from utxoracle.errors import StorageError
from utxoracle.settings import Settings

MODE = 0o640
"""Of a backup of our database, and of its checksum."""

Progress = Callable[[int, int], None]
"""Is told how many bytes are done, and of how many."""

# What sha256sum writes, and no other spelling of it: a flipped bit must not pass for one.
_CHECKSUM = re.compile(r"([0-9a-f]{64})  ([^\n]+)\n")
_LONGEST_CHECKSUM = 1000
_CHUNK = 1 << 20

_SECONDS_OF_DAY = 86_400
_DAY = "%Y-%m-%d"
_SECOND = "%Y-%m-%d_%H%M%S"


@dataclass(frozen=True)
class BackupFile:
    """A file that has the name of a backup, whatever is in it.

    Attributes:
        path: Where it is.
        day: The UTC day of its name.
        made: When it was made, seconds since 1970 UTC. The first of a day has no time in its
            name: that of its last change counts where it is of that day, else its midnight.
    """

    path: Path
    day: date
    made: float


def dated_files(folder: Path, prefix: str, suffix: str) -> list[BackupFile]:
    """Return the files in `folder` whose names hold a date between `prefix` and `suffix`.

    The newest come first; those that have no checksum beside them are among them. None where the
    folder isn't there.

    Raises:
        StorageError: It can't be read.
    """
    name = re.compile(rf"{re.escape(prefix)}(\d{{4}}-\d\d-\d\d)(?:_(\d{{6}}))?{re.escape(suffix)}")
    found = []
    try:
        for path in folder.iterdir():
            match = name.fullmatch(path.name)
            named = _moment(match[1], match[2]) if match else None
            if match and named and (status := _status(path)) and stat.S_ISREG(status.st_mode):
                changed = status.st_mtime
                day_start = named.timestamp()
                is_of_day = not match[2] and 0 <= changed - day_start < _SECONDS_OF_DAY
                found.append(BackupFile(path, named.date(), changed if is_of_day else day_start))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(
            f"{folder} can't be read: {error.strerror}; check its owner and its disk"
        ) from None
    # By name, as the time of the last change may be that of a later copy.
    return sorted(found, key=lambda backup: backup.path.name, reverse=True)


def checksum_file(path: Path) -> Path:
    """Return where the checksum of a backup stands, in the form of sha256sum."""
    return path.with_name(f"{path.name}.sha256")


@contextmanager
def new_file(path: Path, mode: int) -> Iterator[BinaryIO]:
    """Give a file that isn't there yet, and has reached the disk when the block is left.

    Never what somebody else has put there: whoever owns the folder may be trusted less than root.

    Raises:
        OSError: It is there, or can't be written.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        yield file
        file.flush()
        os.fsync(file.fileno())


def write_checksum(file: Path, sha256: str, name: str, mode: int) -> None:
    """Write a checksum to the disk, in the form of sha256sum, to a file that isn't there yet.

    Raises:
        OSError: It can't be written.
    """
    with new_file(file, mode) as content:
        content.write(f"{sha256}  {name}\n".encode())


def recorded_checksum(path: Path) -> str | None:
    """Return the checksum that was recorded for a backup when it was made; None without one.

    Raises:
        StorageError: What is recorded is no checksum, or that of another file.
    """
    file = checksum_file(path)
    try:
        # Not to wait for a pipe, by which whoever owns the folder could hold up root.
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as content:
            is_plain = stat.S_ISREG(os.fstat(handle).st_mode)
            text = content.read(_LONGEST_CHECKSUM) if is_plain else b""
            match = _CHECKSUM.fullmatch(text.decode("ascii", "replace"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(
            f"{file} can't be read: {error.strerror}; check its owner and its disk"
        ) from None
    if not match or match[2] != path.name:
        raise StorageError(
            f"{file} is damaged, or of another file, so nothing tells whether {path.name} is "
            "whole: use another backup"
        )
    return match[1]


def digest_of(path: Path, progress: Progress | None = None) -> str:
    """Return the SHA-256 of a file as it is on the disk, not as it is remembered in memory.

    Raises:
        StorageError: It can't be read.
    """
    try:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            return read_through(file, os.fstat(file.fileno()).st_size, None, progress)
    except OSError as error:
        raise StorageError(
            f"{path} can't be read: {error.strerror}; check its owner and its disk"
        ) from None


def read_through(
    file: BinaryIO, size: int, copy: "BinaryIO | None", progress: Progress | None
) -> str:
    """Return the SHA-256 of what is left of a file, which may be written to another one meanwhile.

    Raises:
        OSError: It can't be read, or the other can't be written.
    """
    digest = hashlib.sha256()
    done = 0
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        done += len(chunk)
        if copy:
            copy.write(chunk)
        if progress:
            progress(done, max(done, size))
    return digest.hexdigest()


def free_name(folder: Path, prefix: str, suffix: str) -> Path:
    """Return a name by the day (UTC) that no file has yet; with the time for all but its first."""
    while True:
        now = datetime.now(UTC)
        # Without a time it would come before those that have one, though the first is removed.
        is_first = not any(folder.glob(f"{prefix}{now.strftime(_DAY)}*{suffix}"))
        path = folder / f"{prefix}{now.strftime(_DAY if is_first else _SECOND)}{suffix}"
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

    Only those with a checksum of their own, and as long as `backup_keep_min` good ones stay. None
    right after an unusual pause that is longer than they stay: it may be the clock that is wrong.

    Args:
        made: The one that was made just now, and is good.
        others: The other ones, the newest first.
        settings: How many stay for how long.
        is_good: Reads one, and tells whether it could be used.

    Raises:
        StorageError: One can't be removed.
    """
    now = time.time()
    kept_for = settings.backup_keep_days * _SECONDS_OF_DAY
    oldest = now - kept_for
    if _is_unusual_pause([now, *(other.made for other in others[:2])], kept_for):
        return ()
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


def _is_unusual_pause(newest: list[float], kept_for: float) -> bool:
    """Tell whether the last backup is too far from the one before it, but for a rhythm.

    Args:
        newest: When the last three were made, or as many as there are; the last one first.
        kept_for: Seconds for which backups stay.
    """
    # A day more than any timer is late by.
    limit = max(kept_for, _SECONDS_OF_DAY) + _SECONDS_OF_DAY
    is_long = [later - earlier > limit for later, earlier in pairwise(newest)]
    return is_long[:1] == [True] and is_long[1:] != [True]


def _is_ours(path: Path) -> bool:
    try:
        return recorded_checksum(path) is not None
    except StorageError:
        return False


def _status(path: Path) -> os.stat_result | None:
    """Return what kind of file it is and when it changed, None where it has gone meanwhile."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _moment(day: str, time_of_day: str | None) -> datetime | None:
    """Return the moment that a name tells, None where there is no such day or time."""
    try:
        return datetime.fromisoformat(f"{day}T{time_of_day or '000000'}+00:00")
    except ValueError:
        return None
