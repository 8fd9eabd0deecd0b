import errno
import os

import pytest

from tests.conftest import NOBODY, ordinary_user
from utxoracle.jobs.checks.unseen import unseen
from utxoracle.jobs.health import CheckStatus

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def looked_at(path):
    with pytest.raises(OSError) as caught, path.open("rb"):
        pass
    return unseen(path, caught.value)


@pytest.mark.parametrize("number", [errno.EIO, errno.EBADMSG, errno.ESTALE])
def test_a_disk_that_fails_is_a_failure_with_where_to_look(tmp_path, number):
    told = unseen(tmp_path, OSError(number, os.strerror(number)))
    assert told.status == CheckStatus.ERROR
    assert told.detail == (
        f"{tmp_path} can't be looked at: {os.strerror(number)}; its disk fails or is gone: see "
        "dmesg"
    )


def test_something_else_of_that_name_is_a_failure(tmp_path):
    told = looked_at(tmp_path)
    assert told.status == CheckStatus.ERROR
    assert told.detail.endswith(f"Is a directory; see what it is: ls -ld {tmp_path}")


def test_what_has_just_gone_is_not_known(tmp_path):
    told = looked_at(tmp_path / "gone")
    assert (told.status, told.detail[-10:]) == (CheckStatus.UNKNOWN, "look again")


@as_root
@pytest.mark.parametrize("closed", ["folder", "folder/file"])
def test_what_is_closed_by_its_own_mode_is_a_failure_for_its_owner_alone(open_folder, closed):
    (open_folder / "folder").mkdir()
    file = open_folder / "folder" / "file"
    file.touch()
    for path in (file, file.parent):
        os.chown(path, NOBODY, NOBODY)
    (open_folder / closed).chmod(0)
    with ordinary_user():
        told = looked_at(file)
    assert told.status == CheckStatus.ERROR
    assert told.detail.endswith(f"give it back with chmod u+rwX {open_folder / closed}")
    os.chown(open_folder / closed, 54_321, -1)
    with ordinary_user():
        told = looked_at(file)
    assert told.status == CheckStatus.UNKNOWN
    assert told.detail.endswith("run it as the service's user, or as root")
