import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.appliance import DISTURBED, SECONDS
from tests.containers import without_containers
from tests.old_tree import SECRETS, WEBHOOK, apps, content_of, mysql_folder

REGTEST = {"UTXORACLE_NETWORK": "regtest"}


@pytest.fixture(autouse=True)
def no_containers(monkeypatch, tmp_path_factory) -> Path:
    """The folder of a podman and a docker that know of no container."""
    folder = tmp_path_factory.mktemp("programs")
    monkeypatch.setenv("PATH", without_containers(folder))
    return folder


@pytest.fixture
def other_disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="utxoracle-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A whole tree, to be copied: to make databases anew takes longer."""
    return apps(tmp_path_factory.mktemp("built") / "old")


@pytest.fixture
def old(built, tmp_path) -> Path:
    (tmp_path / "new").mkdir()
    return shutil.copytree(built, tmp_path / "old")


def disturbed(mishap: str, moment: str, *arguments: Path | str) -> "subprocess.Popen[str]":
    """Start migrate, to which something happens at a moment: see tests/disturbed.py."""
    command = [sys.executable, DISTURBED, mishap, *moment.split(), "migrate", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | REGTEST)


def test_a_dry_run_tells_all_and_does_nothing(utxoracle, old, tmp_path):
    before = content_of(tmp_path)
    done = utxoracle("migrate", "--from", "old", "--to", "new", **REGTEST)
    assert done.returncode == 0, done.stderr
    assert content_of(tmp_path) == before
    lines = done.stdout.splitlines()
    assert lines[0] == f"{old} to {tmp_path}/new"
    (mysql,) = [line.split() for line in lines if line.startswith("mysql ")]
    assert mysql[:4] == ["mysql", "mempool-stack/data/mysql", "mempool/data/mysql", "rename"]
    assert "time: at once, everything is renamed" in lines
    assert "rows of the predecessor: 8 in 3 files, 2025-11-01 to 2025-11-05" in lines
    assert any("0.0.0.0" in line for line in lines)
    assert any("03:00" in line for line in lines)
    assert "services.utxoracle = {" in lines
    assert f"UTXORACLE_DATA_DIR={tmp_path}/new/utxoracle/data" in lines
    assert lines[-1] == "Nothing was done: add --apply to do it."


def test_a_dry_run_across_disks_tells_space_and_time(utxoracle, old, other_disk):
    done = utxoracle("migrate", "--from", "old", "--to", str(other_disk), **REGTEST)
    assert re.search(
        rf"^space: [\d.]+ MB needed on the disk of {other_disk}, [\d,.]+ GB free: enough$",
        done.stdout,
        re.MULTILINE,
    )
    assert re.search(
        r"^time: about 0 min for [\d.]+ MB, each byte read, written and read back at 100.0 MB/s$",
        done.stdout,
        re.MULTILINE,
    )


def test_it_is_done_and_the_command_that_archives_the_old_tree_is_printed(utxoracle, old, tmp_path):
    done = utxoracle("migrate", "--from", "old", "--to", "new", "--apply", **REGTEST)
    assert done.returncode == 0, done.stderr
    assert "imported 8 new, 0 changed, 0 were there already" in done.stdout
    archive = done.stdout.splitlines()[-1].strip()
    packed = f"{old}-predecessor.tar.gz"
    assert archive.startswith(f"(umask 077; tar --create --gzip --sparse --file={packed} ")
    subprocess.run(["/bin/sh", "-c", archive], check=True)
    # It holds what .env holds.
    assert Path(packed).stat().st_mode & 0o777 == 0o600
    again = utxoracle("migrate", "--from", "old", "--to", "new", "--apply", **REGTEST)
    assert again.returncode == 0, again.stderr
    assert "nothing is left there to be taken over" in again.stdout
    assert "imported 0 new, 0 changed, 8 were there already" in again.stdout


def test_what_the_alerts_need_is_put_there_by_the_command_that_is_printed(utxoracle, old, tmp_path):
    done = utxoracle("migrate", "--from", "old", "--to", "new", "--apply", **REGTEST)
    lines = done.stdout.splitlines()
    (setting,) = [line for line in lines if line.startswith("UTXORACLE_ALERT_URL_FILE=")]
    command = lines[lines.index("For the alerts, as root, once it is done:") + 1]
    # There may be no such user.
    command = command.replace("-o utxoracle -g utxoracle", f"-o {os.getuid()} -g {os.getgid()}")
    command = command.replace("/etc/", f"{tmp_path}/etc/")
    subprocess.run(["/bin/sh", "-c", command], check=True)
    file = Path(f"{tmp_path}{setting.partition('=')[2]}")
    assert file.read_text() == WEBHOOK
    assert file.stat().st_mode & 0o777 == 0o400


