"""Passwords in files of their own."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from utxoracle.atomic import write_atomically
from utxoracle.errors import StorageError

FOLDER = Path("mempool/config/secrets")
"""Below the base folder: the passwords travel with the disk of the database."""


@dataclass(frozen=True)
class Secret:
    """Something that is never shown.

    Attributes:
        name: Name of its file in FOLDER.
        data: What the file holds.
    """

    name: str
    data: bytes = field(repr=False)


def write_secrets(base: Path, secrets: Iterable[Secret], remarks: list[str]) -> list[Path]:
    """Write secrets below `base`, readable for their owner alone; return the files made now.

    A file that holds the same already only loses the rights that others have. One that holds
    something else, or is a link, is left as it is; `remarks` says so.

    Raises:
        StorageError: A file can't be read or written.
    """
    folder = base / FOLDER
    wanted = {folder / one.name: one.data for one in secrets}
    if not wanted:
        return []
    try:
        if link := link_to_secrets(base):
            raise StorageError(f"{link} is a link: put a folder in its place")
        folder.mkdir(0o700, parents=True, exist_ok=True)
        _make_private(folder)
        missing = [path for path in wanted if not os.path.lexists(path)]
        for path in missing:
            write_atomically(path, wanted[path], mode=0o600)
        for path, data in wanted.items():
            if not _is_kept_private(path, data):
                remarks.append(f"{path} differs from the old setting, and is kept: compare them")
    except OSError as error:
        raise StorageError(
            f"can't write {error.filename or folder}: {error.strerror}; check the folder, its "
            "owner and its disk"
        ) from None
    return missing


def link_to_secrets(base: Path) -> Path | None:
    """Return what on the way from `base` to the passwords is a link; None if nothing is."""
    # Whoever owns the base folder could lead root to any other by it.
    way = [base / FOLDER, *(base / above for above in FOLDER.parents[:-1])]
    return next((path for path in reversed(way) if path.is_symlink()), None)


def _make_private(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(handle, 0o700)
    finally:
        os.close(handle)


def _is_kept_private(path: Path, data: bytes) -> bool:
    """Take the rights of others from a file that holds `data`; return whether it does."""
    # A link could lead a look, and a change of rights, anywhere; a pipe would hold both up.
    if not stat.S_ISREG(path.lstat().st_mode):
        return False
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        if file.read() != data:
            return False
        os.fchmod(file.fileno(), 0o600)
    return True
