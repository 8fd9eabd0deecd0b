"""Who may read and write what is stored, and what must stay secret.

What can't be looked at raises OSError.
"""

import os
import stat
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path

from utxoracle.jobs.backup_mempool_db import is_of_dump
from utxoracle.jobs.checks.disk import MOST_FILES
from utxoracle.jobs.checks.unseen import unseen
from utxoracle.jobs.health import Check, CheckStatus
from utxoracle.settings import Settings, variable_of
from utxoracle.store.backups import PREFIX
from utxoracle.store.folder import DataFolder, user_name

SECRETS = ("rpc_password_file", "api_token_file", "alert_url_file", "alert_secret_file")
"""Settings that name files of secrets."""

_OF_API = "api_token_file"
"""The one of those that the API alone needs, which may run as a user of its own."""


def stored(settings: Settings) -> Check:
    """Check owners and modes in the data folder and the folder of backups."""
    folder = DataFolder(settings.data_folder())
    if not folder.path.exists():
        return Check(CheckStatus.UNKNOWN, f"not known, since {folder.path} is not there")
    found = [
        *_faults_in(folder.path),
        *_faults_in(folder.scans),
        # It may be the root of a disk, on which others keep files as well.
        *_faults_in(settings.backup_folder(), _is_of_backups),
        *_faults_for_writer(folder, settings.backup_folder()),
        *_faults_for_readers(folder),
    ]
    if found:
        more = f" ({len(found) - 1:,} more like it)" if len(found) > 1 else ""
        return Check(CheckStatus.ERROR, found[0] + more)
    return Check(CheckStatus.OK, f"owners and modes are right in {folder.path}")


def secrets(settings: Settings) -> Check:
    """Check that the files of secrets are there, for the service's user and not for everybody."""
    named = [name for name in SECRETS if getattr(settings, name)]
    found = [trouble for name in named if (trouble := _trouble_with_secret(settings, name))]
    if found:
        # A failure comes before what can't be looked at.
        return next((one for one in found if one.status is CheckStatus.ERROR), found[0])
    if not named:
        return Check(CheckStatus.OK, "none are set")
    paths = ", ".join(str(getattr(settings, name)) for name in named)
    return Check(CheckStatus.OK, f"not open to everybody: {paths}")


def _trouble_with_secret(settings: Settings, name: str) -> Check | None:
    path: Path = getattr(settings, name)
    told = f"{path} ({variable_of(name)})"
    try:
        mode = path.stat().st_mode
        with path.open("rb"):
            pass
    except FileNotFoundError:
        return Check(CheckStatus.ERROR, f"{told} is not there: make it, or leave the setting out")
    except PermissionError as error:
        if name == _OF_API or not _owns_data(settings):
            return unseen(path, error)
        user = user_name(os.geteuid())
        return Check(
            CheckStatus.ERROR,
            f"{told} can't be read by user {user}, whom the data folder belongs to: chown {user} "
            f"{path}, and see that this user may enter the folders above it",
        )
    except OSError as error:
        return unseen(path, error)
    if mode & stat.S_IRWXO:
        return Check(
            CheckStatus.ERROR,
            f"{told} is open to every user of this machine: chmod o-rwx {path}, and change the "
            "secret",
        )
    return None


def _owns_data(settings: Settings) -> bool:
    """Tell whether the data folder is this user's, hence whether the services run as this user."""
    try:
        return settings.data_folder().stat().st_uid == os.geteuid()
    except OSError:
        return False


def _is_of_backups(path: Path) -> bool:
    return path.name.startswith((PREFIX, f".{PREFIX}")) or path.name == ".lock" or is_of_dump(path)


def _faults_in(folder: Path, is_ours: Callable[[Path], bool] = bool) -> list[str]:
    """Say which files are not their folder's owner's, or for anybody to write; none without it."""
    try:
        owner = folder.stat().st_uid
    except FileNotFoundError:
        return []
    return [
        fault
        for path in chain([folder], islice(filter(is_ours, folder.iterdir()), MOST_FILES))
        for fault in _faults_of(path, owner)
    ]


def _faults_of(path: Path, owner: int) -> Iterator[str]:
    try:
        status = path.lstat()
    except FileNotFoundError:
        # A run has removed it meanwhile.
        return
    if status.st_uid != owner and not (status.st_uid == 0 and is_of_dump(path)):
        yield (
            f"{path} belongs to user {user_name(status.st_uid)}, its folder to {user_name(owner)}: "
            f"chown {user_name(owner)} {path}"
        )
    if status.st_mode & stat.S_IWOTH and not stat.S_ISLNK(status.st_mode):
        yield f"{path} can be written by every user of this machine: chmod o-w {path}"


def _faults_for_writer(folder: DataFolder, backups: Path) -> list[str]:
    """Say what its owner can't write, as runs and backups must."""
    found = []
    for path, needed in (
        (folder.path, stat.S_IRWXU),
        (folder.scans, stat.S_IRWXU),
        (backups, stat.S_IRWXU),
        (folder.database, stat.S_IRUSR | stat.S_IWUSR),
        (folder.wal, stat.S_IRUSR | stat.S_IWUSR),
        (folder.lock, stat.S_IRUSR | stat.S_IWUSR),
    ):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(mode) and needed != stat.S_IRWXU:
            found.append(f"{path} is a folder, and must be a file: move it away")
        elif mode & needed != needed:
            found.append(f"{path} can't be written by its owner: chmod u+rwX {path}")
    return found


def _faults_for_readers(folder: DataFolder) -> list[str]:
    """Say which files the group of the folder can't read, which the API runs in."""
    group = folder.path.stat().st_gid
    found = []
    for path, needed in (
        (folder.path, stat.S_IRGRP | stat.S_IXGRP),
        (folder.snapshot, stat.S_IRGRP),
        (folder.last_run, stat.S_IRGRP),
    ):
        if not path.exists():
            continue
        status = path.stat()
        if status.st_gid != group or status.st_mode & needed != needed:
            found.append(
                f"{path} can't be read by the group of {folder.path}, as the API must: chgrp "
                f"{group} {path} and chmod g+rX {path}"
            )
    return found
