import os
import subprocess
import sys

import pytest

from tests.conftest import another_user
from utxoracle.atomic import LEFT_OVER, write_atomically
from utxoracle.errors import StorageError


def test_a_file_is_written_and_replaced_whole(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"first, and longer")
    write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_gets_the_mode_that_the_umask_leaves(tmp_path):
    old = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"")
    finally:
        os.umask(old)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_mode_that_is_given_holds_whatever_the_umask(tmp_path):
    old = os.umask(0o077)
    try:
        write_atomically(tmp_path / "file", b"data", mode=0o640, durable=False)
    finally:
        os.umask(old)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "file").read_bytes() == b"data"


def test_what_a_killed_process_leaves_is_known_by_its_name(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    code = (
        "import os, pathlib, signal, sys\n"
        "from utxoracle.atomic import write_atomically\n"
        "os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_atomically(pathlib.Path(sys.argv[1]), b'new')\n"
    )
    subprocess.run([sys.executable, "-c", code, path], check=False)
    (left_over,) = (one for one in tmp_path.iterdir() if one != path)
    assert LEFT_OVER.fullmatch(left_over.name)
    assert path.read_bytes() == b"old"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StorageError, match="nowhere/file"):
        write_atomically(tmp_path / "nowhere" / "file", b"")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    with pytest.raises(StorageError, match="not a plain file"):
        write_atomically(tmp_path, b"")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    code = (
        "import pathlib, resource, signal, sys\n"
        "from utxoracle.atomic import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_atomically(pathlib.Path(sys.argv[1]), bytes(100_000))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=False
    )
    assert "StorageError: can't write" in run.stderr
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_without_permission_is_named(open_folder):
    with another_user(), pytest.raises(StorageError, match="Permission denied"):
        write_atomically(open_folder / "file", b"")


def test_a_link_is_followed_and_a_circle_of_links_is_refused(tmp_path):
    (tmp_path / "link").symlink_to("target")
    write_atomically(tmp_path / "link", b"data")
    assert (tmp_path / "target").read_bytes() == b"data"
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(StorageError, match="circle"):
        write_atomically(tmp_path / "circle", b"data")
