import json
import os
from dataclasses import asdict, replace

import pytest

from utxoracle.errors import StorageError
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import LastRun, file_marks, read_last_run, write_last_run

RUN = LastRun(
    started=1_795_341_603.123,
    finished=1_795_341_604.0,
    succeeded=1_795_341_004.5,
    exit_code=0,
    message="1 new block, 61,000 USD",
    network="main",
    source="mempool 127.0.0.1:8999",
    state="stalled",
    sources=[
        {"name": "bitcoind h:1", "state": "unreachable", "height": None},
        {"name": "mempool 127.0.0.1:8999", "state": "ok", "height": 925_000},
    ],
    routes={"mempool 127.0.0.1:8999": "/api/v1"},
    tip_height=925_000,
    tip_hash="00" * 32,
    tip_time=1_795_341_000,
    revision=17,
    files={"database": [1, 2, 3], "snapshot": [4, 5, 6]},
    caught_up=True,
)
FAILED = replace(
    RUN, exit_code=3, succeeded=None, state=None, source=None, sources=[], routes={}, network=None,
    tip_height=None, tip_hash=None, tip_time=None, revision=None, files=None, caught_up=False,
)  # fmt: skip
TEXTS = ("message", "state", "network", "source", "tip_hash")


@pytest.mark.parametrize("run", [RUN, FAILED])
def test_what_was_written_is_read(tmp_path, run):
    folder = DataFolder(tmp_path)
    write_last_run(folder, run)
    assert read_last_run(folder) == run
    assert folder.last_run.stat().st_mode & 0o777 == 0o640


def test_times_are_rfc_3339_in_utc(tmp_path):
    folder = DataFolder(tmp_path)
    write_last_run(folder, RUN)
    content = json.loads(folder.last_run.read_text())
    assert content["started"] == "2026-11-22T10:00:03.123Z"
    assert content["finished"] == "2026-11-22T10:00:04.000Z"
    assert content["succeeded"] == "2026-11-22T09:50:04.500Z"


def test_without_a_file_there_was_no_run(tmp_path):
    assert read_last_run(DataFolder(tmp_path)) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"junk", b"[]", b"{}", b"7", b"null", b"\xff\xfe", b"[" * 100_000],
    ids=lambda content: repr(content[:10]),
)
def test_junk_tells_of_no_run(tmp_path, content):
    folder = DataFolder(tmp_path)
    folder.last_run.write_bytes(content)
    assert read_last_run(folder) is None


@pytest.mark.parametrize("name", asdict(RUN))
@pytest.mark.parametrize(
    "value",
    [
        {"database": [1, 2]},
        {"database": ["x"]},
        [1],
        1.5,
        "x",
        "2026-13-22T10:00:03.123Z",
        "2026-11-22T10:00:03.123",
        None,
        -1,
    ],
    ids=str,
)
def test_a_wrong_type_tells_of_no_run(tmp_path, name, value):
    folder = DataFolder(tmp_path)
    write_last_run(folder, RUN)
    content = json.loads(folder.last_run.read_text())
    is_allowed = (
        (isinstance(value, str) and name in TEXTS)
        or (value is None and getattr(FAILED, name) is None)
        or (value == -1 and name in ("exit_code", "tip_height", "tip_time", "revision"))
    )
    folder.last_run.write_text(json.dumps(content | {name: value}))
    assert (read_last_run(folder) is not None) == is_allowed


@pytest.mark.parametrize("name", asdict(RUN))
def test_a_missing_field_tells_of_no_run(tmp_path, name):
    folder = DataFolder(tmp_path)
    write_last_run(folder, RUN)
    content = json.loads(folder.last_run.read_text())
    del content[name]
    folder.last_run.write_text(json.dumps(content))
    assert read_last_run(folder) is None


def test_true_is_no_number(tmp_path):
    folder = DataFolder(tmp_path)
    write_last_run(folder, RUN)
    content = json.loads(folder.last_run.read_text())
    folder.last_run.write_text(json.dumps(content | {"exit_code": True}))
    assert read_last_run(folder) is None


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(StorageError, match=r"last_run\.json"):
        write_last_run(DataFolder(tmp_path / "nowhere"), RUN)


def test_marks_stay_while_nobody_writes(folder):
    assert file_marks(folder) == file_marks(folder)
    assert set(file_marks(folder)) == {"database", "snapshot"}


@pytest.mark.parametrize("name", ["database", "snapshot"])
def test_marks_change_when_a_file_is_replaced_by_an_equal_one(folder, name):
    before = file_marks(folder)
    path = getattr(folder, name)
    status = path.stat()
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    copy.replace(path)
    assert file_marks(folder) != before


@pytest.mark.parametrize("name", ["database", "snapshot"])
def test_marks_change_when_a_file_is_written(folder, name):
    before = file_marks(folder)
    path = getattr(folder, name)
    os.utime(path, ns=(0, before[name][2] + 1))
    assert file_marks(folder) != before


@pytest.mark.parametrize("name", ["database", "snapshot"])
def test_there_are_no_marks_when_a_file_is_missing(folder, name):
    getattr(folder, name).unlink()
    assert file_marks(folder) is None


def test_there_are_no_marks_while_a_log_is_there(folder):
    folder.wal.touch()
    assert file_marks(folder) is None
