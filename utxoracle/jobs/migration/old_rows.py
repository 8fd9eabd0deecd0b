"""The rows of a hand-made predecessor: found, read as they are, and imported beside our own."""

import fcntl
import os
import re
import stat
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utxoracle.bitcoin.network import Network
from utxoracle.errors import StorageError
from utxoracle.jobs.migration import old_values
from utxoracle.settings import Settings
from utxoracle.store.folder import DataFolder
from utxoracle.store.lock import run_lock

if TYPE_CHECKING:
    from utxoracle.store.connection import Connection
    from utxoracle.store.predecessor import Imported, PredecessorRow

LOCAL_DAYS = (
    "the predecessor's days are those of its machine's clock, which it took for UTC: they are "
    "imported as they stand, beside our own prices and never among them"
)
"""To be said once, where rows are imported."""

_NAME = re.compile(r"utxoracle.*\.(db|duckdb)")
_TABLE = "price_analysis"
_OURS = {"meta", "blocks"}
_MAIN = "main"
"""The schema that a name stands in which names none."""
_MOST_REASONS = 5

_READERS: dict[str, Callable[[str, str], Any]] = {
    "date": old_values.day,
    "exchange_price": partial(old_values.decimal, digits=12, places=2),
    "utxoracle_price": partial(old_values.decimal, digits=12, places=2),
    "price_difference": partial(old_values.decimal, digits=12, places=2),
    "avg_pct_diff": partial(old_values.decimal, digits=6, places=2),
    "confidence": partial(old_values.decimal, digits=5, places=4),
    "tx_count": old_values.integer,
    "is_valid": old_values.boolean,
    "created_at": old_values.moment,
}
"""How the value of a column is read from its text; also which columns are taken."""

_FLOCK = "hhqqi"
"""struct flock: l_type, l_whence, l_start, l_len, l_pid."""

_MOCK_PRICE = 100_000
_MOCK_TRANSACTIONS = 3


@dataclass(frozen=True)
class OldRows:
    """What a database of the predecessor holds.

    Attributes:
        rows: The rows that can be imported, ascending by date.
        remarks: What to know about the file, one line each.
        refused: Number of rows that can't be imported; the remarks say why.
        is_ours: Whether it is a database of this program instead.
        has_table: Whether it has the predecessor's table of prices, be that empty.
    """

    rows: "list[PredecessorRow]"
    remarks: list[str]
    refused: int = 0
    is_ours: bool = False
    has_table: bool = False


def old_databases(places: Iterable[Path]) -> list[Path]:
    """Return the files that are called as the predecessor called its databases, each once.

    Backups and what it wrote to the temporary folder when its database failed are called so too.

    Args:
        places: Folders to look in, not below; or files, whatever they are called. Those that
            aren't there, or can't be looked into, count as empty.
    """
    found: dict[tuple[int, int], Path] = {}
    for place in places:
        for path in [place, *called_as_databases(place)]:
            # Each by itself: one that can't be looked at must hide no other.
            with suppress(OSError):
                status = path.stat()
                if stat.S_ISREG(status.st_mode):
                    found.setdefault((status.st_dev, status.st_ino), path)
    return [*found.values()]


def called_as_databases(folder: Path) -> list[Path]:
    """Return what is called so in a folder, whatever it is; nothing where that can't be read."""
    try:
        return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    except OSError:
        return []


def read_old_rows(path: Path, origin: str) -> OldRows:
    """Return the rows of a database of the predecessor, which is left as it is.

    A file that can't be used has no rows, and a remark that says why.

    Args:
        path: The file. DuckDB's log beside it, which may hold the newest rows, is read with it.
        origin: What the rows shall be marked with; another one for each file.

    Raises:
        StorageError: A process has it open for writing, or this user may not read it.
    """
    from utxoracle.store.connection import Connection

    if not _is_utf8(path):
        # DuckDB takes no other names.
        return OldRows([], [f"no rows are imported from {_shown(path)}: its name is not UTF-8"])
    log = path.with_name(f"{path.name}.wal")
    has_log = log.exists()
    _check_readable(path)
    if has_log:
        _check_readable(log)
    try:
        with closing(
            Connection.open_read_only(path, lambda: "mend it, or go on without it")
        ) as connection:
            if not has_log:
                connection.check_length()
            old = _read(connection, origin)
    except StorageError as error:
        return OldRows([], [f"no rows are imported from {origin}: {error}"])
    if has_log:
        old.remarks.insert(0, f"{log} was read too: rows may be in it alone")
    return old


def import_old_rows(
    settings: Settings, network: Network, rows: "Sequence[PredecessorRow]"
) -> "Imported":
    """Store the predecessor's rows in the data folder, which is made if need be, and publish.

    They go into a table of their own, all or none. Importing them again changes nothing.

    Raises:
        UsageError: There is no home folder for the data folder.
        StorageError: It can't be written, another run holds its lock, or it is of another network.
    """
    from utxoracle.store.database import create_database, published_database

    folder = DataFolder(settings.data_folder())
    if not folder.database.exists():
        create_database(folder, network)
    folder.check()
    with run_lock(folder):
        folder.remove_left_overs()
        folder.check_space()
        with published_database(folder, network) as database:
            return database.import_predecessor(rows)


