import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event

import duckdb
import pytest

from tests.conftest import ordinary_user
from tests.unit.jobs.backing import record
from tests.unit.store.samples import (
    EXCHANGE,
    FIRST_TIME,
    NO_EXCHANGE,
    NO_PRICE,
    batch,
    block_row,
    day_row,
    facts,
    window_row,
)
from utxoracle.bitcoin.network import REGTEST
from utxoracle.jobs import backup_conditions
from utxoracle.jobs import conditions as conditions_job
from utxoracle.jobs.alert_state import Alert, AlertState
from utxoracle.jobs.backup import backup
from utxoracle.jobs.checks import backups
from utxoracle.jobs.conditions import conditions
from utxoracle.jobs.health import CheckStatus
from utxoracle.settings import Settings
from utxoracle.store.backup_files import checksum_file
from utxoracle.store.database import Database
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import NO_RUN, write_last_run
from utxoracle.store.snapshot import publish

TOP = 300
NOW = FIRST_TIME + 600 * TOP + 240
MADE = NOW - 60
"""When the backup was made."""

HOUR = 3600
UNIT = "unit:utxoracle-backup.service"

RUN = replace(
    NO_RUN,
    started=NOW - 61.0,
    finished=NOW - 60.0,
    succeeded=NOW - 60.0,
    message="stored block 300",
    state="ok",
    source="mempool h:1",
    sources=[
        {"name": "mempool h:1", "state": "ok", "height": TOP},
        {"name": "bitcoind h:2", "state": "ok", "height": TOP},
    ],
    tip_height=TOP,
    tip_time=block_row(TOP).time,
)
FAILED = replace(RUN, exit_code=3, message="mempool h:1 is down")


def store(folder, rows):
    with Database.open(folder, REGTEST) as database:
        database.commit(rows)
    publish(folder)


@pytest.fixture(scope="session")
def all_well(empty_store, tmp_path_factory):
    """A data folder that nothing is wrong with."""
    path = tmp_path_factory.mktemp("well") / "data"
    folder = DataFolder(shutil.copytree(empty_store, path))
    store(folder, batch(1, TOP, days=[day_row(1, last_height=287)]))
    write_last_run(folder, RUN)
    back_up(folder, MADE)
    return path


def back_up(folder, moment):
    """Make a backup that seems to have been made at a moment."""
    made = backup(settings_of(folder)).path
    checksum_file(made).unlink()
    name = datetime.fromtimestamp(moment, UTC).strftime("utxoracle_cache_%Y-%m-%d_%H%M%S.db")
    record(made.rename(made.with_name(name)))


@pytest.fixture
def well(all_well, tmp_path):
    return DataFolder(shutil.copytree(all_well, tmp_path / "well"))


def settings_of(folder, **others):
    given = {"network": "regtest", "mount_point": "none", "min_free": 0.0}
    return Settings(data_dir=folder.path, **given | others)


def opened(*names):
    """A state in which alerts about these conditions are open."""
    return AlertState(
        "", {name: Alert("id", name, "x", "warning", "x", {}, NOW - 10, NOW - 10) for name in names}
    )


def judged(folder, state=None, now=NOW, **settings):
    found = conditions(settings_of(folder, **settings), state or AlertState(""), now)
    return {one.name: one for one in found.conditions}


def held(*arguments, **settings):
    """The conditions that hold."""
    return [name for name, one in judged(*arguments, **settings).items() if one.holds]


def unknown(*arguments, **settings):
    found = judged(*arguments, **settings)
    return [name for name, one in found.items() if not one.holds and not one.is_over]


def test_nothing_is_wrong_where_all_is_well(well):
    found = judged(well)
    assert {one.check.status for one in found.values()} == {CheckStatus.OK}
    assert [*found] == [
        "storage",
        "snapshot",
        "run",
        "chain",
        "price",
        "divergence",
        "heights",
        "days",
        "source:mempool h:1",
        "source:bitcoind h:2",
        "disk",
        "backup",
        "mempool-backup",
    ]


def test_a_damaged_snapshot_is_one_condition(well):
    whole = well.snapshot.read_bytes()
    well.snapshot.write_bytes(whole[:100_000])
    assert held(well) == ["snapshot"]
    assert unknown(well) == ["chain", "price", "divergence"]
    well.snapshot.write_bytes(whole)
    assert held(well) == []