@pytest.mark.parametrize("options", [["--json"], ["--apply", "--verbose"]])
def test_no_password_is_shown(utxoracle, old, options):
    done = utxoracle("migrate", "--from", "old", "--to", "new", *options, **REGTEST)
    assert done.returncode == 0, done.stderr
    for secret in SECRETS:
        assert secret not in done.stdout + done.stderr


def test_json(utxoracle, old, tmp_path):
    arguments = ("migrate", "--from", "old", "--to", "new", "--json")
    told = json.loads(utxoracle(*arguments, **REGTEST).stdout)
    assert (told["from"], told["to"], told["applied"]) == (str(old), f"{tmp_path}/new", False)
    assert told["in_the_way"] == []
    assert told["rows"]["rows"] == 8
    assert told["rows"]["new"] is told["archive"] is None
    (mysql,) = [step for step in told["steps"] if step["kind"] == "mysql"]
    assert mysql["from"] == f"{old}/mempool-stack/data/mysql"
    assert mysql["to"] == f"{tmp_path}/new/mempool/data/mysql"
    assert mysql["how"] == "rename"
    assert mysql["files"] == 6
    assert mysql["bytes"] >= 1 << 20
    assert mysql["owners"] == [{"uid": os.geteuid(), "gid": os.getegid(), "files": 9}]
    assert f"UTXORACLE_DATA_DIR={tmp_path}/new/utxoracle/data\n" in told["env"]
    assert {row["reason"] for row in told["left"]} == {"its settings are translated"}
    told = json.loads(utxoracle(*arguments, "--apply", **REGTEST).stdout)
    assert told["applied"] is True
    assert (told["rows"]["new"], told["rows"]["changed"], told["rows"]["unchanged"]) == (8, 0, 0)
    assert all(
        path.startswith(f"{tmp_path}/new/mempool/config/secrets/") for path in told["secrets"]
    )
    assert told["archive"].startswith("(umask 077; tar ")


def test_what_is_in_the_way_is_a_warning_at_first_and_then_a_refusal(utxoracle, old, tmp_path):
    mysql_folder(tmp_path / "new" / "mempool" / "data" / "mysql")
    message = f"{tmp_path}/new/mempool/data/mysql holds data already: move it away"
    dry = utxoracle("migrate", "--from", "old", "--to", "new", **REGTEST)
    assert dry.returncode == 0
    assert f"utxoracle: warning: in the way: {message}" in dry.stderr
    before = content_of(tmp_path)
    done = utxoracle("migrate", "--from", "old", "--to", "new", "--apply", **REGTEST)
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith(f"utxoracle: nothing was moved: {message}")
    assert content_of(tmp_path) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="others are only warned")
def test_root_moves_nothing_where_docker_is_silent_unless_that_is_consented_to(
    utxoracle, old, tmp_path, no_containers
):
    (no_containers / "docker").write_text("#!/bin/sh\nexit 1\n")
    silent = "docker doesn't tell which containers there are: see docker ps --all"
    arguments = ("migrate", "--from", "old", "--to", "new", "--apply")
    dry = utxoracle(*arguments[:-1], **REGTEST)
    assert f"utxoracle: warning: in the way: {silent}, or consent" in dry.stderr
    before = content_of(tmp_path)
    done = utxoracle(*arguments, **REGTEST)
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == (
        f"utxoracle: nothing was moved: {silent}, or consent with --despite-unknown\n"
    )
    assert content_of(tmp_path) == before
    done = utxoracle(*arguments, "--despite-unknown", **REGTEST)
    assert done.returncode == 0, done.stderr
    assert f"utxoracle: warning: not known: {silent}" in done.stderr.splitlines()
    assert not (old / "mempool-stack" / "data" / "mysql").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's consent is asked for")
def test_what_could_not_be_found_out_is_told_before_anything_moves(old, tmp_path, no_containers):
    (no_containers / "docker").write_text("#!/bin/sh\nexit 1\n")
    arguments = ("--from", str(old), "--to", str(tmp_path / "new"), "--apply", "--despite-unknown")
    before = content_of(old)
    with disturbed("kill", "open moved-by-utxoracle.txt", *arguments) as process:
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == -signal.SIGKILL
    assert "warning: not known: docker doesn't tell which containers there are" in errors
    assert content_of(old) == before


def test_the_target_is_told_from_the_data_folder(utxoracle, old, tmp_path):
    for told in (
        utxoracle("migrate", "--from", "old", "--data-dir", "new/utxoracle/data", **REGTEST),
        utxoracle("migrate", "--from", "old", **REGTEST, UTXORACLE_DATA_DIR="new/utxoracle/data"),
    ):
        assert told.stdout.startswith(f"{old} to {tmp_path}/new\n")


