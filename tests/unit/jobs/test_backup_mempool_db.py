"""Backups of a real MariaDB: whole and verified, or not there by their name."""

import gzip
import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from tests.appliance import Appliance, one_line
from tests.conftest import small_disk
from tests.mariadb import BULK, MISSING, PASSWORD, MariaDB, mariadb

pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"no MariaDB to back up: {', '.join(MISSING)} not found"
)

NAME = re.compile(r"mempool_db_\d{4}-\d\d-\d\d(_\d{6})?\.sql\.gz")
COMMAND = "backup-mempool-db"


@pytest.fixture(scope="module")
def filled() -> Iterator[MariaDB]:
    with mariadb() as server:
        server.sql(BULK)
        yield server


@pytest.fixture
def server(filled: MariaDB) -> Iterator[MariaDB]:
    yield filled
    filled.contain()


@pytest.fixture
def appliance(server: MariaDB, tmp_path: Path) -> Appliance:
    path = f"{server.programs}:{os.environ['PATH']}"
    found = Appliance(tmp_path / "data", "", PATH=path)
    backups(found).mkdir(parents=True)
    return found


def backups(appliance: Appliance) -> Path:
    return appliance.folder / "backups"


def files(appliance: Appliance) -> list[str]:
    return sorted(path.name for path in backups(appliance).iterdir())


def made(appliance: Appliance, *arguments: str) -> dict[str, object]:
    done = appliance.run(COMMAND, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def old(appliance: Appliance, days: int, *, content: bytes = b"a dump") -> str:
    """Put a backup there as if it were made some days ago, and return its name."""
    name = f"mempool_db_{datetime.now(UTC) - timedelta(days):%Y-%m-%d}.sql.gz"
    path = backups(appliance) / name
    path.write_bytes(content)
    line = f"{sha256(b'a dump').hexdigest()}  {name}\n"
    path.with_name(f"{name}.sha256").write_text(line)
    return name


def test_a_backup_is_packed_checked_and_private(appliance):
    report = made(appliance)
    path = Path(str(report["file"]))
    assert path.parent == backups(appliance)
    assert NAME.fullmatch(path.name)
    assert files(appliance) == [path.name, f"{path.name}.sha256"]
    for name in files(appliance):
        assert stat.S_IMODE((path.parent / name).stat().st_mode) == 0o600
    check = ["sha256sum", "--check", f"{path.name}.sha256"]
    subprocess.run(check, cwd=path.parent, check=True, capture_output=True)
    sql = gzip.decompress(path.read_bytes())
    assert report["sql_bytes"] == len(sql) > 3_000_000
    assert report["bytes"] == path.stat().st_size
    assert report["sha256"] == sha256(path.read_bytes()).hexdigest()
    assert b"INSERT INTO `a`" in sql


def test_a_second_one_of_a_day_has_the_time_in_its_name(appliance):
    first, second = made(appliance), made(appliance)
    assert re.search(r"_\d{4}-\d\d-\d\d\.sql", str(first["file"]))
    assert re.search(r"_\d{4}-\d\d-\d\d_\d{6}\.sql", str(second["file"]))
    assert len(files(appliance)) == 4


def test_people_read_a_line(appliance, tmp_path):
    done = appliance.run(COMMAND, "--to", str(tmp_path), "--database", "mempool")
    assert re.fullmatch(
        rf"made {tmp_path}/mempool_db_\S+\.sql\.gz: [\d.]+ MB \(4\.\d MB of SQL\), "
        r"read back, in [\d.]+ s\n",
        done.stdout,
    )
    assert done.stderr == ""


def test_nothing_tells_the_password(appliance):
    for environment in ({}, {"MARIADB_PASSWORD": "another"}):
        done = appliance.run(COMMAND, "--verbose", **environment)
        assert PASSWORD not in done.stdout + done.stderr


def test_old_ones_go_and_the_newest_good_ones_stay(appliance):
    recent, *names = (old(appliance, days) for days in (5, 31, 40, 50))
    damaged = old(appliance, 45, content=b"damaged")
    (backups(appliance) / "mempool_db_2020-01-01.sql.gz").write_bytes(b"somebody else's")
    (backups(appliance) / "utxoracle_cache_2020-01-01.db").write_bytes(b"of another kind")
    removed = made(appliance, "--keep-min", "4")["removed"]
    assert [Path(name).name for name in removed] == [damaged, names[2]]
    kept = files(appliance)
    assert {recent, names[0], names[1], f"{names[1]}.sha256"} < set(kept)
    assert {"mempool_db_2020-01-01.sql.gz", "utxoracle_cache_2020-01-01.db"} < set(kept)
    assert f"{damaged}.sha256" not in kept


def test_those_that_are_not_good_replace_none(appliance):
    good = old(appliance, 60)
    for days in (5, 40, 50):
        old(appliance, days, content=b"damaged")
    assert made(appliance, "--keep-min", "2")["removed"] == []
    assert good in files(appliance)


def test_nothing_goes_when_none_is_made(appliance, server):
    name = old(appliance, 400)
    server.contain(MARIADB_PASSWORD="another")
    assert "Access denied" in appliance.refused(3, COMMAND, "--keep-min", "0")
    assert files(appliance) == [name, f"{name}.sha256"]


@pytest.mark.parametrize("option", ["--container", "--database"])
def test_an_empty_name_is_told(appliance, option):
    assert "is empty: leave" in appliance.refused(2, COMMAND, option, "")


def test_a_folder_that_is_not_there_is_not_made(appliance, tmp_path):
    line = appliance.refused(5, COMMAND, "--to", str(tmp_path / "disk"))
    assert f"{tmp_path}/disk can't be used: No such file or directory; run utxoracle backup" in line
    assert not (tmp_path / "disk").exists()


def test_a_disk_that_is_not_mounted_gets_no_dump(appliance, tmp_path):
    line = appliance.refused(5, COMMAND, UTXORACLE_MOUNT_POINT=str(tmp_path))
    assert f"{tmp_path} is not mounted: mount it" in line
    assert files(appliance) == []


@pytest.mark.parametrize(
    "moment",
    ["open .mempool_db.sql.gz.new", "open mempool_db_*.sha256", "os.rename .mempool_db*"],
)
def test_one_that_is_killed_leaves_no_backup_and_the_next_one_tidies_up(appliance, moment):
    done = appliance.run_disturbed("kill", moment, COMMAND)
    assert done.returncode == -signal.SIGKILL
    assert not [name for name in files(appliance) if NAME.fullmatch(name)]
    made(appliance)
    assert len(files(appliance)) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_is_interrupted_leaves_nothing(appliance, server, number):
    server.halt_dumps()
    process = appliance.start(COMMAND)
    told: list[str] = []

    def interrupt() -> None:
        process.send_signal(number)
        told.extend(process.communicate(timeout=60))

    server.meanwhile(interrupt)
    assert process.returncode == 130
    assert (told[0], told[1].strip()) == ("", "utxoracle: interrupted")
    assert files(appliance) == []


def test_two_at_once_are_refused(appliance, server):
    server.halt_dumps()
    first = appliance.start(COMMAND)
    lines: list[str] = []
    server.meanwhile(lambda: lines.append(appliance.refused(5, COMMAND)))
    assert "another dump is being written" in lines[0]
    assert first.communicate(timeout=60)[1] == ""
    assert first.returncode == 0
    assert len(files(appliance)) == 2


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Path]:
    """A folder for backups that is a disk of its own, of 80 MiB."""
    with small_disk(tmp_path / "disk", "80m") as disk:
        yield disk


