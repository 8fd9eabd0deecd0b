"""What it means that a file or folder can't be looked at."""

import os
from contextlib import suppress
from pathlib import Path

from utxoracle.errors import DISK_FAILURES
from utxoracle.jobs.health import Check, CheckStatus


def unseen(path: Path, error: OSError) -> Check:
    """Return what to say where `path` can't be looked at.

    It is only unknown how a thing is that another user may look at, or that has just gone.
    """
    why = f"{path} can't be looked at: {error.strerror or error}"
    if error.errno in DISK_FAILURES:
        return Check(CheckStatus.ERROR, f"{why}; its disk fails or is gone: see dmesg")
    if isinstance(error, FileNotFoundError):
        return Check(CheckStatus.UNKNOWN, f"{why}; look again")
    if not isinstance(error, PermissionError):
        return Check(CheckStatus.ERROR, f"{why}; see what it is: ls -ld {path}")
    if closed := _closed_by_mode(path):
        return Check(CheckStatus.ERROR, f"{why}; give it back with chmod u+rwX {closed}")
    return Check(CheckStatus.UNKNOWN, f"{why}; run it as the service's user, or as root")


def raise_if_closed(path: Path) -> None:
    """Raise what the system says of a file that is there but can't be read.

    For checks that would take it for a bad one: that this user may not read it is no fault of it.

    Raises:
        OSError: It can't be read.
    """
    with suppress(FileNotFoundError, NotADirectoryError), path.open("rb"):
        pass


def _closed_by_mode(path: Path) -> Path | None:
    """Return what on the way to `path` is this user's own, and yet may not be entered or read."""
    for part in (*reversed(path.absolute().parents), path.absolute()):
        try:
            is_own = part.stat().st_uid == os.geteuid()
            wanted = os.R_OK | os.X_OK if part.is_dir() else os.R_OK
        except OSError:
            return None
        if is_own and not os.access(part, wanted, effective_ids=True):
            return part
    return None
