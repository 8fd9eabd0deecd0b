"""Dumps of a real MariaDB, through a `podman` that stands in for its container."""

import gzip
import io
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.mariadb import BULK, CONTAINER, MISSING, PASSWORD, MariaDB, mariadb, sql_text
from utxoracle.errors import DataError, SourceError, StorageError
from utxoracle.jobs.mempool_dump import Content, content_of, dump

pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"no MariaDB to dump: {', '.join(MISSING)} not found"
)

TABLES = """
DROP DATABASE IF EXISTS mempool; CREATE DATABASE mempool; USE mempool;
CREATE TABLE blocks (height INT PRIMARY KEY, hash VARCHAR(65), median DOUBLE, fees DECIMAL(20, 8),
  seen TIMESTAMP NULL, raw BLOB, summary JSON, pool TEXT CHARACTER SET utf8mb4);
INSERT INTO blocks VALUES
  (1, 'aa', 0.1, 12345678901.00000001, '2026-01-02 03:04:05', x'00ff0a0d27225c1a', '{"a": [1]}',
   'ViaBTC 🚀 ''quoted'' \\\\ \\n -- Dump completed'),
  (2, 'bb', 1e-300, -1, NULL, NULL, NULL, NULL);
CREATE TABLE zeroes (id INT AUTO_INCREMENT PRIMARY KEY);
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
INSERT INTO zeroes VALUES (0), (7);
CREATE VIEW heights AS SELECT height FROM blocks;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    with mariadb() as server:
        yield server


@pytest.fixture
def filled(server: MariaDB, monkeypatch: pytest.MonkeyPatch) -> Iterator[MariaDB]:
    server.sql(TABLES, "mysql")
    monkeypatch.setenv("PATH", f"{server.programs}:{os.environ['PATH']}")
    yield server
    shutil.rmtree(server.inside)
    server.inside.mkdir()
    server.contain()


def ignore(count: int) -> None:
    """Take no interest in how far it is."""


def dumped(progress: Callable[[int], None] = ignore, database: str = "mempool") -> bytes:
    file = io.BytesIO()
    content = dump(CONTAINER, database, file, progress)
    sql = gzip.decompress(file.getvalue())
    assert content.size == len(sql)
    return sql


def restored(server: MariaDB, sql: bytes) -> dict[str, str]:
    server.sql("DROP DATABASE IF EXISTS second; CREATE DATABASE second", "mysql")
    server.sql(sql.decode(), "second")
    return rows(server, "second")


def rows(server: MariaDB, database: str) -> dict[str, str]:
    tables = server.sql("SHOW TABLES", database).split()
    return {name: server.sql(f"SELECT * FROM {name} ORDER BY 1", database) for name in tables}


def test_a_dump_restores_to_equal_rows(filled):
    told: list[int] = []
    sql = dumped(told.append)
    before = rows(filled, "mempool")
    assert set(before) == {"blocks", "heights", "zeroes"}
    assert restored(filled, sql) == before
    assert told == sorted(told)
    assert told[-1] == len(sql)


def test_a_dump_is_of_one_moment_though_a_writer_goes_on(filled):
    """The dump stands still in the midst of its first table while a row is added to two."""
    filled.sql(BULK)
    filled.halt_dumps()
    row = "BEGIN; INSERT INTO a VALUES (30001, ''); INSERT INTO z VALUES (30001); COMMIT"
    writer = Thread(target=filled.meanwhile, args=(lambda: filled.sql(row),), daemon=True)
    writer.start()
    sql = dumped()
    writer.join()
    assert filled.sql("SELECT count(*) FROM z") == "30001\n"
    restored(filled, sql)
    assert filled.sql("SELECT count(*) FROM a", "second") == "30000\n"
    assert filled.sql("SELECT count(*) FROM z", "second") == "30000\n"


@pytest.mark.parametrize("prefix", ["MARIADB", "MYSQL"])
@pytest.mark.parametrize("is_file", [False, True])
@pytest.mark.parametrize("user", ["", "mempool"])
def test_the_password_is_where_the_image_takes_it_from(filled, tmp_path, prefix, is_file, user):
    """Without a user of its own the database is root's."""
    filled.sql(f"SET PASSWORD FOR root@localhost = PASSWORD({sql_text(PASSWORD)})")
    name = f"{prefix}_PASSWORD" if user else f"{prefix}_ROOT_PASSWORD"
    value = PASSWORD
    if is_file:
        secret = tmp_path / "secret"
        secret.write_text(f"{PASSWORD}\n")
        name, value = f"{name}_FILE", str(secret)
    settings = {"MARIADB_USER": "", "MARIADB_PASSWORD": ""} | {f"{prefix}_USER": user, name: value}
    filled.contain(**settings)
    try:
        assert b"CREATE TABLE `blocks`" in dumped()
    finally:
        filled.sql("SET PASSWORD FOR root@localhost = PASSWORD('')", password=PASSWORD)


