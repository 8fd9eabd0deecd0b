"""Where the output goes, and what is said of errors of the system that nothing else tells."""

import errno
import os
import subprocess
import sys

import pytest

from utxoracle.cli.program import _told

UTXORACLE = f"{sys.executable} -m utxoracle"


def shell(line, **settings):
    return subprocess.run(
        ["bash", "-c", line],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("settings", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_output_that_finds_no_room_for_all_of_it_is_a_failure(tmp_path, settings):
    done = shell(f"ulimit -f 1; {UTXORACLE} export --help > {tmp_path}/help", **settings)
    assert (done.returncode, done.stderr) == (
        5,
        "utxoracle: can't write the output: File too large\n",
    )


def test_doctor_needs_nobody_who_reads(tmp_path):
    done = shell(f"{UTXORACLE} doctor --data-dir {tmp_path}/data >&-")
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/root/x.csv"),
            "/root/x.csv can't be used: Permission denied; check its owner and mode, and those of "
            "the folders that lead to it",
        ),
        (
            OSError(errno.EBADMSG, "Bad message", "/mnt/nvme/data"),
            "the disk of /mnt/nvme/data fails or is gone (Bad message): see dmesg",
        ),
        (
            OSError(errno.EIO, "Input/output error"),
            "can't write the output: Input/output error, or a disk fails: see dmesg",
        ),
        (
            OSError(errno.ENAMETOOLONG, "File name too long", "nnn"),
            "nnn can't be used: File name too long; choose another name, or see what it is",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "can't write the output: No space left"),
    ],
)
def test_only_what_names_no_file_and_no_disk_is_of_the_output(error, told):
    assert _told(error).startswith(told)
