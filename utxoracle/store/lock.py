"""One run at a time: whatever writes holds this lock."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from utxoracle.errors import StorageError
from utxoracle.store.folder import DataFolder

_HOLDER = re.compile(rb"([0-9]+) since ([0-9: -]+ UTC)\n")
_LONGEST_HOLDER = 100


@contextmanager
def run_lock(folder: DataFolder) -> Iterator[None]:
    """Hold the lock of `folder` for as long as the block runs.

    The kernel releases it when the process ends, however it does. The file is never removed: two
    runs could hold locks on two files of one name. Processes that are started don't inherit it.

    Raises:
        StorageError: Another run holds it, or the lock file can't be written.
    """
    try:
        # Python closes what it opens in programs that it starts (PEP 446).
        handle = os.open(folder.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o640)
    except OSError as error:
        raise StorageError(
            f"can't write {folder.lock}: {error.strerror}; check its owner and its disk"
        ) from None
    try:
        _take(handle, folder)
        yield
    finally:
        os.close(handle)


def _take(handle: int, folder: DataFolder) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StorageError(
            f"another run is going on{_holder(handle)}: wait for it, or see "
            "journalctl -u utxoracle-analyze"
        ) from None
    except OSError as error:
        raise StorageError(
            f"can't lock {folder.lock}: {error.strerror}; use a disk that knows locks"
        ) from None
    # Who holds it is only for people: a full disk mustn't keep a run from saying so itself.
    with suppress(OSError):
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()} since {since}\n".encode(), 0)


def _holder(handle: int) -> str:
    """Return who holds the lock, as far as the file tells."""
    match = _HOLDER.fullmatch(os.pread(handle, _LONGEST_HOLDER, 0))
    return f" (pid {match[1].decode()}, since {match[2].decode()})" if match else ""
