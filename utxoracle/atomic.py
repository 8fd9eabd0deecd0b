"""Files that are whole or not there."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from filecmp import cmp
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from utxoracle.errors import StorageError

if TYPE_CHECKING:
    from tempfile import _TemporaryFileWrapper

LEFT_OVER = re.compile(r"\.utxoracle\.[a-z0-9_]{8}")
"""What a file is called that isn't whole yet; one that stays is of a process that was killed."""


def write_atomically(
    path: Path, data: bytes, *, mode: int | None = None, durable: bool = True
) -> None:
    """Write `data` to `path` so that a crash leaves either the old file or the new one.

    Args:
        path: The file.
        data: All that it shall hold.
        mode: As for `atomic_file`.
        durable: The same.

    Raises:
        StorageError: The folder is missing, read-only or full, or `path` is not a plain file.
    """
    with atomic_file(path, mode=mode, durable=durable) as file:
        file.write(data)


@contextmanager
def atomic_file(
    path: Path, *, mode: int | None = None, durable: bool = True, keep_equal: bool = False
) -> Iterator["_TemporaryFileWrapper[bytes]"]:
    """Give a file to write to, which is `path` as soon as the block has ended without an error.

    The bytes go to a temporary file beside it, reach the disk, and take the name in one step. So a
    crash leaves either the old file or the new one. The block may also let somebody else write to
    the name that the temporary file has.

    A symbolic link stays one: the file that it leads to is replaced.

    Args:
        path: The file.
        mode: Its permissions; what the umask leaves of 0o666 when not given.
        durable: Whether the bytes must reach the disk first. Without it a loss of power may leave
            a file that is cut short; only for what is checked when read and can be made anew.
        keep_equal: Whether a file that holds the same already stays as it is, times included.

    Raises:
        StorageError: The folder is missing, read-only or full, `path` is not a plain file, or the
            block raised an OSError.
    """
    path = writable_target(path)
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=".utxoracle.", delete=False) as file:
            temporary = Path(file.name)
            try:
                yield file
                file.flush()
                # Temporary files are private; what the user asked for follows their umask.
                os.fchmod(file.fileno(), 0o666 & ~_umask() if mode is None else mode)
                if durable:
                    os.fsync(file.fileno())
                file.close()
                if keep_equal and path.exists() and cmp(temporary, path, shallow=False):
                    return
                temporary.replace(path)
                if durable:
                    sync_folder(path.parent)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(_told(path, error)) from None


def writable_target(path: Path) -> Path:
    """Return where writing to `path` leads, so that long work need not be done in vain.

    Raises:
        StorageError: It could not be written.
    """
    try:
        # Not Path.resolve: at links that lead in a circle it does not do the same in all versions.
        target = Path(os.path.realpath(path))
        # A pipe of the shell has a name that leads nowhere.
        if target.is_symlink() or (path.exists() and not path.is_file()):
            raise StorageError(f"{path} is not a plain file; choose another name")
        target.parent.stat()
    except OSError as error:
        raise StorageError(_told(path, error)) from None
    if not os.access(target.parent, os.W_OK):
        raise StorageError(f"can't write {path}: its folder is not writable; choose another one")
    return target


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _told(path: Path, error: OSError) -> str:
    return f"can't write {path}: {error.strerror}; check the folder, its owner and the free space"
