"""Copies are whole, verified, as they were, and gone on with."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ordinary_user
from tests.old_tree import MB, content_of, electrs_folder, mysql_folder, write, write_sparse
from utxoracle.errors import StorageError
from utxoracle.jobs.migration.copying import PART, Copier

COPY = """
import os, sys
from pathlib import Path
from utxoracle.jobs.migration.copying import Copier
count = 0
def tell(more):
    global count
    count += more
    if count > int(sys.argv[3]):
        os.kill(os.getpid(), 9)
Copier(tell).copy(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def copy(source: Path, target: Path) -> int:
    """Copy, and return how many bytes were told."""
    told: list[int] = []
    Copier(told.append).copy(source, target)
    return sum(told)


def marks(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return what tells whether a file is still the same one; inodes alone are used again."""
    states = {path: path.stat() for path in folder.rglob("*") if path.is_file()}
    return {path: (state.st_ino, state.st_ctime_ns) for path, state in states.items()}


def test_a_copy_has_the_bytes_modes_owners_times_and_links_of_its_original(tmp_path, other_disk):
    source = mysql_folder(tmp_path / "mysql")
    (source / "link").symlink_to("ibdata1")
    (source / "nowhere").symlink_to("/not/there")
    (source / "empty").mkdir()
    (source / "mysql" / "db.MAD").chmod(0o400)
    source.chmod(0o550)
    if os.geteuid() == 0:
        for number, path in enumerate(sorted(source.rglob("*"))):
            os.chown(path, 1000 + number % 2, 999, follow_symlinks=False)
    os.utime(source / "ibdata1", ns=(1, 1_700_000_000_123_456_789))
    told = copy(source, other_disk / "copy")
    assert content_of(other_disk / "copy") == content_of(source)
    assert (other_disk / "copy").stat().st_mode == source.stat().st_mode
    assert told == 2 * sum(
        path.stat().st_size
        for path in source.rglob("*")
        if path.is_file() and not path.is_symlink()
    )


def test_links_between_files_of_a_folder_stay_links(tmp_path):
    source = tmp_path / "source"
    write(source / "a" / "first", b"data")
    (source / "second").hardlink_to(source / "a" / "first")
    for _ in range(2):
        copy(source, tmp_path / "copy")
        assert (tmp_path / "copy" / "second").samefile(tmp_path / "copy" / "a" / "first")
        assert (tmp_path / "copy" / "second").read_bytes() == b"data"


@pytest.mark.parametrize("size", [0, 1, 4096, MB, MB + 1])
def test_files_of_all_lengths(tmp_path, size):
    source = write(tmp_path / "source", os.urandom(size))
    copy(source, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


def test_holes_stay_holes(tmp_path, other_disk):
    source = write_sparse(tmp_path / "source", 200 * MB)
    with source.open("r+b") as file:
        file.seek(100 * MB + 5)
        file.write(b"in the midst")
    copy(source, other_disk / "copy")
    copied = (other_disk / "copy").stat()
    assert copied.st_size == 200 * MB
    assert copied.st_blocks * 512 <= source.stat().st_blocks * 512 < MB
    with (other_disk / "copy").open("rb") as file:
        assert file.read(4) == b"data"
        file.seek(100 * MB)
        assert file.read(20) == bytes(5) + b"in the midst" + bytes(3)
        file.seek(-8, os.SEEK_END)
        assert file.read() == bytes(4) + b"data"


def test_zeros_that_are_written_stay_written(tmp_path):
    source = write(tmp_path / "source", bytes(MB))
    copy(source, tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_blocks >= MB // 512


def test_sockets_and_pipes_are_left_out(tmp_path):
    source = tmp_path / "source"
    write(source / "file", b"data")
    os.mkfifo(source / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        folder = os.open(source, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{folder}/socket")
        os.close(folder)
    copy(source, tmp_path / "copy")
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["file"]


@pytest.mark.parametrize("told", [1, 350_000, 1_200_000])
def test_a_copy_that_was_killed_is_gone_on_with(tmp_path, told):
    source, target = electrs_folder(tmp_path / "source", files=4), tmp_path / "copy"
    died = subprocess.run([sys.executable, "-c", COPY, source, target, str(told)], check=False)
    assert died.returncode == -9
    before = marks(target)
    whole = {path: mark for path, mark in before.items() if PART not in path.name}
    assert len(before) - len(whole) <= 1
    assert (told > 1) == bool(whole)
    copy(source, target)
    assert content_of(target) == content_of(source)
    assert whole.items() <= marks(target).items(), "a verified file was copied again"


def test_what_changed_meanwhile_is_copied_again_even_if_its_time_was_set_back(tmp_path):
    source, target = electrs_folder(tmp_path / "source"), tmp_path / "copy"
    copy(source, target)
    first = marks(target)
    changed = source / "mainnet" / "newindex" / "history" / "000001.sst"
    status = changed.stat()
    changed.write_bytes(os.urandom(status.st_size))
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns))
    (source / "mainnet" / "newindex" / "history" / "000002.sst").unlink()
    write(source / "mainnet" / "newindex" / "history" / "000009.sst", b"new")
    copy(source, target)
    assert content_of(target) == content_of(source)
    again = {path.name for path, mark in marks(target).items() if first.get(path) != mark}
    assert again == {"000001.sst", "000009.sst"}


def test_a_file_became_a_folder_and_a_folder_a_file(tmp_path):
    source, target = tmp_path / "source", tmp_path / "copy"
    write(source / "one", b"file")
    write(source / "two" / "inner", b"file")
    copy(source, target)
    (source / "one").unlink()
    write(source / "one" / "inner", b"now a folder")
    (source / "two" / "inner").unlink()
    (source / "two").rmdir()
    write(source / "two", b"now a file")
    copy(source, target)
    assert content_of(target) == content_of(source)


def test_a_file_that_changes_while_it_is_copied_is_refused(tmp_path):
    source = write(tmp_path / "source", bytes(3 * MB))
    changes = iter([True])

    def change(_: int) -> None:
        if next(changes, False):
            with source.open("r+b") as file:
                file.write(b"other")

    with pytest.raises(StorageError, match="source changed while it was copied: stop what uses"):
        Copier(change).copy(source, tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_file_that_is_cut_short_while_it_is_copied_is_refused(tmp_path):
    source = write(tmp_path / "source", bytes(3 * MB))
    with pytest.raises(StorageError, match="changed while it was copied"):
        Copier(lambda _: os.truncate(source, MB + 10)).copy(source, tmp_path / "copy")


def test_what_reads_back_otherwise_is_refused(tmp_path):
    source = write(tmp_path / "source", os.urandom(3 * MB))
    part = tmp_path / f"copy{PART}"
    told = 0

    def damage(more: int) -> None:
        nonlocal told
        told += more
        if told == 3 * MB:
            with part.open("r+b") as file:
                file.seek(2 * MB)
                file.write(b"\xff\x00\xff")

    with pytest.raises(StorageError, match="doesn't read back from the disk as it was written"):
        Copier(damage).copy(source, tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_file_that_grows_too_large_is_one_line(tmp_path):
    source = write(tmp_path / "source" / "file", os.urandom(200_000))
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));" + COPY
    )
    command = [sys.executable, "-c", code, source.parent, tmp_path / "copy", str(MB)]
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "StorageError: copying" in failed.stderr
    assert "File too large; nothing is lost: mend it, then run it again to go on" in failed.stderr
    assert [*(tmp_path / "copy").iterdir()] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_that_takes_the_place_of_a_copy_leads_its_mode_to_nothing_else(
    tmp_path, monkeypatch, kind
):
    source, target = tmp_path / "source", tmp_path / "copy"
    write(source / "file", b"data").chmod(0o777)
    victim = write(tmp_path / "victim" / "file", b"mine")
    before = content_of(tmp_path / "victim")
    swapped = target / f"file{PART}" if kind == "file" else target
    chown = os.chown

    def swap(path: Path, *arguments: int, **options: bool) -> None:
        if path == swapped:
            path.rename(tmp_path / "moved")
            path.symlink_to(victim if kind == "file" else victim.parent)
        chown(path, *arguments, **options)

    monkeypatch.setattr(os, "chown", swap)
    with pytest.raises(StorageError, match=r"stopped at .*: Operation not supported"):
        copy(source, target)
    assert content_of(tmp_path / "victim") == before


def test_an_ordinary_user_may_copy_what_is_readable(open_folder):
    source = write(open_folder / "source" / "file", b"data").parent
    open_folder.chmod(0o777)
    with ordinary_user():
        copy(source, open_folder / "copy")
        (open_folder / "copy" / "file").unlink()
        (open_folder / "copy").rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_that_may_not_be_read_is_one_line(open_folder):
    source = write(open_folder / "source" / "file", b"data")
    source.chmod(0o600)
    open_folder.chmod(0o777)
    with ordinary_user(), pytest.raises(StorageError, match=r"file: Permission denied"):
        copy(source.parent, open_folder / "copy")
