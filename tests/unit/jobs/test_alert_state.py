import json
import os
from dataclasses import replace
from pathlib import Path
from stat import S_IMODE
from threading import Event, Thread

import pytest

from tests.conftest import ordinary_user
from utxoracle.errors import StorageError
from utxoracle.jobs.alert_state import (
    Alert,
    AlertState,
    BackupReading,
    read_state,
    state_file,
    state_lock,
    write_state,
)

LONG = 30.0
"""Seconds; nothing in these tests takes that long, so where it is set it never counts."""

DATA = "/mnt/nvme/data"

ALERT = Alert(
    id="a1",
    condition="disk",
    component="storage",
    level="warning",
    message="it is full",
    context={"free": 1, "share": 0.5, "path": "/x", "none": None},
    since=1.5e9 + 0.25,
    seen=1.5e9 + 0.5,
)
STATE = AlertState(
    DATA,
    alerts={
        "disk": ALERT,
        "run": replace(ALERT, condition="run", told=True, ended=1.6e9),
    },
    backup=BackupReading("some file", None),
)


def test_what_is_written_is_read_again(tmp_path):
    for state in (STATE, AlertState(DATA), replace(STATE, backup=BackupReading("x", "damaged"))):
        write_state(tmp_path, state)
        assert read_state(tmp_path, DATA) == state


def test_what_is_remembered_of_other_data_folders_stays(tmp_path):
    write_state(tmp_path, STATE)
    other = read_state(tmp_path, "/data")
    assert (other.alerts, other.backup) == ({}, None)
    other.alerts["disk"] = ALERT
    write_state(tmp_path, other)
    assert read_state(tmp_path, DATA).alerts == STATE.alerts
    assert read_state(tmp_path, "/data").alerts == {"disk": ALERT}


def test_nothing_is_remembered_at_first(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_state(tmp_path, DATA)


def test_the_state_is_private(tmp_path):
    folder = tmp_path / "not" / "there"
    with state_lock(folder, LONG):
        write_state(folder, STATE)
    assert S_IMODE(folder.stat().st_mode) == 0o700
    assert [S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600, 0o600]


def changed(**others) -> bytes:
    content = {"alerts": [ALERT.__dict__ | others], "backup": None}
    return json.dumps({"data_dirs": {DATA: content}}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff junk",
        b"null",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"alerts": {}, "backup": null}'.replace(b"{}", b"[1]"),
        b'{"alerts": [{}], "backup": null}',
        b'{"alerts": [], "backup": {"mark": 1, "fault": null}}',
        b'{"alerts": [], "backup": {"mark": "x"}}',
        changed(since="now"),
        changed(seen=None),
        changed(told=1),
        changed(told=None),
        changed(ended="x"),
        changed(context=[]),
        changed(level=3),
        changed(extra=1),
        changed(since=1e300),
        changed(since=float("nan")),
        changed(ended=float("inf")),
        changed(ended=-1e18),
        changed(message="\ud800"),
        changed(condition="two\nlines"),
        changed(context={"price": float("nan")}),
    ],
)
def test_what_is_no_state_is_refused(content, tmp_path):
    state_file(tmp_path).write_bytes(content)
    with pytest.raises(ValueError, match=r".*"):
        read_state(tmp_path, DATA)


def test_a_state_that_is_another_users_can_not_be_read_but_is_replaced(open_folder):
    open_folder.chmod(0o777)
    write_state(open_folder, STATE)
    with ordinary_user():
        if os.geteuid() != state_file(open_folder).stat().st_uid:
            with pytest.raises(PermissionError):
                read_state(open_folder, DATA)
        write_state(open_folder, AlertState(DATA))
        assert read_state(open_folder, DATA) == AlertState(DATA)


def test_a_folder_that_can_not_be_written_is_told(open_folder):
    open_folder.chmod(0o555)
    with (
        ordinary_user(),
        state_lock(open_folder, LONG),
        pytest.raises(StorageError, match="can't write"),
    ):
        write_state(open_folder, STATE)


def test_without_a_lock_the_work_is_done_all_the_same(tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    done = []
    with state_lock(file / "folder", LONG):
        done.append(1)
    assert done


def holding(folder: Path, is_held: Event, may_end: Event) -> None:
    with state_lock(folder, LONG):
        is_held.set()
        may_end.wait(30)


def test_the_second_waits_for_the_first(tmp_path):
    is_held, may_end = Event(), Event()
    first = Thread(target=holding, args=(tmp_path, is_held, may_end))
    first.start()
    assert is_held.wait(30)
    got_it = Event()
    second = Thread(target=holding, args=(tmp_path, got_it, may_end))
    second.start()
    assert not got_it.wait(0.3)
    may_end.set()
    assert got_it.wait(30)
    first.join()
    second.join()


def test_the_second_does_not_wait_for_ever(tmp_path):
    is_held, may_end = Event(), Event()
    first = Thread(target=holding, args=(tmp_path, is_held, may_end))
    first.start()
    assert is_held.wait(30)
    with state_lock(tmp_path, 0.2):
        assert not may_end.is_set()
    may_end.set()
    first.join()
