"""Copies of files and folders that are read back from the disk before they count."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from utxoracle.atomic import sync_folder
from utxoracle.errors import StorageError

Tell = Callable[[int], None]
"""Is told how many more bytes were read or read back: each byte of a file counts twice."""

PART = ".utxoracle-part"
"""What the name of a file ends with as long as it isn't verified."""

_PIECE = 1 << 20


class Copier:
    """Copies a folder or a file, and goes on from what an earlier copy has left.

    A file of the copy has its name only once it was verified, and then also the time of its
    original: that tells a later run which ones need not be copied again.

    Holes stay holes, and links between files of one folder stay links. Owners are kept by root
    alone: others can't give files away.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._copies: dict[tuple[int, int], Path] = {}

    def copy(self, source: Path, target: Path) -> None:
        """Make `target` a copy of `source` that is on the disk.

        Sockets, pipes and devices are left out. What the target has besides is removed.

        Raises:
            StorageError: A file can't be read or written, changes meanwhile, or doesn't read back
                as it was written. What is copied stays.
        """
        try:
            self._copy(source, target)
        except OSError as error:
            # Only some calls name the file: that a disk is full is told by one that doesn't.
            place = error.filename or target
            raise StorageError(
                f"copying {source} stopped at {place}: {error.strerror}; nothing is lost: mend "
                "it, then run it again to go on"
            ) from None

    def _copy(self, source: Path, target: Path) -> None:
        status = source.lstat()
        if stat.S_ISDIR(status.st_mode):
            self._copy_folder(source, target, status)
        elif stat.S_ISREG(status.st_mode):
            self._copy_file(source, target, status)
        elif stat.S_ISLNK(status.st_mode):
            _remove(target)
            target.symlink_to(source.readlink())
            _dress(target, status)

    def _copy_folder(self, source: Path, target: Path, status: os.stat_result) -> None:
        if target.is_symlink() or not target.is_dir():
            _remove(target)
            target.mkdir()
        # What an earlier copy finished has the mode of its original, which may forbid to write.
        _set_mode(target, stat.S_IRWXU)
        names = {path.name for path in source.iterdir()}
        for path in [*target.iterdir()]:
            if path.name not in names:
                _remove(path)
        for name in sorted(names):
            self._copy(source / name, target / name)
        _dress(target, status)
        sync_folder(target)

    def _copy_file(self, source: Path, target: Path, status: os.stat_result) -> None:
        key = (status.st_dev, status.st_ino)
        if first := self._copies.get(key):
            if not (target.exists() and target.samefile(first)):
                _remove(target)
                target.hardlink_to(first)
            return
        if _is_copied(status, target):
            self._tell(2 * status.st_size)
        else:
            _remove(target)
            self._copy_content(source, target, status)
        if status.st_nlink > 1:
            self._copies[key] = target

    def _copy_content(self, source: Path, target: Path, status: os.stat_result) -> None:
        part = target.with_name(target.name + PART)
        _remove(part)
        try:
            with source.open("rb", buffering=0) as original, part.open("xb", buffering=0) as copy:
                read = self._write(original.fileno(), copy.fileno(), status.st_size)
                os.fsync(copy.fileno())
                if _state(os.fstat(original.fileno())) != _state(status):
                    raise _changing(source)
            if self._read_back(part) != read:
                raise StorageError(
                    f"{part} doesn't read back from the disk as it was written: see dmesg, and "
                    "check disk and memory"
                )
            _dress(part, status)
            part.rename(target)
        except BaseException:
            # A disk that is full because of it could take nothing else.
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    def _write(self, original: int, copy: int, size: int) -> bytes:
        """Write all but the holes; return the sha256 of the whole content."""
        digest = hashlib.sha256()
        for start, end, is_hole in _extents(original, size):
            for at in range(start, end, _PIECE):
                length = min(_PIECE, end - at)
                piece = bytes(length) if is_hole else _read(original, length, at)
                digest.update(piece)
                if not is_hole:
                    _write_all(copy, piece, at)
                self._tell(length)
        os.ftruncate(copy, size)
        return digest.digest()

    def _read_back(self, path: Path) -> bytes:
        digest = hashlib.sha256()
        with path.open("rb", buffering=0) as file:
            # What is still in memory says nothing about the disk.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while piece := file.read(_PIECE):
                digest.update(piece)
                self._tell(len(piece))
        return digest.digest()


def _extents(handle: int, size: int) -> Iterator[tuple[int, int, bool]]:
    """Yield (start, end, whether it is a hole) for each stretch of a file."""
    at = 0
    while at < size:
        try:
            start = min(os.lseek(handle, at, os.SEEK_DATA), size)
        except OSError as error:
            # That is how the kernel says that nothing but a hole follows.
            if error.errno != errno.ENXIO:
                raise
            start = size
        if start > at:
            yield at, start, True
        if start < size:
            end = min(os.lseek(handle, start, os.SEEK_HOLE), size)
            yield start, end, False
            start = end
        at = start


def _read(handle: int, length: int, at: int) -> bytes:
    piece = os.pread(handle, length, at)
    while len(piece) < length:
        more = os.pread(handle, length - len(piece), at + len(piece))
        if not more:
            # It was cut short meanwhile, which is found once it is looked at again.
            return piece.ljust(length, b"\0")
        piece += more
    return piece


def _write_all(handle: int, piece: bytes, at: int) -> None:
    rest = memoryview(piece)
    while rest:
        written = os.pwrite(handle, rest, at)
        rest, at = rest[written:], at + written


def _state(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _is_copied(status: os.stat_result, target: Path) -> bool:
    """Tell whether a file was copied by an earlier run, and not changed since."""
    if target.is_symlink() or not target.is_file():
        return False
    copy = target.stat()
    return (
        (copy.st_size, copy.st_mtime_ns) == (status.st_size, status.st_mtime_ns)
        # Whoever sets back the time of a file can't set back this one.
        and status.st_ctime_ns <= copy.st_ctime_ns
    )


def _dress(path: Path, status: os.stat_result) -> None:
    """Give a copy the owner, the mode and the time of its original."""
    if os.geteuid() == 0:
        os.chown(path, status.st_uid, status.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        _set_mode(path, stat.S_IMODE(status.st_mode))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


def _set_mode(path: Path, mode: int) -> None:
    # Never of what a link leads to that somebody has put in its place meanwhile.
    handle = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        Path(f"/proc/self/fd/{handle}").chmod(mode)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    """Remove what an earlier copy has left; never anything of the original."""
    if path.is_dir() and not path.is_symlink():
        _set_mode(path, stat.S_IRWXU)
        for child in [*path.iterdir()]:
            _remove(child)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _changing(path: Path) -> StorageError:
    return StorageError(
        f"{path} changed while it was copied: stop what uses it, then run it again to go on"
    )