def test_a_target_must_be_given(refused, old):
    assert "where to? Give the folder" in refused(2, "migrate", "--from", "old")
    assert "--to" in refused(2, "migrate", "--from", "old", "--data-dir", "data")


def test_wrong_usage(refused, old, tmp_path):
    assert "'--from'" in refused(2, "migrate")
    assert "nowhere is not there" in refused(2, "migrate", "--from", "nowhere", "--to", "new")
    assert "new holds nothing that is known" in refused(2, "migrate", "--from", "new", "--to", ".")
    for text in ("mysql", "mysql=", "mydata=x", "database=x"):
        line = refused(2, "migrate", "--from", "old", "--to", "new", "--take", text)
        assert "is not KIND=FOLDER or KIND=none" in line


def test_one_of_two_folders_is_chosen(utxoracle, refused, old):
    other = mysql_folder(old / "mempool-stack" / "mysql" / "data")
    arguments = ("migrate", "--from", "old", "--to", "new")
    line = refused(2, *arguments, **REGTEST)
    assert "--take mysql=FOLDER" in line
    told = utxoracle(*arguments, "--json", "--take", f"mysql={other}", **REGTEST)
    (step,) = [step for step in json.loads(told.stdout)["steps"] if step["kind"] == "mysql"]
    assert step["from"] == str(other)
    told = utxoracle(*arguments, "--json", "--take", "mysql=none", **REGTEST)
    assert "mysql" not in [step["kind"] for step in json.loads(told.stdout)["steps"]]


@pytest.mark.parametrize(
    "moment",
    [
        "os.rename utxoracle_cache.db.in-progress",
        "os.rename .utxoracle_snapshot.db.new",
        "os.rename 000003.sst.utxoracle-part",
    ],
)
def test_a_run_that_is_killed_is_gone_on_with_by_the_next(utxoracle, old, other_disk, moment):
    before = content_of(old)
    arguments = ("--from", str(old), "--to", str(other_disk), "--apply")
    with disturbed("kill", moment, *arguments) as process:
        process.communicate(timeout=SECONDS)
        assert process.returncode == -signal.SIGKILL
    assert content_of(old) == before
    done = utxoracle("migrate", *arguments, "--json", **REGTEST)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert rows["new"] + rows["unchanged"] == 8
    assert content_of(old) == before
    for name in ("mysql", "electrs", "cache"):
        copied = content_of(other_disk / "mempool" / "data" / name)
        assert copied == content_of(old / "mempool-stack" / "data" / name)
    assert not [*other_disk.rglob("*.in-progress")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_is_gone_on_with_by_the_next(utxoracle, old, other_disk, number):
    before = content_of(old)
    arguments = ("--from", str(old), "--to", str(other_disk), "--apply")
    with disturbed("halt", "os.rename ibdata1.utxoracle-part", *arguments) as process:
        assert os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        _, errors = process.communicate(timeout=SECONDS)
        assert process.returncode == 130
    assert errors.splitlines()[-1] == "utxoracle: interrupted"
    assert (other_disk / "mempool" / "data" / "mysql.in-progress").exists()
    done = utxoracle("migrate", *arguments, **REGTEST)
    assert done.returncode == 0, done.stderr
    assert content_of(old) == before
    assert content_of(other_disk / "mempool" / "data" / "mysql") == content_of(
        old / "mempool-stack" / "data" / "mysql"
    )


def test_rows_that_go_elsewhere_than_the_data_folder_that_is_set_are_told(utxoracle, old, tmp_path):
    command = ("migrate", "--from", "old", "--to", "new", "--data-dir")
    done = utxoracle(*command, "elsewhere/utxoracle/data", **REGTEST)
    warning = f"utxoracle: warning: rows go to {tmp_path}/new/utxoracle/data, not to elsewhere/"
    assert [line for line in done.stderr.splitlines() if line.startswith(warning)]
    assert "rows go to" not in utxoracle(*command, "new/utxoracle/data", **REGTEST).stderr


def test_a_name_that_is_not_utf_8_is_printed(utxoracle, old):
    strange = old / "utxoracle" / "data" / os.fsdecode(b"utxoracle_\xff.db")
    strange.touch()
    done = utxoracle(
        "migrate", "--from", "old", "--to", "new", PYTHONIOENCODING="utf-8:strict", **REGTEST
    )
    assert done.returncode == 0, done.stderr
    assert "utxoracle_\\xff.db: its name is not UTF-8" in done.stdout