def test_no_good_run_is_one_only_after_some_time(well):
    write_last_run(well, replace(FAILED, succeeded=NOW - 29 * 60.0))
    assert held(well) == []
    write_last_run(well, replace(FAILED, succeeded=NOW - 31 * 60.0))
    assert held(well) == ["run"]
    well.last_run.write_text("junk")
    assert held(well) == ["run"]


@pytest.mark.parametrize("exit_code", [4, 5])
def test_a_failure_that_mostly_stays_is_one_at_once_until_a_run_goes_well(well, exit_code):
    write_last_run(well, replace(FAILED, exit_code=exit_code, message="it is damaged"))
    assert held(well) == ["run"]
    write_last_run(well, FAILED)
    assert held(well) == []
    assert unknown(well, opened("run")) == ["run"]
    write_last_run(well, RUN)
    assert judged(well, opened("run"))["run"].is_over


def test_a_clock_that_was_ahead_is_one(well):
    write_last_run(well, replace(RUN, finished=NOW + 5.0 * HOUR, succeeded=NOW + 5.0 * HOUR))
    assert held(well) == ["run"]


def test_a_stalled_chain_is_one(well):
    write_last_run(well, replace(RUN, finished=NOW + 4.0 * HOUR, succeeded=NOW + 4.0 * HOUR))
    assert held(well, None, NOW + 4 * HOUR) == ["chain"]
    assert held(well, None, NOW + 4 * HOUR, stall_minutes=300) == []


def next_block(folder, height, **others):
    """Store one more block, whose window price differs from the usual."""
    rows = batch(height, height)
    row = replace(window_row(height), **others)
    store(folder, replace(rows, windows=[row]))


def test_a_price_that_is_not_valid_is_one(well):
    next_block(well, 301, facts=NO_PRICE, diverges=None)
    assert held(well) == ["price"]
    assert unknown(well) == ["divergence"]
    doubtful = replace(facts(), is_valid=False, invalid_reason="it jumps")
    next_block(well, 302, facts=doubtful, exchange=exchange_at(50))
    assert held(well) == ["price"]
    assert unknown(well) == ["divergence"]
    found = judged(well)
    assert found["price"].check.detail == "the price of block 302 is not valid: it jumps"
    next_block(well, 303)
    assert held(well) == []


def exchange_at(percent):
    return replace(EXCHANGE, price=facts().price * (1 + percent / 100))


def test_prices_that_diverge_are_one_until_they_are_well_within_the_limit(well):
    for height, percent, is_open, holds in (
        (301, 2.9, False, False),
        (302, -3.1, False, True),
        (303, 2.9, True, True),
        (304, 2.6, True, False),
    ):
        next_block(well, height, exchange=exchange_at(percent))
        state = opened("divergence") if is_open else None
        assert held(well, state) == (["divergence"] if holds else []), percent
    assert held(well, None, divergence=2.5) == ["divergence"]


def test_figures_come_with_a_divergence(well):
    next_block(well, 301, exchange=exchange_at(-5))
    one = judged(well)["divergence"]
    assert one.check.detail == (
        "the price of block 301 and the exchange price diverge by -5.00 %: $60,000.33 in the "
        "chain, $57,000.32 at the exchange; compare with another exchange, since one of the two is "
        "off"
    )
    assert one.context["height"] == 301
    assert one.context["price"] == facts().price
    assert one.context["difference_percent"] == pytest.approx(-5)


def test_without_an_exchange_price_a_divergence_neither_begins_nor_ends(well):
    next_block(well, 301, exchange=NO_EXCHANGE, diverges=None)
    assert unknown(well, opened("divergence")) == ["divergence"]


def test_missing_days_and_heights_are_conditions_however_long_ago(well):
    first = batch(301, 10 * 144 + 20)
    store(well, replace(first, windows=[row for row in first.windows if row.height != 310]))
    found = judged(well)
    assert found["heights"].holds
    assert "310" in found["heights"].check.detail
    assert "2025-11-24" in found["days"].check.detail
    rows = batch(1461, 1461, days=[day_row(n, last_height=144 * n + 143) for n in range(2, 10)])
    store(well, rows)
    assert "days" not in held(well)


