import os
import re
import shutil
import socket
import threading
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from tests.conftest import ordinary_user
from tests.filled import fill
from tests.unit.store.samples import batch
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import UtxoracleError
from utxoracle.jobs import doctor as module
from utxoracle.jobs.checks import (
    alerts,
    api,
    backups,
    clock,
    database,
    disk,
    permissions,
    services,
    snapshot,
    sources,
    versions,
)
from utxoracle.jobs.doctor import doctor
from utxoracle.jobs.health import Check, CheckStatus
from utxoracle.settings import Settings
from utxoracle.store.database import Database
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import read_last_run, write_last_run
from utxoracle.store.lock import run_lock
from utxoracle.store.snapshot import publish

CHECKLIST = {
    "storage": ["disk", "free space", "sizes", "permissions", "secrets"],
    "database": ["database", "snapshot", "publication", "heights", "days", "backup"],
    "runs": ["run", "chain", "price"],
    "sources": ["source", "exchange"],
    "services": ["units", "containers", "timers", "api", "alerts"],
    "machine": ["clock", "versions"],
}
OF_WHAT_IS_STORED = [*CHECKLIST["storage"][1:4], *CHECKLIST["database"], *CHECKLIST["runs"]]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A data folder with prices of two days and of this hour, to be copied."""
    folder = DataFolder(tmp_path_factory.mktemp("filled") / "data")
    fill(folder)
    return folder.path


@pytest.fixture
def data(filled, tmp_path):
    return DataFolder(shutil.copytree(filled, tmp_path / "data"))


def examine(folder, **settings):
    """Return what all checks find, by their names; each is one line, and none is left out."""
    given = {"network": "regtest", "api_port": 0, "mount_point": "none", **settings}
    found = doctor(Settings(data_dir=folder.path, **given))
    names = {group: [one.name for one in found if one.group == group] for group in CHECKLIST}
    assert {**names, "sources": 0} == {**CHECKLIST, "sources": 0}
    for one in found:
        assert one.check.detail
        assert "\n" not in one.check.detail
        assert "Error(" not in one.check.detail
    return {one.name: one.check for one in found}


def statuses(found, *names):
    return {found[name].status for name in names}


def tree(folder: Path):
    """What would change if anything were written below a folder."""
    return {
        path: (path.lstat().st_ino, path.lstat().st_mtime_ns, path.lstat().st_ctime_ns)
        for path in [folder, *folder.rglob("*")]
    }


def test_everything_is_looked_at_and_nothing_is_written(data, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    before = tree(tmp_path)
    found = examine(data, source="sim:days=1")
    assert tree(tmp_path) == before
    well = ["sizes", "permissions", "secrets", "database", "snapshot", "publication", "heights"]
    assert statuses(found, *well, "run", "chain", "price", "versions") == {CheckStatus.OK}
    assert found["backup"].status == CheckStatus.WARNING


WIRED = {
    "disk": (disk, "mount"),
    "free space": (disk, "free"),
    "sizes": (disk, "sizes"),
    "permissions": (permissions, "stored"),
    "secrets": (permissions, "secrets"),
    "database": (database, "database"),
    "snapshot": (snapshot, "snapshot"),
    "publication": (database, "published"),
    "heights": (snapshot, "heights"),
    "days": (snapshot, "days"),
    "backup": (backups, "kept_backups"),
    "exchange": (sources, "exchange"),
    "units": (services, "units"),
    "containers": (services, "containers"),
    "timers": (services, "timers"),
    "api": (api, "api"),
    "alerts": (alerts, "alerts"),
    "clock": (clock, "clock"),
    "versions": (versions, "versions"),
}


def test_each_name_stands_before_what_its_own_check_found(data, monkeypatch):
    def found_by(name):
        return lambda *_, **__: Check(CheckStatus.ERROR, f"found by {name}")

    for name, (home, function) in WIRED.items():
        monkeypatch.setattr(home, function, found_by(name))
    found = examine(data)
    assert {name: found[name].detail for name in WIRED} == {
        name: f"found by {name}" for name in WIRED
    }


def test_runs_a_stalled_chain_and_missing_prices_fail(data):
    stalled = examine(data, stall_minutes=4)["chain"].detail
    assert re.search(r"is [5-9] min old: the chain stalls", stalled)
    data.last_run.unlink()
    with duckdb.connect(data.database) as connection:
        connection.execute("DELETE FROM window_prices")
    publish(data)
    found = examine(data, stall_minutes=4)
    assert statuses(found, "run", "chain", "price", "heights") == {CheckStatus.ERROR}


def test_each_source_is_a_line_of_its_own_without_its_password(data):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
    found = examine(data, source=f"mempool+http://user:secret@{place} sim:days=1")
    assert found[f"mempool+http://{place}"].status == CheckStatus.WARNING
    assert "refused the connection" in found[f"mempool+http://{place}"].detail
    # Its chain is a short one.
    assert "below what is stored" in found["sim:days=1"].detail
    assert not any("secret" in check.detail for check in found.values())


def test_a_source_that_alone_fails_is_a_failure(data):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
    found = examine(data, source=f"bitcoind+http://{place}")
    assert found[f"bitcoind+http://{place}"].status == CheckStatus.ERROR
    found = examine(data, source="files:nowhere")
    assert found["files:nowhere"].status == CheckStatus.ERROR


def test_a_folder_that_is_not_there_fails_once_and_all_else_is_looked_at(tmp_path):
    found = examine(DataFolder(tmp_path / "data"))
    assert statuses(found, "disk", "database", "snapshot", "run") == {CheckStatus.ERROR}
    unknown = ["free space", "sizes", "permissions", "publication", "heights", "days", "chain"]
    assert statuses(found, *unknown) == {CheckStatus.UNKNOWN}
    assert found["versions"].status == CheckStatus.OK


def test_a_damaged_snapshot_is_told_once_and_all_else_is_looked_at(data):
    data.snapshot.write_bytes(b"junk" * 10_000)
    found = examine(data)
    assert found["snapshot"].status == CheckStatus.ERROR
    assert found["publication"].status == CheckStatus.ERROR
    assert statuses(found, "heights", "days", "chain", "price") == {CheckStatus.UNKNOWN}
    assert statuses(found, "database", "run") == {CheckStatus.OK}


@pytest.mark.parametrize(
    ("exit_code", "status"),
    [(3, CheckStatus.WARNING), (4, CheckStatus.ERROR), (5, CheckStatus.ERROR)],
)
def test_a_run_that_failed_fails_at_once_where_that_mostly_stays(data, exit_code, status):
    run = read_last_run(data)
    write_last_run(data, replace(run, exit_code=exit_code, message="it is damaged"))
    told = examine(data)["run"]
    assert told.status == status
    assert f"failed with exit code {exit_code}: it is damaged" in told.detail


@pytest.mark.parametrize("kept", [3_000_000, 100_000])
def test_a_database_that_was_cut_short_is_a_failure(data, kept):
    os.truncate(data.database, min(kept, data.database.stat().st_size // 2))
    assert statuses(examine(data), "publication") == {CheckStatus.ERROR}


def test_a_run_that_is_going_on_is_not_disturbed(data):
    with run_lock(data), Database.open(data, REGTEST) as opened:
        found = examine(data)
        opened.commit(batch(934_560, 934_561))
    assert "a run is going on" in found["database"].detail
    assert statuses(found, "snapshot", "heights", "run") == {CheckStatus.OK}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("closed", ["folder", "files"])
def test_what_a_user_may_not_read_is_not_known(open_folder, filled, closed):
    data = DataFolder(shutil.copytree(filled, open_folder / "data"))
    for path in [data.path] if closed == "folder" else [*data.path.iterdir()]:
        path.chmod(0o700)
    data.path.chmod(0o700 if closed == "folder" else 0o755)
    with ordinary_user():
        found = examine(data, api_token_file=data.path / "token")
    judged = {name: found[name].status for name in OF_WHAT_IS_STORED}
    if closed == "files":
        # What is looked at from outside.
        for name in ("free space", "sizes", "permissions", "backup"):
            del judged[name]
    assert set(judged.values()) == {CheckStatus.UNKNOWN}, judged
    assert found["versions"].status == CheckStatus.OK


def test_a_disk_that_hangs_is_not_waited_for(data, monkeypatch):
    before = {*threading.enumerate()}
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    data.database.unlink()
    os.mkfifo(data.database)
    found = examine(data)
    assert statuses(found, "database", "publication") == {CheckStatus.UNKNOWN}
    assert "it takes longer than 0.5 s: see dmesg" in found["database"].detail
    while waiting := {*threading.enumerate()} - before:
        # A writer, which they wait for.
        os.close(os.open(data.database, os.O_RDWR))
        waiting.pop().join(0.05)


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (UtxoracleError("it is broken: mend it"), CheckStatus.ERROR, "it is broken: mend it"),
        (ValueError("odd"), CheckStatus.UNKNOWN, "it can't be checked (ValueError)"),
        (OSError("odd"), CheckStatus.UNKNOWN, "it can't be checked (OSError: odd)"),
    ],
)
def test_a_check_that_breaks_is_never_green_and_stops_no_other(
    data, monkeypatch, error, status, detail
):
    def broken():
        raise error

    monkeypatch.setattr(versions, "versions", broken)
    found = examine(data)
    assert (found["versions"].status, found["versions"].detail) == (status, detail)
    assert found["snapshot"].status == CheckStatus.OK
