"""Locks on files, as the kernel lists them for everybody to read."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

_LOCK = re.compile(
    r"(\S+) +(?:ADVISORY|MANDATORY) +\S+ +(-?[0-9]+) ([0-9a-f]+):([0-9a-f]+):([0-9]+)"
)


@dataclass(frozen=True)
class FileLock:
    """A lock that a process holds, or waits for.

    Attributes:
        kind: How it was taken: FLOCK, POSIX and others.
        pid: The process.
        device: Number of the file system; on btrfs not that which its files tell.
        inode: The file.
    """

    kind: str
    pid: int
    device: int
    inode: int


def file_locks(listing: str) -> Iterator[FileLock]:
    """Yield the locks that a text tells which is in the form of /proc/locks."""
    for kind, pid, major, minor, inode in _LOCK.findall(listing):
        yield FileLock(kind, int(pid), os.makedev(int(major, 16), int(minor, 16)), int(inode))
