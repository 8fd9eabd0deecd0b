"""How files get from the old tree to where they belong."""

import errno
import os
import shlex
import stat
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from utxoracle.atomic import sync_folder
from utxoracle.errors import StorageError
from utxoracle.jobs.migration.copying import Copier, Tell
from utxoracle.jobs.migration.journal import Journal
from utxoracle.jobs.migration.measure import existing_parent, measure
from utxoracle.jobs.migration.plan import How, Step

NOTE = "moved-by-utxoracle.txt"
"""In the old root: where things went that are no longer there."""

_FOLDER_MODE = 0o755


def transfer(step: Step, journal: Journal, tell: Tell) -> None:
    """Take over one thing; what was begun by an earlier run is gone on with.

    Nothing that is copied is removed or changed. What is renamed has its new name at once.

    Raises:
        StorageError: It can't be done, or what is copied changes meanwhile.
    """
    try:
        make_folder(step.target.parent)
        if step.how is How.RENAME:
            _check_place(step.found.path.parent)
            _rename(step.found.path, step.target)
        elif step.how is How.COPY:
            _copy(step, journal, tell)
    except OSError as error:
        advice = (
            "run it again with --copy" if error.errno == errno.EXDEV else "run it again to go on"
        )
        raise StorageError(
            f"can't take over {step.found.path} as {step.target}: {error.strerror}; nothing is "
            f"lost: mend it, then {advice}"
        ) from None


def _copy(step: Step, journal: Journal, tell: Tell) -> None:
    source = step.found.path
    changed = measure(source).changed
    make_folder(journal.path.parent)
    journal.begin(source, step.target, changed)
    Copier(tell).copy(source, step.unfinished)
    if measure(source).changed != changed:
        raise StorageError(
            f"{source} changed while it was copied: stop what uses it, then run it again to go on"
        )
    _rename(step.unfinished, step.target)


def _check_place(folder: Path) -> None:
    """Check that a folder is still where it was found, and not behind a link by now."""
    # Whoever owns one above it could lead root to any other folder of the machine.
    if folder.resolve() != folder:
        raise StorageError(
            f"{folder} leads to {folder.resolve()} by now: see who changed that, then run it again"
        )


def _rename(source: Path, target: Path) -> None:
    # An empty folder that is there gives way; anything else would have been refused before.
    source.rename(target)
    sync_folder(target.parent)
    sync_folder(source.parent)


def make_folder(
    folder: Path, *, mode: int | None = None, owner: tuple[int, int] | None = None
) -> None:
    """Make a folder and those that it is in, each of the same owner as the one above it.

    Args:
        folder: The folder; nothing is done if it is there.
        mode: Of the folder itself, if not the usual one.
        owner: The same, as user and group.
    """
    if folder.is_dir():
        return
    parent = existing_parent(folder)
    handles = [os.open(parent, os.O_PATH | os.O_DIRECTORY)]
    try:
        for part in folder.relative_to(parent).parts:
            handles.append(_made_in(handles[-1], part))
            if os.geteuid() == 0:
                above = os.fstat(handles[-2])
                os.fchown(handles[-1], above.st_uid, above.st_gid)
        if mode is not None:
            os.fchmod(handles[-1], mode)
        if owner:
            os.fchown(handles[-1], *owner)
    finally:
        for handle in handles:
            os.close(handle)


def _made_in(parent: int, name: str) -> int:
    os.mkdir(name, _FOLDER_MODE, dir_fd=parent)
    # Whoever owns the one above could put a link in its place meanwhile.
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)


def leave_note(root: Path, steps: Iterable[Step]) -> None:
    """Write into the old root where things are that are renamed, and how to take them back.

    There is no link in their place: the old stack would take it, and two programs would write to
    one database.

    Raises:
        StorageError: It can't be written, or is not a plain file.
        OSError: The same, for another reason.
    """
    moved = [step for step in steps if step.how is How.RENAME]
    if not moved:
        return
    text = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC: utxoracle migrate moves these. To undo it:\n"
    text += "".join(
        f"  {shlex.join(['mv', '-T', str(step.target), str(step.found.path)])}\n" for step in moved
    )
    note = root / NOTE
    # Whoever owns the folder could lead root to any other file by a link, or hold it up by a pipe.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        handle = os.open(note, flags, 0o644)
    except OSError as error:
        raise StorageError(
            f"can't write {note}: {error.strerror}; see that it is a plain file, and its folder "
            "can be written"
        ) from None
    with os.fdopen(handle, "ab") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise StorageError(f"can't write {note}: it isn't a plain file; move it away")
        file.write(os.fsencode(text))
        file.flush()
        os.fsync(handle)