def test_a_full_disk_is_one_line(appliance, cramped):
    moment = "open mempool_db_*.sha256"
    command = (COMMAND, "--to", str(cramped))
    line = one_line(appliance.run_disturbed("fill", moment, *command), 5)
    assert f"can't write to {cramped}: No space left on device" in line
    assert not list(cramped.glob("mempool_db_*.gz"))


def test_a_dump_stops_before_it_takes_the_last_space(appliance, server, cramped):
    # What can't be packed.
    server.filter_dumps("(head -c 30000000 /dev/urandom; cat)")
    line = appliance.refused(5, COMMAND, "--to", str(cramped))
    assert re.search(rf"the disk of {cramped} has 6[67] MB free, but 67 MB are needed", line)
    assert list(cramped.iterdir()) == []


def test_a_dump_does_not_begin_without_room_for_one_like_the_newest(appliance, server, cramped):
    newest = cramped / "mempool_db_2020-01-01.sql.gz"
    newest.write_bytes(bytes(15_000_000))
    # So there is nothing that could be dumped.
    server.contain(MARIADB_PASSWORD="another")
    line = appliance.refused(5, COMMAND, "--to", str(cramped))
    assert f"the disk of {cramped} has 69 MB free, but 82 MB are needed: make room" in line
    assert list(cramped.iterdir()) == [newest]


def test_a_disk_that_gives_back_something_else_is_found(appliance, server):
    """Some bytes of the temporary file change before it is read back."""
    temporary = backups(appliance) / ".mempool_db.sql.gz.new"
    server.halt_dumps()
    process = appliance.start(COMMAND)

    def spoil() -> None:
        with temporary.open("r+b") as file:
            file.seek(5000)
            file.write(bytes(9))

    server.meanwhile(spoil)
    out, err = process.communicate(timeout=60)
    line = one_line(subprocess.CompletedProcess([], process.returncode, out, err), 5)
    assert "can't be unpacked" in line or "does not give back" in line
    assert files(appliance) == []


def test_a_link_in_the_place_of_a_file_is_not_followed(appliance, tmp_path):
    """Whoever owns the folder must not get root to write elsewhere."""
    target = tmp_path / "target"
    target.write_text("precious")
    (backups(appliance) / ".mempool_db.sql.gz.new").symlink_to(target)
    today = f"mempool_db_{datetime.now(UTC):%Y-%m-%d}.sql.gz.sha256"
    (backups(appliance) / today).symlink_to(target)
    made(appliance)
    assert target.read_text() == "precious"


def test_duckdb_is_not_needed():
    code = "import sys, utxoracle.cli.mempool_db; sys.exit('duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
