"""Backups to test with: good ones of any day, and files that are none."""

import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from utxoracle.store.backup_files import checksum_file, digest_of


def record(path: Path) -> Path:
    """Write the checksum that a file has now beside it."""
    checksum_file(path).write_text(f"{digest_of(path)}  {path.name}\n")
    return path


def of_day(source: Path, folder: Path, days_ago: int) -> Path:
    """Put a good backup into `folder` that seems to have been made some days ago."""
    day = datetime.now(UTC).date() - timedelta(days=days_ago)
    folder.mkdir(exist_ok=True)
    return record(shutil.copy(source, folder / f"utxoracle_cache_{day}.db"))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300_000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_checksum(path: Path) -> None:
    flip(checksum_file(path))


def forget_checksum(path: Path) -> None:
    checksum_file(path).unlink()


def another_program(path: Path) -> None:
    path.unlink()
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE addresses (name TEXT)")
    record(path)


def sqlite_file(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE blocks (height INTEGER)")
    connection.commit()
    connection.close()
    record(path)


def newer(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (999, 'later', now())")
    record(path)


def predecessor(path: Path) -> None:
    path.unlink()
    checksum_file(path).unlink()
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE price_analysis (date DATE, confidence DECIMAL(5, 4))")


SPOILS: tuple[Callable[[Path], None], ...] = (
    flip,
    cut,
    empty,
    flip_checksum,
    forget_checksum,
    another_program,
    sqlite_file,
    newer,
    predecessor,
)
"""Each makes something of a good backup that isn't one."""
