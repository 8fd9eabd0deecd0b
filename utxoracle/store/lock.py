"""One run at a time, and one backup: whatever writes holds its lock."""

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from utxoracle.errors import StorageError
from utxoracle.store.folder import DataFolder

_HOLDER = re.compile(rb"([0-9]+) since ([0-9: -]+ UTC)\n")
_LONGEST_HOLDER = 100


@contextmanager
def run_lock(folder: DataFolder) -> Iterator[None]:
    """Hold the lock of a data folder for as long as the block runs.

    Raises:
        StorageError: Another run holds it, or the lock file can't be written.
    """
    advice = "wait for it, or see journalctl -u utxoracle-analyze"
    with _held(folder.lock, "another run is going on", advice):
        yield


@contextmanager
def backup_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder of backups for as long as the block runs.

    Raises:
        StorageError: Another backup holds it, or the lock file can't be written.
    """
    with _held(folder / ".lock", f"another backup is being made in {folder}", "wait for it"):
        yield


@contextmanager
def dump_lock(folder: Path) -> Iterator[None]:
    """Keep other dumps of MariaDB out of a folder of backups for as long as the block runs.

    The folder itself is locked: a lock file of root's would keep out whoever makes other backups.

    Raises:
        StorageError: Another dump is being written, or the folder can't be opened.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StorageError(
            f"{folder} can't be used: {error.strerror}; run utxoracle backup, which makes the "
            "usual one, mount its disk, or choose another by --to"
        ) from None
    try:
        if not _is_taken(handle, folder):
            raise StorageError(f"another dump is being written to {folder}: wait for it")
        yield
    finally:
        os.close(handle)


@contextmanager
def database_lock(folder: DataFolder) -> Iterator[None]:
    """Keep every DuckDB off the database for as long as the block runs, if it is a plain file.

    Under `run_lock`, and nothing in the block may open that file: the lock goes as soon as this
    process closes any handle of it (POSIX). It sees DuckDB's own lock, whatever became of the file.

    Raises:
        StorageError: Another program has it open, or it can't be locked.
    """
    path = folder.database
    if not path.is_file():
        yield
        return
    try:
        file = path.open("r+b")
    except OSError as error:
        raise StorageError(
            f"can't write {path}: {error.strerror}; check its owner and its disk"
        ) from None
    with file:
        if not _is_taken(file.fileno(), path, fcntl.lockf):
            raise StorageError(f"{path} is in use by another program: close it, then run again")
        yield


@contextmanager
def _held(path: Path, conflict: str, advice: str) -> Iterator[None]:
    """Hold the lock of a file.

    The kernel releases it when the process ends, however it does. The file is never removed: two
    processes could hold locks on two files of one name. Those that are started don't inherit it.
    """
    try:
        # Python closes what it opens in programs that it starts (PEP 446).
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o640)
    except OSError as error:
        raise StorageError(
            f"can't write {path}: {error.strerror}; check its owner and its disk"
        ) from None
    try:
        _take(handle, path, conflict, advice)
        yield
    finally:
        os.close(handle)


def _take(handle: int, path: Path, conflict: str, advice: str) -> None:
    if not _is_taken(handle, path):
        raise StorageError(f"{conflict}{_holder(handle)}: {advice}")
    # Who holds it is only for people: a full disk mustn't keep a run from saying so itself.
    with suppress(OSError):
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()} since {since}\n".encode(), 0)


def _is_taken(handle: int, path: Path, lock: Callable[[int, int], None] = fcntl.flock) -> bool:
    """Take a lock, and return whether it was free."""
    try:
        lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StorageError(
            f"can't lock {path}: {error.strerror}; use a disk that knows locks"
        ) from None
    return True


def _holder(handle: int) -> str:
    """Return who holds the lock, as far as the file tells."""
    match = _HOLDER.fullmatch(os.pread(handle, _LONGEST_HOLDER, 0))
    return f" (pid {match[1].decode()}, since {match[2].decode()})" if match else ""
