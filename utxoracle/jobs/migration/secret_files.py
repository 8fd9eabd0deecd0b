"""Passwords in files of their own."""

import os
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
        # Whoever owns the base folder could lead root to any other by it.
        if folder.is_symlink():
            raise StorageError(f"{folder} is a link: put a folder in its place")
        folder.mkdir(0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        missing = [path for path in wanted if not os.path.lexists(path)]
        for path in missing:
            write_atomically(path, wanted[path], mode=0o600)
        for path, data in wanted.items():
            # A link could lead a look, and a change of rights, anywhere.
            if path.is_symlink() or not path.is_file() or path.read_bytes() != data:
                remarks.append(f"{path} differs from the old setting, and is kept: compare them")
            else:
                path.chmod(0o600)
    except OSError as error:
        raise StorageError(
            f"can't write {error.filename or folder}: {error.strerror}; check the folder, its "
            "owner and its disk"
        ) from None
    return missing
