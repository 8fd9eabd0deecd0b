"""Files that are whole or not there."""

import os
import tempfile
from pathlib import Path

from utxoracle.errors import StorageError


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a crash leaves either the old file or the new one.

    The bytes go to a temporary file beside it, reach the disk, and take the name in one step.

    Raises:
        StorageError: The folder is missing, read-only or full, or `path` is not a plain file.
    """
    if path.exists() and not path.is_file():
        raise StorageError(f"{path} is not a plain file; choose another name")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise StorageError(_told(path, error)) from None
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            # mkstemp makes files private; what the user asked for follows their umask.
            os.fchmod(file.fileno(), 0o666 & ~_umask())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise StorageError(_told(path, error)) from None
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
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
