import json
import re

import pytest
from click.testing import CliRunner

from tests.unit.jobs.backing import flip, forget_checksum, of_day, predecessor
from tests.unit.store.samples import batch
from utxoracle.bitcoin.network import REGTEST
from utxoracle.cli import backup as cli
from utxoracle.cli import console
from utxoracle.cli.backup import backup_command, backups_command, restore_command
from utxoracle.errors import StorageError
from utxoracle.store.database import Database
from utxoracle.store.snapshot import publish

COMMANDS = {"backup": backup_command, "backups": backups_command, "restore": restore_command}
LAST = 300
FACTS = {
    "bytes",
    "sha256",
    "network",
    "schema_version",
    "revision",
    "blocks",
    "first_height",
    "last_height",
    "windows",
    "days",
    "last_day",
}


@pytest.fixture
def data(folder):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(1, LAST))
    publish(folder)
    return folder


@pytest.fixture
def utxoracle(data, monkeypatch):
    """Run a command of these in the data folder, and give its result."""
    monkeypatch.setenv("UTXORACLE_NETWORK", "regtest")

    def run(name, *arguments, exit_code=0):
        done = CliRunner().invoke(
            COMMANDS[name],
            [*arguments, "--data-dir", str(data.path)],
            catch_exceptions=isinstance(exit_code, type),
        )
        if isinstance(exit_code, type):
            assert isinstance(done.exception, exit_code)
            return str(done.exception)
        assert done.exit_code == exit_code
        return done.output

    return run


def test_a_backup_is_told_in_one_line(utxoracle, data):
    line = utxoracle("backup")
    path = rf"{data.path}/backups/utxoracle_cache_[\d-]+\.db"
    assert re.fullmatch(
        rf"made {path}: [\d.]+ MB, 300 blocks \(1 to 300\), verified, [\d.]+ s\n", line
    )


def test_what_was_removed_is_told(utxoracle, data):
    for days in (50, 60, 70):
        of_day(data.snapshot, data.path / "backups", days)
    line = utxoracle("backup", "--keep-days", "55", "--keep-min", "1")
    assert "; removed 2 that were too old, up to utxoracle_cache_" in line


def test_a_backup_as_json(utxoracle, data, tmp_path):
    (tmp_path / "disk").mkdir()
    told = json.loads(utxoracle("backup", "--json", "--to", str(tmp_path / "disk")))
    assert set(told) == FACTS | {"file", "seconds", "removed"}
    assert told["file"].startswith(str(tmp_path / "disk"))
    assert told["bytes"] == data.snapshot.stat().st_size
    assert (told["first_height"], told["last_height"], told["last_day"]) == (1, LAST, None)


def test_an_empty_database_is_backed_up_too(folder, utxoracle):
    for path in folder.database, folder.snapshot:
        path.unlink()
    from utxoracle.store.database import create_database

    create_database(folder, REGTEST)
    assert "no blocks yet, verified" in utxoracle("backup")
    assert re.search(r"none +0  yes\n", utxoracle("backups"))


def test_backups_are_a_table(utxoracle, data):
    assert "no backups yet in" in utxoracle("backups")
    of_day(data.snapshot, data.path / "backups", 3)
    utxoracle("backup")
    folder, empty, heads, *rows = utxoracle("backups").splitlines()
    assert (folder, empty) == (str(data.path / "backups"), "")
    assert heads.split() == ["backup", "made", "age", "size", "heights", "blocks", "verified"]
    assert len(rows) == 2
    assert all(re.search(r"MB  1 to 300 +300  yes$", row) for row in rows)
    assert " 0 min " in rows[0]
    # A backup of a midnight: at noon it counts as a day older.
    assert re.search(r" [34] days ", rows[1])


