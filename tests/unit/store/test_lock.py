import os
import re
import signal
import subprocess
import sys

import pytest

from tests.conftest import ordinary_user
from utxoracle.errors import StorageError
from utxoracle.store.folder import DataFolder
from utxoracle.store.lock import run_lock

HOLD = """
import pathlib, subprocess, sys
from utxoracle.store.folder import DataFolder
from utxoracle.store.lock import run_lock
with run_lock(DataFolder(pathlib.Path(sys.argv[1]))):
    child = subprocess.Popen(["sleep", "60"], close_fds=False) if "child" in sys.argv else None
    print(child.pid if child else "held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    return DataFolder(tmp_path)


def hold(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, folder.path, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def refusal(folder):
    with pytest.raises(StorageError) as caught, run_lock(folder):
        pass
    return str(caught.value)


def test_a_second_run_is_told_who_holds_the_lock_and_since_when(folder):
    with hold(folder) as holder:
        assert holder.stdout.readline() == "held\n"
        message = refusal(folder)
        holder.stdin.close()
    assert re.fullmatch(
        rf"another run is going on \(pid {holder.pid}, since \d{{4}}-\d\d-\d\d "
        r"\d\d:\d\d:\d\d UTC\): wait for it, or see journalctl -u utxoracle-analyze",
        message,
    )
    with run_lock(folder):
        pass


def test_a_lock_of_a_killed_process_is_free(folder):
    with hold(folder) as holder:
        holder.stdout.readline()
        holder.kill()
    with run_lock(folder):
        pass


def test_a_process_that_was_started_under_the_lock_does_not_hold_it(folder):
    with hold(folder, "child") as holder:
        child = int(holder.stdout.readline())
        holder.kill()
    try:
        with run_lock(folder):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("content", [b"", b"\xff\x00" * 500, b"12", b"\n\n\n"])
def test_an_odd_content_hides_only_who_holds_it(folder, content):
    with run_lock(folder):
        folder.lock.write_bytes(content)
        assert refusal(folder).startswith("another run is going on: wait")
    with run_lock(folder):
        assert folder.lock.read_text().startswith(f"{os.getpid()} since ")


def test_the_file_stays_and_only_its_owner_may_write_it(folder):
    with run_lock(folder):
        inode = folder.lock.stat().st_ino
    with run_lock(folder):
        assert folder.lock.stat().st_ino == inode
    assert folder.lock.stat().st_mode & 0o777 & ~0o644 == 0


def test_the_lock_is_released_when_the_run_fails(folder):
    with pytest.raises(ZeroDivisionError), run_lock(folder):
        raise ZeroDivisionError
    with run_lock(folder):
        pass


def test_a_lock_that_can_not_be_written_is_told(open_folder):
    with ordinary_user():
        if os.geteuid() == open_folder.stat().st_uid:
            open_folder.chmod(0o555)
        assert "lock: Permission denied" in refusal(DataFolder(open_folder))
