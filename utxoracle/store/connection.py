"""DuckDB files: opening them, asking them, and every way they can fail in one line each."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from utxoracle.errors import StorageError
from utxoracle.store.folder import DUCKDB

# One thread is enough for what is asked here, and quicker to start. Nothing is ever fetched.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_CLOSED = {"enable_external_access": False}
# The oldest that all versions from 1.1 to 2 write and read.
_STORAGE = {"storage_compatibility_version": "v1.0.0"}

_CAUSES = (
    ("Conflicting lock", "{path} is in use by another program{pid}: close it, then run again"),
    ("No space left on device", "the disk of {path} is full: make room, then run again"),
    ("Disk quota exceeded", "the disk quota for {path} is used up: make room, then run again"),
    ("File too large", "{path} may not grow any further: lift its limit, then run again"),
    ("Read-only file system", "{path} is on a read-only disk: mount it writable, or see dmesg"),
    ("Permission denied", "{path} can't be opened: permission denied; check its owner and mode"),
    ("Input/output error", "the disk of {path} fails: see dmesg"),
    ("Bad message", "the disk of {path} fails: see dmesg"),
    ("we can only read ", "{path} was written by a newer DuckDB: use that version of it"),
    ("Out of Memory Error", "there is not enough memory for {path}: free some, then run again"),
)
"""What DuckDB says, the first that fits counts, and the line for people."""

_FILE_HEADERS = 3 * 4096
"""Bytes in front of the first page of a file."""

_PID = re.compile(r"\(PID ([0-9]+)\)")
_LONGEST_DETAIL = 160
_INTERRUPTED = "Query interrupted"

Remedy = Callable[[], str]
"""Says what to do about a file that can't be used, at the moment when it is needed."""


