import os
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest

from tests.conftest import NOBODY, mounted, ordinary_user
from utxoracle.errors import StorageError
from utxoracle.store.folder import SPARE_SPACE, DataFolder, make_folder

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

DiskUsage = namedtuple("DiskUsage", "total used free")


def check_fails(folder):
    with pytest.raises(StorageError) as caught:
        folder.check()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_folder_that_can_be_written_is_fine(folder):
    folder.check()
    folder.check_space()


def test_a_missing_folder_is_told(tmp_path):
    message = check_fails(DataFolder(tmp_path / "nowhere"))
    assert message == (
        f"{tmp_path}/nowhere is not there: mount its disk, run utxoracle restore latest, or "
        "utxoracle init-db where there is no backup"
    )


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "file").touch()
    assert "file is not a folder" in check_fails(DataFolder(tmp_path / "file"))


def test_a_folder_that_this_user_may_not_write_is_told_with_its_owner(open_folder):
    with ordinary_user():
        if os.geteuid() == open_folder.stat().st_uid:
            open_folder.chmod(0o555)
        message = check_fails(DataFolder(open_folder))
    assert "not readable and writable for user" in message
    assert "its owner is" in message


def test_a_folder_behind_a_private_one_is_told(open_folder):
    private = open_folder / "private"
    (private / "data").mkdir(parents=True)
    private.chmod(0)
    with ordinary_user():
        message = check_fails(DataFolder(private / "data"))
    private.chmod(0o700)
    assert "Permission denied" in message


@pytest.mark.parametrize("name", ["database", "wal"])
def test_a_file_that_this_user_may_not_write_is_told(open_folder, name):
    folder = DataFolder(open_folder)
    open_folder.chmod(0o777)
    path = getattr(folder, name)
    path.touch(0o400)
    with ordinary_user():
        assert f"{path} is not readable and writable" in check_fails(folder)


@as_root
@pytest.mark.parametrize("name", ["path", "database", "wal"])
def test_root_does_not_work_in_what_belongs_to_another_user(folder, name):
    path = getattr(folder, name)
    if name == "wal":
        path.touch()
    os.chown(path, NOBODY, NOBODY)
    message = check_fails(folder)
    assert f"{path} belongs to user nobody" in message
    assert "sudo -u nobody utxoracle" in message


@as_root
def test_root_makes_no_folder_in_that_of_another_user(tmp_path):
    os.chown(tmp_path, NOBODY, NOBODY)
    with pytest.raises(StorageError, match=f"{tmp_path} belongs to user nobody"):
        make_folder(tmp_path / "apps" / "data")
    assert not list(tmp_path.iterdir())


@as_root
def test_an_owner_without_a_name_is_told_as_sudo_takes_it(folder):
    os.chown(folder.path, 54_321, -1)
    assert "sudo -u '#54321' utxoracle" in check_fails(folder)


@as_root
def test_a_read_only_disk_is_told(tmp_path):
    with mounted(tmp_path, "-t", "tmpfs", "-o", "ro", "tmpfs"):
        assert "is on a read-only disk" in check_fails(DataFolder(tmp_path))


def test_the_space_for_a_copy_and_some_more_must_be_free(folder, monkeypatch):
    needed = folder.database.stat().st_size + SPARE_SPACE
    monkeypatch.setattr(shutil, "disk_usage", lambda path: DiskUsage(0, 0, needed))
    folder.check_space()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: DiskUsage(0, 0, needed - 1))
    with pytest.raises(StorageError, match="has 68 MB free, but 68 MB are needed"):
        folder.check_space()


def test_a_folder_that_is_gone_has_no_space(tmp_path):
    with pytest.raises(StorageError, match="No such file"):
        DataFolder(tmp_path / "nowhere").check_space()


def test_a_run_with_nothing_new_loads_neither_duckdb_nor_numpy():
    code = (
        "import sys, utxoracle.store.folder, utxoracle.store.lock, utxoracle.store.rows, "
        "utxoracle.store.last_run; print({'duckdb', 'numpy'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
