"""The data folder: where everything is, and whether it can be written."""

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from utxoracle.atomic import LEFT_OVER
from utxoracle.errors import StorageError

SPARE_SPACE = 64 << 20
"""Bytes that must be free beside those for the copy of the database that is published."""

REPUBLISH = (
    "move it away and run utxoracle analyze, which publishes it anew; if that one isn't good "
    "either, run utxoracle restore latest"
)
"""What to do about a snapshot that isn't good: analyze looks no further than at its length."""

DUCKDB = slice(8, 12), b"DUCK"
"""Where in a file it stands, and what, that it is one of DuckDB."""

BEFORE_RESTORE = "before-restore-"
"""What stands between the name of a database that was replaced and the moment when it was."""


def log_of(database: Path) -> Path:
    """Return where DuckDB's log stands of commits that a database itself doesn't hold yet."""
    return database.with_name(f"{database.name}.wal")


@dataclass(frozen=True)
class DataFolder:
    """The folder that holds everything that is stored.

    Attributes:
        path: Where it is.
    """

    path: Path

    @property
    def database(self) -> Path:
        """The database, opened by the one writer only."""
        return self.path / "utxoracle_cache.db"

    @property
    def wal(self) -> Path:
        """DuckDB's log of commits that the database itself doesn't hold yet."""
        return log_of(self.database)

    @property
    def snapshot(self) -> Path:
        """The published copy, for all readers."""
        return self.path / "utxoracle_snapshot.db"

    @property
    def new_database(self) -> Path:
        """The database as long as it is being made."""
        return self.path / ".utxoracle_cache.db.new"

    @property
    def new_snapshot(self) -> Path:
        """The snapshot as long as it is being copied."""
        return self.path / ".utxoracle_snapshot.db.new"

    @property
    def scans(self) -> Path:
        """Folder of the scan cache."""
        return self.path / "scans"

    @property
    def last_run(self) -> Path:
        """What the last run did."""
        return self.path / "last_run.json"

    @property
    def lock(self) -> Path:
        """File that is locked by whatever writes."""
        return self.path / "lock"

    @property
    def replaced(self) -> list[Path]:
        """The databases that restores have taken the place of, oldest first."""
        found = self.path.glob(f"{self.database.name}.{BEFORE_RESTORE}*")
        return sorted(path for path in found if path.suffix != ".wal")

    @property
    def how_to_start_over(self) -> str:
        """What to do to begin anew, for the message of a failure."""
        return f"move {self.database} and {self.snapshot} away and run utxoracle init-db --anew"

    def check(self) -> None:
        """Check that this user can write the folder, and leave files that its owner can.

        Raises:
            StorageError: It can't be.
        """
        try:
            if not self.path.exists():
                raise StorageError(not_there(self.path))
            if not self.path.is_dir():
                raise StorageError(f"{self.path} is not a folder; choose another name")
            for path in (self.path, self.database, self.wal):
                if path.exists():
                    check_owner(path)
            check_access(self.path, os.R_OK | os.W_OK | os.X_OK)
            for path in (self.database, self.wal):
                if path.exists():
                    check_access(path, os.R_OK | os.W_OK)
        except OSError as error:
            raise StorageError(
                f"{self.path} can't be used: {error.strerror}; check the modes and owners of the "
                "folders that lead to it, and its disk (dmesg)"
            ) from None

    def check_space(self) -> None:
        """Check that there is room for a commit and for the copy that is published after it.

        Raises:
            StorageError: There isn't, or the folder can't be asked.
        """
        try:
            size = self.database.stat().st_size if self.database.exists() else 0
        except OSError as error:
            raise StorageError(
                f"{self.path} can't be used: {error.strerror}; check its disk"
            ) from None
        check_free(self.path, size)

    def remove_left_overs(self) -> None:
        """Remove what runs have left that were killed while they wrote a file.

        Raises:
            StorageError: It can't be removed.
        """
        try:
            for path in self.path.iterdir():
                if LEFT_OVER.fullmatch(path.name) or path.name.startswith(
                    (self.new_database.name, self.new_snapshot.name)
                ):
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"can't remove old files in {self.path}: {error.strerror}; check its owner"
            ) from None


def not_there(path: Path) -> str:
    """Return the message that the data folder, or a file of it, is gone or was never made."""
    return (
        f"{path} is not there: mount its disk, run utxoracle restore latest, or utxoracle init-db "
        "where there is no backup"
    )


def no_snapshot(folder: DataFolder, error: OSError) -> StorageError:
    """Return what to raise where the snapshot is not there, or can't be looked at."""
    path = folder.snapshot
    if not isinstance(error, FileNotFoundError):
        return StorageError(
            f"{path} can't be read: {error.strerror}; check the modes of its folders, and its disk "
            "(dmesg)"
        )
    if folder.database.exists():
        return StorageError(
            f"{path} is not there: run utxoracle analyze, which publishes {folder.database} again"
        )
    return StorageError(not_there(path))


def make_folder(path: Path) -> None:
    """Make a folder, and those that it is in, unless it is there.

    Raises:
        StorageError: It can't be made, a file has its name, or it would be root's in a folder of
            another user.
    """
    try:
        check_owner(next(one for one in (path, *path.parents) if one.exists()))
        path.mkdir(0o750, parents=True, exist_ok=True)
    except FileExistsError:
        raise StorageError(f"{path} is not a folder; choose another name") from None
    except OSError as error:
        raise StorageError(
            f"can't make the folder {path}: {error.strerror}; check the one that it is in"
        ) from None


def check_free(path: Path, size: int) -> None:
    """Check that there is room for files of `size` bytes in a folder, and SPARE_SPACE beside.

    Raises:
        StorageError: There isn't, or the folder can't be asked.
    """
    try:
        free = shutil.disk_usage(path).free
    except OSError as error:
        raise StorageError(f"{path} can't be used: {error.strerror}; check its disk") from None
    if free < size + SPARE_SPACE:
        raise StorageError(
            f"the disk of {path} has {_megabytes(free)} free, but "
            f"{_megabytes(size + SPARE_SPACE)} are needed: make room"
        )


def check_owner(path: Path) -> None:
    """Refuse to work as root in another user's folder: its files would lock that user out.

    Raises:
        StorageError: So it would be.
    """
    owner = path.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        name = user_name(owner)
        # As sudo takes a number from a shell.
        account = f"'#{owner}'" if name == str(owner) else name
        raise StorageError(
            f"{path} belongs to user {name}, who could not write what root leaves there: "
            f"run it as that user, with its settings: sudo -u {account} utxoracle ..."
        )


def check_access(path: Path, mode: int) -> None:
    """Check that this user has access to a file or folder.

    Args:
        path: The file or folder, which is there.
        mode: What is asked for, as for `os.access`.

    Raises:
        StorageError: The user has not.
    """
    # The effective user is the one that the kernel asks about when files are opened.
    if os.access(path, mode, effective_ids=os.access in os.supports_effective_ids):
        return
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        raise StorageError(f"{path} is on a read-only disk: mount it writable, or see dmesg")
    user, owner = user_name(os.geteuid()), user_name(path.stat().st_uid)
    advice = f"run as user {owner}" if user != owner else "give it back with chmod u+rwX"
    raise StorageError(
        f"{path} is not readable and writable for user {user} (its owner is {owner}): {advice}"
    )


def user_name(uid: int) -> str:
    """Return the name of a user, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