def test_each_source_is_a_condition_of_its_own_until_it_is_none_any_more(well):
    dead = {"name": "bitcoind h:2", "state": "unreachable", "height": None}
    write_last_run(well, replace(RUN, sources=[RUN.sources[0], dead]))
    assert held(well) == ["source:bitcoind h:2"]
    write_last_run(well, replace(RUN, sources=[RUN.sources[0], dead | {"state": "unasked"}]))
    assert held(well) == []
    write_last_run(well, replace(RUN, sources=RUN.sources[:1]))
    assert judged(well, opened("source:bitcoind h:2"))["source:bitcoind h:2"].is_over
    write_last_run(well, replace(RUN, sources=[]))
    assert "source:bitcoind h:2" not in judged(well, opened("source:bitcoind h:2"))


def test_little_room_is_one_until_there_is_some_more(well):
    free = shutil.disk_usage(well.path).free / 1e9
    assert held(well, None, min_free=2 * free) == ["disk"]
    # Just enough to begin with, but too little to end it.
    assert held(well, None, min_free=0.95 * free) == []
    assert held(well, opened("disk"), min_free=0.95 * free) == ["disk"]
    assert held(well, opened("disk"), min_free=0.5 * free) == []


def test_a_missing_data_folder_is_one_condition_whatever_it_hides(well):
    away = well.path.with_name("away")
    well.path.rename(away)
    assert [*judged(well)] == held(well) == ["storage"]
    away.rename(well.path)
    assert held(well) == []


def test_a_mount_point_where_nothing_is_mounted_is_one(well):
    assert [*judged(well, None, mount_point=str(well.path))] == ["storage"]
    assert held(well, None, mount_point=str(well.path)) == ["storage"]


def test_that_the_root_disk_is_used_is_none(well):
    assert held(well, None, mount_point=None) == []


def test_a_data_folder_that_may_not_be_looked_at_is_one(well, open_folder):
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    folder = DataFolder(shutil.copytree(well.path, closed / "data"))
    with ordinary_user():
        if os.geteuid() != closed.stat().st_uid:
            assert held(folder) == ["storage"]


def test_a_disk_that_hangs_is_one_condition(well, monkeypatch):
    monkeypatch.setattr(conditions_job, "PATIENCE", 0.5)
    # To open it waits until somebody writes.
    pipe = well.last_run
    pipe.unlink()
    os.mkfifo(pipe)
    try:
        (one,) = judged(well).values()
        assert one.name == "storage"
        assert one.holds
        assert "gives no answer within 0.5 s" in one.check.detail
    finally:
        os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))


def test_a_disk_of_backups_that_hangs_is_one_that_hides_no_other(well, monkeypatch):
    monkeypatch.setattr(backup_conditions, "LISTING", 0.2)
    may_answer = Event()
    monkeypatch.setattr(backups, "last_backup", lambda *_, **__: may_answer.wait(30))
    write_last_run(well, replace(FAILED, succeeded=NOW - 31 * 60.0))
    try:
        found = judged(well)
    finally:
        may_answer.set()
    assert [name for name, one in found.items() if one.holds] == ["run", "backup"]
    assert found["backup"].check.detail == (
        f"the folder of backups {well.path / 'backups'} gives no answer within 0.2 s; see dmesg, "
        "and check its disk"
    )
    assert found["storage"].is_over
    assert found["chain"].is_over


def test_what_is_no_number_in_the_snapshot_hides_no_other(well):
    with duckdb.connect(str(well.snapshot)) as connection:
        connection.execute("UPDATE meta SET value = 'x' WHERE key = 'revision'")
    found = judged(well)
    assert [name for name, one in found.items() if one.holds] == ["snapshot"]
    assert found["snapshot"].check.detail == (
        "snapshot can't be looked at (ValueError): run utxoracle doctor"
    )
    assert found["heights"].is_over
    assert found["backup"].is_over