def _check_readable(path: Path) -> None:
    """Check that `path` can be read, and that nobody writes to it.

    DuckDB would refuse it too, but in the same way as a file that can't be used.
    """
    try:
        with path.open("rb") as file:
            writer = _writer_of(file.fileno())
    except OSError as error:
        raise StorageError(
            f"can't read {path}: {error.strerror}; run it as a user who can"
        ) from None
    if writer is not None:
        raise StorageError(f"{path} is open in {writer}: stop that, then run again")


def _writer_of(handle: int) -> str | None:
    """Return the process whose lock keeps others from reading a file."""
    question = struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
    kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, question))
    if kind == fcntl.F_UNLCK:
        return None
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        # It is in a container of its own, or gone by now.
        name = "another process"
    return f"{name} (pid {pid})"


def _read(connection: "Connection", origin: str) -> OldRows:
    found = connection.query(
        "SELECT schema_name, table_name FROM duckdb_tables() "
        "WHERE database_name = current_database() "
        "ORDER BY schema_name != ?, schema_name, table_name",
        [_MAIN],
    )
    tables = [name for schema, name in found if schema == _MAIN]
    path = connection.path
    if _OURS.issubset(tables):
        remark = f"{path} is a database of this program, not of the predecessor"
        return OldRows([], [remark], is_ours=True)
    others = ", ".join(
        f"{name if schema == _MAIN else f'{schema}.{name}'} "
        f"({_count(connection, schema, name):,} rows)"
        for schema, name in found
        if (schema, name) != (_MAIN, _TABLE)
    )
    remarks = [f"{path}: not taken: {others}"] if others else []
    if _TABLE not in tables:
        return OldRows([], [f"{path} has no table {_TABLE}, so no rows are imported", *remarks])
    return _read_table(connection, origin, remarks)


def _read_table(connection: "Connection", origin: str, remarks: list[str]) -> OldRows:
    path = connection.path
    columns = {
        str(name)
        for (name,) in connection.query(
            "SELECT column_name FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name = ? AND table_name = ?",
            [_MAIN, _TABLE],
        )
    }
    if missing := [name for name in _READERS if name not in {*columns, "created_at"}]:
        remarks.append(f"{path}: left empty, for want of a column: {', '.join(missing)}")
    if further := sorted(columns - {*_READERS}):
        remarks.append(f"{path}: columns that are not taken: {', '.join(further)}")
    taken = [name for name in _READERS if name in columns]
    # As text, each number as it stands: columns of other types would be rounded without a word.
    texts = ", ".join(f"CAST({_quoted(name)} AS TEXT)" for name in taken)
    found = connection.query(f"SELECT {texts} FROM {_MAIN}.{_TABLE} ORDER BY ALL")  # noqa: S608
    rows: dict[date, PredecessorRow] = {}
    reasons = []
    for values in found:
        texts_by_name = dict(zip(taken, values, strict=True))
        try:
            row = _row(texts_by_name, origin)
            if row.date in rows:
                raise ValueError("its day is there twice")
        except ValueError as error:
            day = texts_by_name.get("date")
            reasons.append(f"{path}: row {day!r:.40} is not imported: {error}")
        else:
            rows[row.date] = row
    remarks += reasons[:_MOST_REASONS]
    if more := reasons[_MOST_REASONS:]:
        remarks.append(f"{path}: {len(more):,} more rows are not imported for such reasons")
    if not found:
        remarks.append(f"{path}: its table {_TABLE} is empty")
    remarks += _mocks(path, [*rows.values()])
    return OldRows([*rows.values()], remarks, len(reasons), has_table=True)


def _row(texts: Mapping[str, str | None], origin: str) -> "PredecessorRow":
    from utxoracle.store.predecessor import PredecessorRow

    if texts.get("date") is None:
        raise ValueError("it has no date")
    values: dict[str, Any] = dict.fromkeys(_READERS)
    values |= {name: _READERS[name](name, text) for name, text in texts.items() if text is not None}
    return PredecessorRow(origin=origin, **values)


def _mocks(path: Path, rows: "Sequence[PredecessorRow]") -> list[str]:
    """Return a remark on rows that the predecessor computed from transactions made up for tests."""
    days = [
        row.date
        for row in rows
        if row.utxoracle_price == _MOCK_PRICE or row.tx_count == _MOCK_TRANSACTIONS
    ]
    if not days:
        return []
    return [
        f"{path}: {len(days):,} of its rows look like mock values ($100,000 from 3 "
        f"transactions), from {days[0]} to {days[-1]}: imported as they are"
    ]


def _count(connection: "Connection", schema: str, table: str) -> int:
    name = f"{_quoted(schema)}.{_quoted(table)}"
    count: int = connection.query(f"SELECT count(*) FROM {name}")[0][0]  # noqa: S608
    return count


def _is_utf8(path: Path) -> bool:
    return _shown(path) == str(path)


def _shown(path: Path) -> str:
    """Return a path as it can be printed."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
