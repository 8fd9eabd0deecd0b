"""The disk of the data folder: whether it is there, the one that is meant, and how full it is."""

import os
import shutil
from contextlib import suppress
from itertools import islice
from pathlib import Path

from utxoracle.errors import StorageError
from utxoracle.jobs.checks.unseen import unseen
from utxoracle.jobs.health import Check, CheckStatus
from utxoracle.jobs.report import size
from utxoracle.settings import Settings, variable_of
from utxoracle.store.folder import DataFolder, not_there
from utxoracle.store.mounts import ROOT_IS_MEANT, check_mounted, is_read_only, mount_point_of

MOST_FILES = 10_000
"""Files that are looked at in a folder."""

_ROOT = Path("/")
_MOUNT_POINT = variable_of("mount_point")


def mount(settings: Settings) -> Check:
    """Check that the data folder is there, and on the disk that is meant to hold it."""
    folder = settings.data_folder()
    try:
        check_mounted(settings)
        if trouble := _trouble_with_mount(folder, settings.mount_point):
            return Check(CheckStatus.ERROR, trouble)
        point = mount_point_of(folder) or _ROOT
        # A subvolume of the root disk, too, has a device number of its own.
        is_root = point == _ROOT or folder.stat().st_dev == _ROOT.stat().st_dev
    except StorageError as error:
        return Check(CheckStatus.ERROR, str(error))
    except OSError as error:
        return unseen(folder, error)
    if is_root and settings.mount_point is None:
        return Check(
            CheckStatus.WARNING,
            f"{folder} is on the root disk: set {_MOUNT_POINT} to where its own disk is mounted, "
            f"or to {ROOT_IS_MEANT} where the root disk is meant",
        )
    if is_root:
        return Check(
            CheckStatus.OK,
            f"{folder} is on the root disk, as {_MOUNT_POINT}={ROOT_IS_MEANT} allows",
        )
    return Check(CheckStatus.OK, f"{folder} is on the disk mounted at {point}")


def free(settings: Settings) -> Check:
    """Check that the disk of the data folder has room for the next run, and for some time."""
    folder = settings.data_folder()
    try:
        free_bytes = shutil.disk_usage(folder).free
        DataFolder(folder).check_space()
    except FileNotFoundError:
        return _not_there(folder)
    except OSError as error:
        return unseen(folder, error)
    except StorageError as error:
        return Check(CheckStatus.ERROR, str(error))
    told = f"the disk of {folder} has {size(free_bytes)} free"
    if free_bytes < settings.min_free * 1e9:
        return Check(
            CheckStatus.WARNING,
            f"{told}, less than the {settings.min_free:g} GB of {variable_of('min_free')}: make "
            "room, or move the data to a larger disk",
        )
    return Check(CheckStatus.OK, told)


def sizes(settings: Settings) -> Check:
    """Tell how large the folders are.

    Raises:
        OSError: They can't be looked at.
    """
    folder = DataFolder(settings.data_folder())
    if not folder.path.exists():
        return _not_there(folder.path)
    told = (
        f"{name} {size(_size_of(path))}"
        for name, path in (
            ("data", folder.path),
            ("scans", folder.scans),
            ("backups", settings.backup_folder()),
        )
    )
    return Check(CheckStatus.OK, ", ".join(told))


def _not_there(folder: Path) -> Check:
    return Check(CheckStatus.UNKNOWN, f"not known, since {folder} is not there")


def _size_of(folder: Path) -> int:
    """Return the bytes of the files in a folder, without the folders in it; 0 without it."""
    if not folder.exists():
        return 0
    found = 0
    with os.scandir(folder) as entries:
        for entry in islice(entries, MOST_FILES):
            # A run may remove one meanwhile.
            with suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False):
                    found += entry.stat(follow_symlinks=False).st_size
    return found


def _trouble_with_mount(folder: Path, mount_point: str | None) -> str | None:
    """Say why the data folder is not there, or not on the disk that must hold it, with advice.

    Raises:
        OSError: It can't be looked at.
    """
    point = None if mount_point in (None, ROOT_IS_MEANT) else Path(mount_point or "")
    try:
        device = folder.stat().st_dev
    except (FileNotFoundError, NotADirectoryError):
        return not_there(folder)
    if point and not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(point)):
        return (
            f"{folder} is not on the disk mounted at {point}: set {variable_of('data_dir')} to a "
            f"folder on it, or correct {_MOUNT_POINT}"
        )
    if point and (Path(os.path.realpath(point)) == _ROOT or device == _ROOT.stat().st_dev):
        return (
            f"what is mounted at {point} is the root disk: mount the disk of the data there, or "
            f"set {_MOUNT_POINT} to {ROOT_IS_MEANT} where the root disk is meant"
        )
    if is_read_only(folder):
        return f"the disk of {folder} is mounted read-only: see dmesg, then mount it writable"
    return None