def test_the_password_is_in_no_list_of_processes(filled):
    spy = filled.inside / "mariadb-dump"
    seen = filled.folder / "seen"
    filled.install(
        spy,
        f"#!/bin/sh\ncat /proc/[0-9]*/cmdline > {seen} 2>/dev/null\n"
        f'exec {shutil.which("mariadb-dump")} "$@"\n',
    )
    # Not in the place of the shell, so that podman itself is in the list as well.
    filled.contain(run="")
    dumped()
    words = seen.read_bytes().split(b"\0")
    assert b"--single-transaction" in words
    assert b"exec" in words
    assert not [word for word in words if PASSWORD.encode() in word]


def test_an_old_image_has_mysqldump_only(filled):
    for name in ("mysqldump", "sh", "cat"):
        (filled.inside / name).symlink_to(str(shutil.which(name)))
    filled.contain(path=str(filled.inside))
    assert b"CREATE TABLE `blocks`" in dumped()
    (filled.inside / "mysqldump").unlink()
    assert (
        "(0 bytes, exit code 127: there is neither mariadb-dump nor mysqldump in it)" in refused()
    )


def refused(database: str = "mempool", container: str = CONTAINER) -> str:
    with pytest.raises(SourceError) as caught:
        dump(container, database, io.BytesIO(), ignore)
    line = str(caught.value)
    assert "\n" not in line
    assert PASSWORD not in line
    return line


def test_no_podman_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "can't run podman, which runs container mempool-db" in refused()


def test_a_container_that_is_not_there_is_told_by_podman(filled):
    assert 'no container with name or ID "other" found' in refused(container="other")


def test_a_wrong_password_is_told(filled):
    filled.contain(MARIADB_PASSWORD="another")
    assert "Access denied for user 'mempool'@'localhost'" in refused()


def test_a_secret_that_can_not_be_read_is_told(filled):
    filled.contain(MARIADB_PASSWORD="", MARIADB_PASSWORD_FILE="/run/secrets/none")
    assert "/run/secrets/none: No such file" in refused()


def test_a_database_that_is_not_there_is_told(filled):
    assert "to database 'other'" in refused(database="other")


def test_a_name_that_looks_like_an_option_is_none(filled):
    assert "to database '--help'" in refused(database="--help")


def test_a_database_without_a_table_is_no_backup(filled):
    filled.sql("DROP DATABASE mempool; CREATE DATABASE mempool", "mysql")
    with pytest.raises(DataError, match="mempool in container mempool-db holds no table"):
        dumped()


@pytest.mark.parametrize(
    ("ending", "told"),
    [("head -c 3000", "3.0 kB, exit code 0"), ("(cat; exit 2)", "exit code 2: without a reason")],
)
def test_a_dump_that_is_cut_short_or_fails_at_its_end_is_refused(filled, ending, told):
    filled.contain(run=f"exec bash -c '\"$@\" | {ending}' bash")
    assert told in refused()


def test_a_server_that_is_killed_meanwhile_is_told(filled):
    filled.sql(BULK)
    filled.halt_dumps()
    killer = Thread(target=filled.meanwhile, args=(filled.kill,), daemon=True)
    killer.start()
    try:
        assert "Lost connection" in refused()
    finally:
        killer.join()
        filled.start()


def test_complaints_without_end_stop_nothing_and_stay_one_short_line(filled):
    noisy = "yes warning | head -c 1000000 >&2; printf 'the \\033[31mlast%0999d\\n' 0 >&2; exit 3"
    filled.install(filled.inside / "mariadb-dump", f"#!/bin/sh\n{noisy}\n")
    line = refused()
    assert "exit code 3: the [31mlast000" in line
    assert len(line) < 500


def test_a_file_that_can_not_be_written_ends_the_dump(filled):
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError, match="space"):
        dump(CONTAINER, "mempool", full, ignore)


def test_a_damaged_file_is_not_unpacked(tmp_path):
    path = tmp_path / "dump.sql.gz"
    whole = gzip.compress(os.urandom(100_000))
    path.write_bytes(whole)
    assert isinstance(content_of(path), Content)
    for damaged in (whole[:-1], whole[:50_000] + b"\0" + whole[50_001:], whole + b"x", b"no gzip"):
        path.write_bytes(damaged)
        with pytest.raises(StorageError, match="can't be unpacked"):
            content_of(path)
