"""How large a folder is, whose it is, and on which disk."""

import os
import stat
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from utxoracle.store.mounts import mount_points

_SAMPLE = 32 << 20
"""Bytes that are read to tell how quick a disk is."""


@dataclass
class Measured:
    """What is in a folder, or what a file is; files with several names count once.

    Attributes:
        allocated: Bytes that it takes on its disk; holes take none.
        size: Bytes of all files, holes included.
        files: Number of files.
        owners: Number of files and folders by their (uid, gid).
        changed: When anything in it was changed last, ns since 1970 as its file system has it.
        largest: The file that takes most; None where there is none.
        unreadable: Files and folders that this user may not read.
        special: Sockets, pipes and devices.
        links: Symbolic links.
    """

    allocated: int = 0
    size: int = 0
    files: int = 0
    owners: Counter[tuple[int, int]] = field(default_factory=Counter)
    changed: int = 0
    largest: Path | None = None
    unreadable: list[Path] = field(default_factory=list)
    special: list[Path] = field(default_factory=list)
    links: list[Path] = field(default_factory=list)


def measure(path: Path) -> Measured:
    """Return what there is in a folder, or the same of a file. Links are not followed.

    Raises:
        OSError: It isn't there, or vanishes meanwhile.
    """
    found = Measured()
    most = -1
    seen: set[tuple[int, int]] = set()
    below = [path]
    while below:
        one = below.pop()
        status = one.lstat()
        found.owners[status.st_uid, status.st_gid] += 1
        found.changed = max(found.changed, status.st_ctime_ns)
        if (key := (status.st_dev, status.st_ino)) in seen:
            continue
        seen.add(key)
        found.allocated += status.st_blocks * 512
        if stat.S_ISDIR(status.st_mode):
            if is_allowed(one, os.R_OK | os.X_OK):
                below += one.iterdir()
            else:
                found.unreadable.append(one)
        elif stat.S_ISREG(status.st_mode):
            found.files += 1
            found.size += status.st_size
            if status.st_blocks > most:
                found.largest, most = one, status.st_blocks
            if not is_allowed(one, os.R_OK):
                found.unreadable.append(one)
        elif stat.S_ISLNK(status.st_mode):
            found.links.append(one)
        else:
            found.special.append(one)
    return found


def is_allowed(path: Path, mode: int) -> bool:
    """Tell whether this user may use a path in the ways of `mode` (os.R_OK and others)."""
    # The effective user is the one that the kernel asks about when files are opened.
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def existing_parent(path: Path) -> Path:
    """Return the nearest folder above a path that is there."""
    return next(parent for parent in path.parents if parent.is_dir())


def can_rename(source: Path, target: Path) -> bool:
    """Tell whether `source` and `target` are within one mount of one file system."""
    parent = existing_parent(target)
    mounts = mount_points()
    return (
        source.lstat().st_dev == parent.stat().st_dev
        # A file system may be mounted in two places, and the kernel renames within one only.
        and _mount_of(source, mounts) == _mount_of(parent.resolve(), mounts)
        and not any(point.is_relative_to(source) for point in mounts)
    )


def _mount_of(path: Path, mounts: set[Path]) -> Path:
    above = filter(path.is_relative_to, mounts)
    # To one that was put into a folder by chroot, nothing is mounted at /.
    return max(above, key=lambda point: len(point.parts), default=Path("/"))


def reading_rate(path: Path) -> float | None:
    """Return how many bytes a second are read of a file; None of one that is too small."""
    with path.open("rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size < _SAMPLE:
            return None
        # What is in memory already says nothing about the disk.
        os.posix_fadvise(file.fileno(), 0, _SAMPLE, os.POSIX_FADV_DONTNEED)
        start = time.monotonic()
        while file.tell() < _SAMPLE and file.read(1 << 20):
            pass
        return file.tell() / max(time.monotonic() - start, 1e-6)