@pytest.mark.parametrize(
    ("place", "name", "held_too"),
    [
        ("checks.disk.mount", "storage", []),
        ("health._snapshot", "snapshot", []),
        ("health._run", "run", []),
        ("health._chain", "chain", []),
        ("conditions._price", "price", []),
        ("conditions._divergence", "divergence", []),
        ("checks.snapshot.heights", "heights", []),
        ("checks.snapshot.days", "days", []),
        ("conditions.sources_in", "source:mempool h:1", ["source:bitcoind h:2"]),
        ("checks.disk.free", "disk", []),
        ("checks.backups.last_backup", "backup", []),
        ("checks.backups.last_dump", "mempool-backup", []),
        ("conditions._unit", UNIT, []),
    ],
)
def test_what_breaks_is_one_by_its_name_and_hides_no_other(
    place, name, held_too, well, monkeypatch
):
    def broken(*_, **__):
        raise ValueError("S3CRET")

    monkeypatch.setattr(f"utxoracle.jobs.{place}", broken)
    state = opened(UNIT)
    found = judged(well, state)
    assert [one for one in found if found[one].holds] == [name, *held_too]
    assert found[name].check.detail == f"{name} can't be looked at (ValueError): " + (
        "run utxoracle doctor"
    )
    assert found[name].check.status is CheckStatus.ERROR
    assert len(found) == 14


def newest_backup(folder):
    return next((folder.path / "backups").glob("*.db"))


def test_a_backup_that_is_overdue_or_missing_is_one(well):
    write_last_run(well, replace(RUN, finished=MADE, succeeded=MADE))
    late = MADE + 31 * HOUR
    assert judged(well, None, late, stall_minutes=1e9)["backup"].holds
    assert not judged(well, None, late, stall_minutes=1e9, backup_hours=40.0)["backup"].holds
    newest_backup(well).unlink()
    assert judged(well)["backup"].holds


def test_a_damaged_backup_is_one_until_there_is_a_good_one(well):
    path = newest_backup(well)
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    state = AlertState("", backup=conditions(settings_of(well), AlertState(""), NOW).backup)
    found, again = judged(well), judged(well, state)
    # What is free on the disk may change between the two.
    del found["disk"], again["disk"]
    assert again == found
    assert [name for name, one in found.items() if one.holds] == ["backup"]
    assert conditions(settings_of(well), state, NOW).backup == state.backup
    back_up(well, NOW)
    assert held(well, state) == []


def test_a_backup_is_read_whole_only_once(well):
    path = newest_backup(well)
    found = conditions(settings_of(well), AlertState(""), NOW)
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(b"another byte")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    state = AlertState("", backup=found.backup)
    assert held(well, state) == []
    os.utime(path)
    assert held(well, state) == ["backup"]


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """What systemctl tells of every unit, by a stand-in that prints it."""
    programs = tmp_path / "programs"
    programs.mkdir()

    def tell(**facts):
        lines = "\n".join(f"{name}={value}" for name, value in facts.items())
        program = programs / "systemctl"
        program.write_text(f"#!/bin/sh\ncat <<END\n{lines}\nEND\n")
        program.chmod(0o755)

    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return tell


def is_over(folder, unit=UNIT, **context):
    state = opened(unit)
    state.alerts[unit].context |= context
    return judged(folder, state)[unit].is_over


WELL = {"LoadState": "loaded", "ActiveState": "inactive", "Result": "success"}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (WELL | {"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "5"}, False),
        (WELL | {"ActiveState": "activating"}, False),
        (WELL | {"ExecMainExitTimestamp": f"@{NOW}"}, True),
        # So systemd forgets a unit that nothing refers to, and so does reset-failed.
        (WELL | {"ExecMainExitTimestamp": ""}, True),
        (WELL | {"ActiveState": "active"}, True),
        (WELL | {"LoadState": "not-found"}, True),
    ],
)
def test_a_unit_that_fails_no_longer_is_over(told, expected, well, systemctl):
    systemctl(**told)
    assert is_over(well, result="exit-code") == expected


@pytest.mark.parametrize(
    ("exited", "expected"), [("", False), (f"@{NOW - 3600}", False), (f"@{NOW}", True)]
)
def test_a_unit_that_was_not_started_must_have_run_since(exited, expected, well, systemctl):
    systemctl(**WELL, ExecMainExitTimestamp=exited)
    assert is_over(well, result="success") == expected


def test_without_systemd_a_good_run_ends_the_failure_of_analyze_alone(well, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    analyze = "unit:utxoracle-analyze.service"
    assert not is_over(well)
    assert not is_over(well, analyze)
    write_last_run(well, replace(RUN, finished=NOW - 5.0))
    assert is_over(well, analyze)
    write_last_run(well, replace(FAILED, finished=NOW - 5.0))
    assert not is_over(well, analyze)