@pytest.mark.parametrize("spoil", [flip, forget_checksum])
def test_one_that_is_not_good_is_exit_code_1(utxoracle, data, spoil):
    folder = data.path / "backups"
    of_day(data.snapshot, folder, 1)
    path = of_day(data.snapshot, folder, 2)
    spoil(path)
    *_, good, bad = utxoracle("backups", exit_code=1).splitlines()
    assert good.endswith("yes")
    assert "NO: " in bad
    told = json.loads(utxoracle("backups", "--json", exit_code=1))
    assert told["folder"] == str(folder)
    assert [one["verified"] for one in told["backups"]] == [True, False]
    assert set(told["backups"][0]) == FACTS | {
        "file",
        "made",
        "trouble",
        "verified",
        "of_predecessor",
    }
    trouble = told["backups"][1]["trouble"]
    assert trouble.startswith(f"{path} ")
    # The first column tells which one.
    assert bad.startswith(path.name)
    assert bad.endswith(trouble.replace(f"{path} ", "NO: "))


def test_a_backup_of_the_future_is_told_in_the_table(utxoracle, data):
    of_day(data.snapshot, data.path / "backups", -3)
    assert " in the future " in utxoracle("backups")


def test_progress_tells_what_is_done(utxoracle, data, monkeypatch):
    told = []

    def progress_of(action, *unit):
        told.append(action)
        return console.progress_of(action, *unit)

    monkeypatch.setattr(cli, "progress_of", progress_of)
    of_day(data.snapshot, data.path / "backups", 2)
    utxoracle("restore", "latest", "--dry-run")
    utxoracle("restore", "latest")
    assert told == ["verifying", "restoring"]


def test_backups_of_the_predecessor_are_told_and_no_failure(utxoracle, data):
    predecessor(of_day(data.snapshot, data.path / "backups", 2))
    assert "NO: " in utxoracle("backups")
    assert json.loads(utxoracle("backups", "--quick", "--json"))["backups"][0]["of_predecessor"]


def test_a_quick_look_verifies_nothing(utxoracle, data):
    of_day(data.snapshot, data.path / "backups", 2)
    assert utxoracle("backups", "--quick").endswith("not read\n")
    (told,) = json.loads(utxoracle("backups", "--quick", "--json"))["backups"]
    assert told["verified"] is None


def test_a_restore_tells_what_it_did_and_what_to_do(utxoracle, data):
    path = of_day(data.snapshot, data.path / "backups", 2)
    line = utxoracle("restore", "latest", "--dry-run")
    assert f"{path} is good and would be restored" in line
    line = utxoracle("restore", "latest")
    (kept,) = data.replaced
    assert f"restored {path} as {data.database}: " in line
    assert f"the database before it is kept as {kept}; run utxoracle analyze" in line


def test_a_restore_as_json(utxoracle, data):
    path = of_day(data.snapshot, data.path / "backups", 2)
    newer = of_day(data.snapshot, data.path / "backups", 1)
    flip(newer)
    *warnings, line = utxoracle("restore", "latest", "--json").splitlines()
    assert len(warnings) == 1
    assert warnings[0].startswith(f"utxoracle: warning: passed over: {newer}")
    told = json.loads(line)
    assert set(told) == FACTS | {"file", "database", "kept", "passed_over", "dry_run"}
    assert (told["file"], told["last_height"]) == (str(path), LAST)
    assert [told["kept"]] == [str(kept) for kept in data.replaced]


def test_a_restore_of_another_folder_and_network(utxoracle, data, tmp_path):
    of_day(data.snapshot, tmp_path / "disk", 2)
    elsewhere = ("--from", str(tmp_path / "disk"))
    message = utxoracle(
        "restore", "latest", "--network", "main", *elsewhere, exit_code=StorageError
    )
    assert "holds the network 'regtest', not 'main'" in message
    utxoracle("restore", "latest", *elsewhere)


@pytest.mark.parametrize(
    "arguments", [("backup", "--keep-days", "-1"), ("backup", "--to", ""), ("restore",)]
)
def test_what_can_not_be_meant_is_wrong_usage(utxoracle, arguments):
    utxoracle(*arguments, exit_code=2)
