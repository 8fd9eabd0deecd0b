"""What can be exported: whole tables, as text that can be written out or as typed Parquet."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from utxoracle.sources.days import DAY
from utxoracle.store import columns, predecessor
from utxoracle.store.columns import Columns, timestamp
from utxoracle.store.folder import DataFolder
from utxoracle.store.series import NOON, Column, Extent, TextRow, rfc3339_sql

if TYPE_CHECKING:
    from utxoracle.store.connection import Connection

_LOCAL_TIME = "TEXT"
"""A time that nobody knows the zone of is given as it was found."""

_PART = 60 * DAY
"""Seconds: some 8,640 prices."""

_MOST_MEMORY = "96MB"
"""For DuckDB, which would keep every page that it has read."""


@dataclass(frozen=True)
class Dataset:
    """Rows that can be exported.

    Attributes:
        name: What they are called.
        table: Their table.
        types: The type of each column by its name. Times are UTC.
        moment: SQL of the moment by which a row lies in a range, and by which rows are in order.
        key: Column that tells rows of one moment apart.
    """

    name: str
    table: str
    types: Columns
    moment: str
    key: str

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns as text."""
        return tuple(
            Column(name, _as_text(name, kind), is_text=kind in _QUOTED)
            for name, kind in self.types.items()
        )


_QUOTED = ("TEXT", "DATE", "TIMESTAMP")

PRICES = Dataset("prices", "window_prices", columns.WINDOWS, moment="time", key="height")
DAILY = Dataset("daily", "daily_prices", columns.DAYS, moment=NOON, key="date")
PREDECESSOR = Dataset(
    "predecessor",
    "predecessor_prices",
    predecessor.PREDECESSOR | {"created_at": _LOCAL_TIME},
    moment=NOON,
    key="origin",
)
DATASETS = {dataset.name: dataset for dataset in (PRICES, DAILY, PREDECESSOR)}
"""All of them, by name."""


class Export:
    """The rows of a dataset, from one state of the snapshot. All raise StorageError."""

    def __init__(self, connection: "Connection", dataset: Dataset) -> None:
        self._connection = connection
        self._dataset = dataset
        self._texts = ", ".join(column.sql for column in dataset.columns)
        self._typed = ", ".join(_as_typed(name, kind) for name, kind in dataset.types.items())
        connection.query(f"SET memory_limit = '{_MOST_MEMORY}'")

    @classmethod
    def open(cls, folder: DataFolder, dataset: Dataset, writable: Path | None = None) -> "Export":
        """Return the rows of `dataset` in the snapshot that is published now, whatever comes later.

        Args:
            folder: Where the snapshot is.
            dataset: The rows.
            writable: The one folder that Parquet can be written into.

        Raises:
            StorageError: There is no snapshot, or it can't be read.
        """
        from utxoracle.store.snapshot import Snapshot

        with closing(Snapshot(folder)) as snapshot:
            # Tells everything that can be wrong with it.
            snapshot.reader()
            connection = snapshot.hold()
        if writable:
            with closing(connection):
                connection = connection.reopened(writable)
        return cls(connection, dataset)

    def extent(self, start: int, stop: int) -> Extent:
        """Return what rows there are from moment `start` on and before `stop`."""
        moment = self._dataset.moment
        ((rows, *times),) = self._connection.query(
            f"SELECT count(*), min({moment}), max({moment}) {self._range(start, stop)}"
        )
        first, last = (None if time is None else columns.seconds(time) for time in times)
        return Extent(rows, first, last)

    def texts(self, start: int, stop: int) -> list[TextRow]:
        """Return the same rows with the values of `Dataset.columns`, ascending."""
        # Without names: ORDER BY would take the text of a height for the height.
        return self._connection.query(self._select(self._texts, start, stop))

    def write_parquet(self, start: int, stop: int, path: Path) -> None:
        """Write the same rows as Parquet; they are sorted in memory, so not too many at once.

        Raises:
            OSError: The file can't be written.
        """
        self._connection.write_parquet(self._select(self._typed, start, stop), path)

    def join_parquet(self, pieces: Sequence[Path], path: Path) -> None:
        """Write what such files hold as one, a little at a time.

        Raises:
            OSError: The file can't be written.
        """
        self._connection.join_parquet(pieces, path)

    def close(self) -> None:
        """Give up the snapshot."""
        self._connection.close()

    def _select(self, wanted: str, start: int, stop: int) -> str:
        order = f"{self._dataset.moment}, {self._dataset.key}"
        return f"SELECT {wanted} {self._range(start, stop)} ORDER BY {order}"

    def _range(self, start: int, stop: int) -> str:
        # COPY takes no bound values.
        table, moment = self._dataset.table, self._dataset.moment
        return (
            f"FROM {table} WHERE {moment} >= TIMESTAMP '{timestamp(start)}' "
            f"AND {moment} < TIMESTAMP '{timestamp(stop)}'"
        )


def parts_of(start: int, stop: int, extent: Extent) -> list[tuple[int, int]]:
    """Cut what there is of a range at midnights into parts that can be read at once."""
    if extent.first is None or extent.last is None:
        return []
    return [
        (max(begin, start), min(begin + _PART, stop))
        for begin in range(extent.first // DAY * DAY, extent.last + 1, _PART)
    ]


def _as_text(name: str, kind: str) -> str:
    return rfc3339_sql(name) if kind == "TIMESTAMP" else f"CAST({name} AS TEXT)"


def _as_typed(name: str, kind: str) -> str:
    # A conversion to a time with a zone would take the database's times for local ones.
    typed = f"to_timestamp(epoch({name}))" if kind == "TIMESTAMP" else f"CAST({name} AS {kind})"
    return f"{typed} AS {name}"