class Connection:
    """A connection to one file, whose failures are all of StorageError.

    Attributes:
        path: The file, for messages.
    """

    def __init__(self, path: Path, raw: duckdb.DuckDBPyConnection, remedy: Remedy) -> None:
        self.path = path
        self._raw = raw
        self._remedy = remedy
        self._holders = 1

    @classmethod
    def open(cls, path: Path, remedy: Remedy) -> "Connection":
        """Return a connection that can write, to a file that should be there.

        Raises:
            StorageError: It can't be opened; it is as before.
        """
        return cls._open_writable(path, remedy, _CONFIG | _CLOSED)

    @classmethod
    def create(cls, path: Path, remedy: Remedy) -> "Connection":
        """Return a connection that can write, to a new file of the oldest storage version."""
        return cls._open_writable(path, remedy, _CONFIG | _CLOSED | _STORAGE)

    @classmethod
    def _open_writable(cls, path: Path, remedy: Remedy, config: dict[str, Any]) -> "Connection":
        _check_kind(path, remedy)
        with _told(path, remedy):
            raw = duckdb.connect(_name(path), config=config)
        connection = cls(path, raw, remedy)
        # A file that turns out not to be ours must not even have its log folded in.
        connection.query("PRAGMA disable_checkpoint_on_shutdown")
        return connection

    @classmethod
    def open_read_only(
        cls, path: Path, remedy: Remedy, writable: Path | None = None
    ) -> "Connection":
        """Return a connection that can only read the file which has the name at this moment.

        The file is attached to an instance of DuckDB of its own. What is opened directly is shared
        by all connections of a process to a name, also after another file took that name.

        Args:
            path: The file.
            remedy: What to do when it can't be used.
            writable: The one folder that `write_parquet` can write files into.

        Raises:
            StorageError: It can't be opened.
        """
        _check_kind(path, remedy)
        with _told(path, remedy):
            connection = cls(path, duckdb.connect(config=_CONFIG), remedy)
        try:
            # ATTACH takes no bound value in DuckDB 1.5.
            connection.query(f"ATTACH {_quoted(path)} AS snapshot (READ_ONLY)")
            connection.query("USE snapshot")
            if writable:
                connection._allow(writable)
            connection.query("SET enable_external_access = false")
        except BaseException:
            connection.close()
            raise
        return connection

    def reopened(self, writable: Path) -> "Connection":
        """Return another connection to what has the same name, which can write into a folder.

        What a connection may do is settled when it is opened.

        Raises:
            StorageError: It can't be opened.
        """
        return self.open_read_only(self.path, self._remedy, writable)

    def hold(self) -> "Connection":
        """Return this connection, which then stays open until it is closed once more."""
        self._holders += 1
        return self

    def query(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that a statement gives.

        Raises:
            StorageError: It failed.
        """
        with _told(self.path, self._remedy):
            try:
                return self._raw.execute(statement, values).fetchall()
            except (duckdb.CatalogException, duckdb.BinderException) as error:
                raise self.not_ours(_first_line(error, self.path)) from None

    def one(self, statement: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
        """Return the first row that a statement gives, None when it gives none."""
        return next(iter(self.query(statement, values)), None)

    def write_parquet(self, statement: str, path: Path) -> None:
        """Write the rows that a query without values gives to `path`, in the writable folder.

        Raises:
            OSError: The file can't be written.
            StorageError: The rows can't be read, or this DuckDB doesn't write Parquet.
        """
        self._copy(statement, path, "FORMAT parquet, COMPRESSION zstd")

    def join_parquet(self, pieces: Sequence[Path], path: Path) -> None:
        """Write all rows of files that `write_parquet` made to `path`, a little at a time.

        Raises:
            OSError: The file can't be written.
            StorageError: The pieces can't be read.
        """
        names = ", ".join(map(_quoted, pieces))
        self.write_parquet(f"SELECT * FROM read_parquet([{names}])", path)  # noqa: S608

    def _allow(self, folder: Path) -> None:
        with _told(self.path, self._remedy):
            try:
                self._raw.execute(f"SET allowed_directories = [{_quoted(folder)}]")
            except duckdb.CatalogException as error:
                raise self._no_parquet(error) from None

    def _no_parquet(self, error: duckdb.Error) -> StorageError:
        return StorageError(
            f"the DuckDB that is installed here, {duckdb.__version__}, can't write Parquet as is "
            f"needed ({_first_line(error, self.path)}): take the newest of PyPI, or another format"
        )

    def _copy(self, statement: str, path: Path, how: str) -> None:
        with _told(self.path, self._remedy):
            try:
                self._raw.execute(
                    f"COPY ({statement}) TO {_quoted(path)} ({how}, USE_TMP_FILE false)"
                )
            except duckdb.CatalogException as error:
                raise self._no_parquet(error) from None
            except duckdb.IOException as error:
                # DuckDB 2 packs what went wrong into JSON.
                cause = re.search(re.escape(path.name) + r"\W*([\w ,]+)", str(error))
                if cause is None:
                    raise
                raise OSError(None, cause[1]) from None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let what is done meanwhile be stored as a whole, or not at all if anything is raised."""
        self.query("BEGIN")
        try:
            yield
            self.query("COMMIT")
        except BaseException:
            # A commit that failed is rolled back already, and then this is refused.
            with suppress(StorageError):
                self.query("ROLLBACK")
            raise

    def check_length(self) -> None:
        """Check that the file is as long as its used pages, when no log adds to them.

        DuckDB would notice a missing page only when it needs it, which may be after the next copy
        has taken the place of the last good one.

        Raises:
            StorageError: It has been cut short.
        """
        ((used,),) = self.query(
            "SELECT block_size * used_blocks FROM pragma_database_size() "
            "WHERE database_name = current_database()"
        )
        if self.path.stat().st_size < _FILE_HEADERS + used:
            raise StorageError(
                f"{self.path} can't be used and is left as it is (it has been cut short): "
                f"{self._remedy()}"
            )

    def close(self) -> None:
        """Close it; what is committed, but not folded into the file, stays in its log."""
        self._holders -= 1
        if self._holders:
            return
        with suppress(duckdb.Error):
            self._raw.close()

    def not_ours(self, detail: str) -> StorageError:
        """Return the error for a sound file that something else made."""
        return StorageError(
            f"{self.path} is not a database of utxoracle ({detail}), and is left as it is: "
            f"{self._remedy()}"
        )


def _check_kind(path: Path, remedy: Remedy) -> None:
    """Refuse what DuckDB would take for a file of something else, and look for an extension.

    Raises:
        StorageError: It is such a file.
    """
    # DuckDB itself tells best what it can't open. It, too, doesn't wait for a pipe.
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            head = file.read(DUCKDB[0].stop)
        if head and head[DUCKDB[0]] != DUCKDB[1]:
            raise StorageError(
                f"{path} can't be used and is left as it is (not a valid DuckDB database): "
                f"{remedy()}"
            )


@contextmanager
def _told(path: Path, remedy: Remedy) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        # What DuckDB makes of Ctrl-C.
        if str(error) != _INTERRUPTED:
            raise
        raise KeyboardInterrupt from None
    except duckdb.Error as error:
        text = str(error)
        pid = _PID.search(text)
        for cause, line in _CAUSES:
            if cause in text:
                raise StorageError(
                    line.format(path=path, pid=f" (pid {pid[1]})" if pid else "")
                ) from None
        raise StorageError(
            f"{path} can't be used and is left as it is ({_first_line(error, path)}): {remedy()}"
        ) from None


def _quoted(path: Path) -> str:
    return "'" + _name(path).replace("'", "''") + "'"


def _name(path: Path) -> str:
    """Return the name of a file as DuckDB takes it.

    Raises:
        StorageError: It takes none such.
    """
    # What comes before a colon in a relative path would be an extension to load.
    name = str(path.absolute())
    try:
        name.encode()
    except UnicodeEncodeError:
        raise StorageError(f"{name!a} can't be used, its name is not UTF-8: rename it") from None
    return name


def _first_line(error: duckdb.Error, path: Path) -> str:
    """Return the beginning of what DuckDB says: it may go on with stack traces and advice.

    The path stands in the message anyhow, and a long one would leave no room for the reason.
    """
    return f"{str(error).splitlines()[0].replace(str(path), path.name):.{_LONGEST_DETAIL}}"
