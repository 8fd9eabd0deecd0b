import fcntl
import os
from pathlib import Path

from utxoracle.jobs.file_locks import FileLock, file_locks

LISTING = """\
1: POSIX  ADVISORY  WRITE 123 08:1f:456 1073741826 1073742335
2: FLOCK  ADVISORY  WRITE -1 00:2c:7 0 EOF
2: -> FLOCK  ADVISORY  WRITE 99 00:2c:7 0 EOF
"""


def test_each_lock_of_the_list_is_read():
    assert [*file_locks(LISTING)] == [
        FileLock("POSIX", 123, os.makedev(0x08, 0x1F), 456),
        FileLock("FLOCK", -1, os.makedev(0x00, 0x2C), 7),
        FileLock("FLOCK", 99, os.makedev(0x00, 0x2C), 7),
    ]


def test_a_lock_of_our_own_is_among_those_of_the_kernel(tmp_path):
    with (tmp_path / "file").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        inode = os.fstat(file.fileno()).st_ino
        found = [one for one in file_locks(Path("/proc/locks").read_text()) if one.inode == inode]
    assert ("FLOCK", os.getpid()) in [(one.kind, one.pid) for one in found]
