"""Who may read and write what is stored, and what must stay secret.

What can't be looked at raises OSError.
"""

import pwd
import stat
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from utxoracle.jobs.checks.disk import MOST_FILES
from utxoracle.jobs.health import Check, CheckStatus
from utxoracle.settings import Settings, variable_of
from utxoracle.store.folder import DataFolder

SECRETS = ("rpc_password_file", "api_token_file", "alert_url_file", "alert_secret_file")
"""Settings that name files of secrets."""


def stored(settings: Settings) -> Check:
    """Check owners and modes in the data folder and the folder of backups."""
    folder = DataFolder(settings.data_folder())
    if not folder.path.exists():
        return Check(CheckStatus.UNKNOWN, f"not known, since {folder.path} is not there")
    found = [
        *chain.from_iterable(
            map(_faults_in, (folder.path, folder.scans, settings.backup_folder()))
        ),
        *_faults_for_readers(folder),
    ]
    if found:
        more = f" ({len(found) - 1:,} more like it)" if len(found) > 1 else ""
        return Check(CheckStatus.ERROR, found[0] + more)
    return Check(CheckStatus.OK, f"owners and modes are right in {folder.path}")


def secrets(settings: Settings) -> Check:
    """Check that the files of secrets are there, and not for everybody."""
    paths: list[tuple[Path, str]] = [
        (getattr(settings, name), variable_of(name)) for name in SECRETS if getattr(settings, name)
    ]
    for path, variable in paths:
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            return Check(
                CheckStatus.ERROR,
                f"{path} ({variable}) is not there: make it, or leave the setting out",
            )
        if mode & stat.S_IRWXO:
            return Check(
                CheckStatus.ERROR,
                f"{path} ({variable}) is open to every user of this machine: chmod o-rwx {path}, "
                "and change the secret",
            )
    names = ", ".join(str(path) for path, _ in paths)
    return Check(CheckStatus.OK, f"not open to everybody: {names}" if paths else "none are set")


def _faults_in(folder: Path) -> list[str]:
    """Say which files are not their folder's owner's, or for anybody to write; none without it."""
    try:
        owner = folder.stat().st_uid
    except FileNotFoundError:
        return []
    return [
        fault
        for path in chain([folder], islice(folder.iterdir(), MOST_FILES))
        for fault in _faults_of(path, owner)
    ]


def _faults_of(path: Path, owner: int) -> Iterator[str]:
    try:
        status = path.lstat()
    except FileNotFoundError:
        # A run has removed it meanwhile.
        return
    if status.st_uid != owner:
        yield (
            f"{path} belongs to user {_user(status.st_uid)}, its folder to {_user(owner)}: chown "
            f"{_user(owner)} {path}"
        )
    if status.st_mode & stat.S_IWOTH and not stat.S_ISLNK(status.st_mode):
        yield f"{path} can be written by every user of this machine: chmod o-w {path}"


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


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
