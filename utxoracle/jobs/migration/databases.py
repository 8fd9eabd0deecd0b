"""Which databases of the predecessor are taken over, and which are left to whoever they are of."""

import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from utxoracle.errors import StorageError
from utxoracle.jobs.migration.old_rows import called_as_databases, old_databases, read_old_rows
from utxoracle.store.folder import log_of

_TEMPORARY = ("tmp", "var/tmp")
"""Below the root of the machine: where the predecessor's fallback database may be."""

_PRIVATE = "systemd-private-*"
"""What systemd calls a service's own temporary folder, in which there is one called tmp."""

STRANGERS = "a link or another user's, where everyone may put files"
UNPROVEN = (
    "not readable as a database of the predecessor, and outside of the old tree: name its folder "
    "by --also where it is to be taken all the same"
)
LOG_ELSEWHERE = "the log beside it is a link or another user's"


@dataclass
class Databases:
    """What was found, and what became of it.

    Attributes:
        taken: Files with no symbolic link on the way, and what each is called in the tree; each
            database behind the log of its last commits.
        left: Others that are called so, and why they are left where they are.
    """

    taken: dict[Path, Path] = field(default_factory=dict)
    left: dict[Path, str] = field(default_factory=dict)


def find_databases(
    jobs: Iterable[Path],
    named: Iterable[Path],
    *,
    tree: Collection[Path],
    owners: Collection[int],
    machine: Path,
) -> Databases:
    """Return the predecessor's databases: in the folders of its jobs, fallen elsewhere, and named.

    Whoever may write there could lead root to any file of the machine by a link. So what is
    outside of the tree is taken only if it can be read as the predecessor's.

    Args:
        jobs: Folders of the price job.
        named: Files that were named by somebody, or by the old settings.
        tree: The folders of the old tree, without symbolic links.
        owners: The users who may have written to a temporary folder in the predecessor's name.
        machine: The root of the machine, for its temporary folders.
    """
    places = [job / name for job in jobs for name in ("", "data", "data/backups", "backups")]
    temporary = [*_temporary_folders(machine, owners)]
    judge = _Judge(tree, owners, temporary)
    found = Databases()
    # Links there are left out first: one to a database could hide it.
    fallen = [path for folder in temporary for path in called_as_databases(folder)]
    trusted = [path for path in fallen if judge.is_trusted(path)]
    found.left |= {path: STRANGERS for path in fallen if path not in trusted}
    # Should only one of them be moved, it must not be the file alone: rows would be missing.
    for path in old_databases([*places, *trusted, *named]):
        real, log = judge.real(path), log_of(path)
        if why := judge.why_left(path, real, log):
            found.left[path] = why
            continue
        if os.path.lexists(log):
            found.taken[judge.real(log)] = log
        found.taken[real] = path
    return found


@dataclass(frozen=True)
class _Judge:
    """Tells what may be taken."""

    tree: Collection[Path]
    owners: Collection[int]
    temporary: Collection[Path]

    def why_left(self, path: Path, real: Path, log: Path) -> str | None:
        """Return why a database is left where it is; None if it is taken."""
        if not self.is_trusted(path) or not self.is_trusted(real):
            return STRANGERS
        if os.path.lexists(log) and not self._is_log(log):
            return LOG_ELSEWHERE
        return None if self._is_in_tree(real) or _is_predecessors(real) else UNPROVEN

    def is_trusted(self, path: Path) -> bool:
        """Tell whether a file is not one that any user may have put into a temporary folder."""
        if path.parent.resolve() not in self.temporary:
            return True
        with suppress(OSError):
            status = path.lstat()
            return stat.S_ISREG(status.st_mode) and status.st_uid in self.owners
        return False

    def real(self, path: Path) -> Path:
        """Return where a file is; nothing is followed where others could lead it elsewhere."""
        folder = path.parent.resolve()
        return folder / path.name if folder in self.temporary else path.resolve()

    def _is_log(self, log: Path) -> bool:
        real = self.real(log)
        is_at_home = not log.is_symlink() or self._is_in_tree(real)
        return is_at_home and real.is_file() and self.is_trusted(log) and self.is_trusted(real)

    def _is_in_tree(self, real: Path) -> bool:
        return any(real.is_relative_to(folder) for folder in self.tree)


def _is_predecessors(path: Path) -> bool:
    try:
        return read_old_rows(path, "").has_table
    except StorageError:
        # It can't be read now: the plan is refused for it, and says what to do.
        return True


def _temporary_folders(machine: Path, owners: Collection[int]) -> Iterator[Path]:
    # Only root can make links of these; whatever is below may be anybody's.
    folders = dict.fromkeys((machine / name).resolve() for name in _TEMPORARY)
    for folder in folders:
        yield folder
        for private in sorted(folder.glob(_PRIVATE)):
            if _is_folder_of(private, owners) and _is_folder_of(private / "tmp", owners):
                yield private / "tmp"


def _is_folder_of(path: Path, owners: Collection[int]) -> bool:
    with suppress(OSError):
        status = path.lstat()
        return stat.S_ISDIR(status.st_mode) and status.st_uid in owners
    return False
