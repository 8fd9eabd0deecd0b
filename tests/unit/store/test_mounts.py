import os
import subprocess

import pytest

from utxoracle.errors import StorageError
from utxoracle.settings import Settings
from utxoracle.store import mounts
from utxoracle.store.mounts import check_mounted


def check(point):
    check_mounted(Settings(mount_point=point and str(point)))


@pytest.fixture
def mounted(tmp_path):
    """A folder whose name the kernel writes with escapes, bound to another one."""
    place = tmp_path / "a disk"
    place.mkdir()
    command = ["mount", "--bind", str(tmp_path), str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("is_there", [False, True])
def test_a_disk_that_is_not_mounted_is_told(tmp_path, is_there):
    point = tmp_path / "nvme"
    if is_there:
        point.mkdir()
    with pytest.raises(StorageError) as caught:
        check(point)
    assert str(caught.value) == (
        f"{point} is not mounted: mount it, or correct UTXORACLE_MOUNT_POINT"
    )


def test_one_that_is_mounted_is_found_also_through_a_link(mounted, tmp_path):
    check(mounted)
    check(f"{mounted}/")
    link = tmp_path / "link"
    link.symlink_to(mounted)
    check(link)


def test_nothing_needs_to_be_mounted_where_nothing_or_none_is_set():
    check(None)
    check("none")


def test_a_kernel_that_does_not_tell_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "mountinfo")
    with pytest.raises(StorageError, match="can't tell whether /mnt is mounted: No such file"):
        check("/mnt")
