import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import another_user
from utxoracle.jobs.checks import disk
from utxoracle.jobs.health import CheckStatus
from utxoracle.settings import Settings

TMPFS = ("-t", "tmpfs", "tmpfs")
SMALL = ("-t", "tmpfs", "-o", "size=32m", "tmpfs")
LOW = ("-t", "tmpfs", "-o", "size=200m", "tmpfs")


def found(status, detail, folder, check=disk.mount, **settings):
    told = check(Settings(data_dir=folder, **settings))
    assert (told.status, "\n" in told.detail) == (status, False), told
    assert detail in told.detail
    return told


def test_a_folder_that_is_not_there_is_told(tmp_path):
    missing = tmp_path / "data"
    found(
        CheckStatus.ERROR,
        f"{missing} is not there: mount its disk, run utxoracle restore latest",
        missing,
    )
    found(CheckStatus.UNKNOWN, f"{missing} is not there", missing, disk.free)
    found(CheckStatus.UNKNOWN, f"{missing} is not there", missing, disk.sizes)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_disk_that_is_not_mounted_fails_though_the_data_folder_is_there(tmp_path, is_there):
    point = tmp_path / "nvme"
    if is_there:
        (point / "data").mkdir(parents=True)
    told = f"{point} is not mounted: mount it, or correct UTXORACLE_MOUNT_POINT"
    found(CheckStatus.ERROR, told, point / "data", mount_point=str(point))


@pytest.mark.parametrize("name", ["disk", "a disk", "d\tü\\ber"])
def test_the_disk_that_is_meant_is_well(mounted, name):
    point = mounted(*TMPFS, name=name)
    data = point / "apps" / "data"
    data.mkdir(parents=True)
    well = f"is on the disk mounted at {point}"
    found(CheckStatus.OK, well, data)
    found(CheckStatus.OK, well, data, mount_point=str(point))
    found(CheckStatus.OK, well, data, mount_point="none")
    found(CheckStatus.OK, well, data, mount_point=f"{point}/")


def test_data_beside_the_disk_that_is_meant_fails(mounted, tmp_path):
    point = mounted(*TMPFS)
    told = f"{tmp_path} is not on the disk mounted at {point}: set UTXORACLE_DATA_DIR"
    found(CheckStatus.ERROR, told, tmp_path, mount_point=str(point))
    link = point / "data"
    link.symlink_to(tmp_path)
    found(CheckStatus.ERROR, f"{link} is not on the disk", link, mount_point=str(point))


def test_the_root_disk_wants_consent():
    root = Path("/")
    told = "is on the root disk: set UTXORACLE_MOUNT_POINT to where its own disk is mounted, or to"
    found(CheckStatus.WARNING, told, root)
    found(CheckStatus.OK, "UTXORACLE_MOUNT_POINT=none allows", root, mount_point="none")
    found(CheckStatus.ERROR, "what is mounted at / is the root disk", root, mount_point="/")


def test_a_subvolume_of_the_root_disk_is_on_the_root_disk(mounted, tmp_path, monkeypatch):
    # It has another device number than the root disk has, and is mounted nowhere.
    data = mounted(*TMPFS)
    table = tmp_path / "mountinfo"
    table.write_text("21 1 0:18 / / rw - btrfs /dev/sda rw\n")
    monkeypatch.setattr("utxoracle.store.mounts._MOUNTS", table)
    found(CheckStatus.WARNING, "is on the root disk: set UTXORACLE_MOUNT_POINT", data)
    found(CheckStatus.OK, "UTXORACLE_MOUNT_POINT=none allows", data, mount_point="none")
    found(CheckStatus.ERROR, "what is mounted at / is the root disk", data, mount_point="/")
    # As in a changed root that no disk is mounted at.
    table.write_text("")
    found(CheckStatus.WARNING, "is on the root disk", data)


def test_a_folder_of_the_root_disk_that_is_mounted_elsewhere_is_no_other_disk(mounted):
    point = mounted("--bind", "/")
    told = f"what is mounted at {point} is the root disk: mount the disk of the data there, or set"
    found(CheckStatus.ERROR, told, point, mount_point=str(point))


def test_a_disk_that_went_read_only_fails(mounted):
    point = mounted(*TMPFS)
    subprocess.run(["mount", "-o", "remount,ro", point], check=True)
    told = f"the disk of {point} is mounted read-only: see dmesg"
    found(CheckStatus.ERROR, told, point, mount_point=str(point))


def test_a_disk_that_only_this_service_may_not_write_to_is_not_read_only(mounted):
    point = mounted(*TMPFS)
    subprocess.run(["mount", "-o", "remount,ro,bind", point], check=True)
    assert os.statvfs(point).f_flag & os.ST_RDONLY
    found(CheckStatus.OK, "is on the disk mounted at", point, mount_point=str(point))


def test_a_disk_that_is_low_deserves_a_look_and_one_without_room_for_a_run_fails(mounted):
    low, full = mounted(*LOW), mounted(*SMALL, name="full")
    told = "has 209.7 MB free, less than the 10 GB of UTXORACLE_MIN_FREE: make room"
    found(CheckStatus.WARNING, told, low, disk.free)
    found(CheckStatus.OK, "has 209.7 MB free", low, disk.free, min_free=0.2)
    found(CheckStatus.ERROR, "are needed: make room", full, disk.free, min_free=0)


def test_sizes_are_told_per_folder(folder):
    (folder.scans / "1.npz").write_bytes(bytes(1_200_000))
    backups = folder.path / "backups"
    backups.mkdir()
    (backups / "a.db").write_bytes(bytes(2_500_000))
    told = disk.sizes(Settings(data_dir=folder.path))
    size = sum(path.stat().st_size for path in folder.path.iterdir() if path.is_file()) / 1e6
    assert told.detail == f"data {size:.1f} MB, scans 1.2 MB, backups 2.5 MB"


def test_what_may_not_be_looked_at_is_not_known(open_folder):
    closed = open_folder / "closed"
    (closed / "data").mkdir(parents=True)
    closed.chmod(0)
    with another_user():
        found(CheckStatus.UNKNOWN, "Permission denied; run it as", closed / "data")
        found(CheckStatus.UNKNOWN, "Permission denied; run it as", closed / "data", disk.free)
    closed.chmod(0o700)
