"""Where disks are mounted, and whether that of the data is."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from utxoracle.errors import StorageError
from utxoracle.settings import Settings, variable_of

ROOT_IS_MEANT = "none"
"""What is set as the mount point where the root disk is meant to hold the data."""

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(rb"\\([0-7]{3})")


def check_mounted(settings: Settings) -> None:
    """Check that something is mounted where the disk of the data must be, if that is set.

    Otherwise all would be made on the root disk, in the empty folder that stands for the other.

    Raises:
        StorageError: Nothing is, or that can't be told.
    """
    point = settings.mount_point
    if point in (None, ROOT_IS_MEANT):
        return
    try:
        is_mounted = Path(os.path.realpath(point)) in mount_points()
    except OSError as error:
        raise StorageError(
            f"can't tell whether {point} is mounted: {error.strerror}; see {_MOUNTS}"
        ) from None
    if not is_mounted:
        raise StorageError(
            f"{point} is not mounted: mount it, or correct {variable_of('mount_point')}"
        )


def mount_points() -> set[Path]:
    """Return where something is mounted, as the kernel tells it to this process.

    Device numbers would not tell: a bind mount has those of its source, and a btrfs subvolume has
    one of its own though nothing is mounted there.

    Raises:
        OSError: The kernel can't be asked.
    """
    return {*_disks()}


def is_read_only(path: Path) -> bool:
    """Tell whether the disk of a file or folder takes no writes from anybody.

    A service may see all disks read-only, but for the folders that it writes to: the mounts are
    its own then, the disks behind them aren't.

    Raises:
        OSError: The kernel can't be asked.
    """
    disks = _disks()
    point = _nearest(path, disks)
    return point is not None and b"ro" in disks[point]


def mount_point_of(path: Path) -> Path | None:
    """Return where the disk of a file or folder is mounted; None where nothing is known to be.

    Raises:
        OSError: The kernel can't be asked.
    """
    return _nearest(path, _disks())


def _nearest(path: Path, points: Iterable[Path]) -> Path | None:
    real = Path(os.path.realpath(path))
    over = (point for point in points if real.is_relative_to(point))
    return max(over, key=lambda point: len(point.parts), default=None)


def _disks() -> dict[Path, list[bytes]]:
    """Return the options of the disk itself for each mount point; the last mount hides others."""
    found = {}
    for line in _MOUNTS.read_bytes().splitlines():
        mount, _, disk = line.partition(b" - ")
        point = _ESCAPED.sub(lambda octal: bytes([int(octal[1], 8)]), mount.split(b" ")[4])
        found[Path(os.fsdecode(point))] = disk.split(b" ")[-1].split(b",")
    return found
