"""The database, told by its bytes alone: to open it would keep a run from beginning.

What can't be looked at raises OSError.
"""

import os
from pathlib import Path

from utxoracle.jobs.file_locks import file_locks
from utxoracle.jobs.health import Check, CheckStatus
from utxoracle.store.folder import DUCKDB, DataFolder, not_there

_HEADERS = 3 * 4096
"""Bytes in front of the first page: DuckDB writes one of these headers with every checkpoint."""

_PIECE = 1 << 20
_LOCKS = Path("/proc/locks")


def database(folder: DataFolder) -> Check:
    """Check that the database is there, is one, and that no run has left a log beside it."""
    try:
        with folder.database.open("rb") as file:
            head = file.read(_HEADERS)
        has_log = folder.wal.exists()
    except FileNotFoundError:
        return Check(CheckStatus.ERROR, not_there(folder.database))
    place, magic = DUCKDB
    if len(head) < _HEADERS or head[place] != magic:
        return Check(
            CheckStatus.ERROR,
            f"{folder.database} is not a DuckDB database: run utxoracle restore latest",
        )
    if _is_locked(folder.lock):
        return Check(CheckStatus.OK, "a run is going on, and writes to it")
    if has_log:
        return Check(
            CheckStatus.WARNING,
            f"{folder.wal} is left of a run that was killed: run utxoracle analyze, which puts it "
            "in order",
        )
    return Check(CheckStatus.OK, f"{folder.database} is there, and no run has left it in disorder")


def published(folder: DataFolder) -> Check:
    """Check that the snapshot is the copy of what the database holds now, byte for byte."""
    try:
        before = _marks(folder)
        differing = _first_difference(folder.database, folder.snapshot)
        has_log = folder.wal.exists()
        is_busy = _is_locked(folder.lock) or _marks(folder) != before
    except FileNotFoundError as error:
        return Check(CheckStatus.UNKNOWN, f"not known, since {error.filename} is not there")
    if differing is None:
        return Check(CheckStatus.OK, "the snapshot is a copy of the database as it is now")
    if is_busy:
        return Check(CheckStatus.UNKNOWN, "a run is going on: look again when it has ended")
    if has_log:
        return Check(
            CheckStatus.WARNING,
            "a run was killed before it published: run utxoracle analyze, which puts it in order",
        )
    if differing == 0:
        return Check(
            CheckStatus.ERROR,
            "the snapshot is not of what the database holds now: run utxoracle analyze, which "
            "publishes it; if that fails, run utxoracle restore latest",
        )
    return Check(
        CheckStatus.ERROR,
        f"database and snapshot are of one state, but differ behind byte {differing:,}: unless the "
        "snapshot is told as damaged, the database is; run utxoracle restore latest",
    )


def _first_difference(one: Path, other: Path) -> int | None:
    """Return where the first piece begins in which two files differ; None where they are equal."""
    with one.open("rb") as left, other.open("rb") as right:
        at = 0
        # The headers are a piece of their own, since what they tell is another thing.
        length = _HEADERS
        while True:
            mine, theirs = left.read(length), right.read(length)
            if mine != theirs:
                return at
            if not mine:
                return None
            at, length = at + len(mine), _PIECE


def _marks(folder: DataFolder) -> list[tuple[int, int, int]]:
    found = []
    for path in (folder.database, folder.snapshot):
        status = path.stat()
        found.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return found


def _is_locked(lock: Path) -> bool:
    """Tell whether a process holds the lock, as the kernel lists it.

    To take it, if only for a moment, would make a run fail that begins just then.
    """
    try:
        status = lock.stat()
        listed = _LOCKS.read_text()
    except OSError:
        return False
    return any(
        one.kind == "FLOCK" and one.inode == status.st_ino and _is_of(status.st_dev, one.device)
        for one in file_locks(listed)
    )


def _is_of(device: int, listed: int) -> bool:
    # A number of major 0 is no disk's: a btrfs and each of its subvolumes have their own.
    major = os.major(listed)
    return os.major(device) == major and (major == 0 or os.minor(device) == os.minor(listed))
