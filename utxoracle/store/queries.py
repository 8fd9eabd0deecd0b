"""What can be asked of a database, whether it is the live one or a snapshot.

The cost of no question grows with the history, but for the series, the counts and the price at a
moment. DuckDB answers `max` and comparisons with a key from the bounds that it keeps of every
122,880 rows, whereas ORDER BY ... LIMIT 1 would read them.
"""

import math
from dataclasses import dataclass
from datetime import date

import numpy as np

from utxoracle.sources.days import CONFIRMATIONS, WINDOW
from utxoracle.store import columns
from utxoracle.store.columns import block_row, day_row, timestamp, window_row
from utxoracle.store.connection import Connection
from utxoracle.store.rows import BlockRow, DayGap, DayRow, Points, WindowGap, WindowRow
from utxoracle.store.schema import stored_version
from utxoracle.store.series import (
    DAILY_QUERY,
    DIFFERENCES_QUERY,
    EXTENT_QUERY,
    Differences,
    Extent,
    TextRow,
    series_query,
)

_BLOCKS = f"SELECT {', '.join(columns.BLOCKS)} FROM blocks"  # noqa: S608
_WINDOWS = f"SELECT {', '.join(columns.WINDOWS)} FROM window_prices"  # noqa: S608
_DAYS = f"SELECT {', '.join(columns.DAYS)} FROM daily_prices"  # noqa: S608
_GAPS = """SELECT before + 1, height - 1 FROM (
    SELECT height, lag(height, 1, ?) OVER (ORDER BY height) AS before
    FROM (SELECT height FROM {table} UNION ALL SELECT ?)
) WHERE height > before + 1 ORDER BY height"""


@dataclass(frozen=True)
class Counts:
    """How much is stored.

    Attributes:
        blocks: Number of blocks.
        first_height: Height of the first block; None without blocks, as below.
        last_height: Height of the last one.
        windows: Number of window prices.
        valid_windows: How many of them are valid.
        first_window: Height of the first window price.
        last_window: Height of the last one.
        days: Number of daily prices.
        valid_days: How many of them are valid.
        first_day: The first of these days.
        last_day: The last one.
        runs: Number of runs that stored something.
    """

    blocks: int
    first_height: int | None
    last_height: int | None
    windows: int
    valid_windows: int
    first_window: int | None
    last_window: int | None
    days: int
    valid_days: int
    first_day: date | None
    last_day: date | None
    runs: int


class Reader:
    """Questions to a database. All raise StorageError when it can't be read."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def network(self) -> str:
        """Name of the network whose chain is stored."""
        return self._meta("network")

    @property
    def revision(self) -> int:
        """Number of changes since the database was made."""
        return int(self._meta("revision"))

    @property
    def schema_version(self) -> int:
        """Version of the tables."""
        return stored_version(self._connection)

    def top(self) -> BlockRow | None:
        """Return the newest block."""
        row = self._connection.one(
            f"{_BLOCKS} WHERE height = (SELECT max(height) FROM blocks)"  # noqa: S608
        )
        return block_row(row) if row else None

    def block(self, height: int) -> BlockRow | None:
        """Return the block at `height`."""
        row = self._connection.one(f"{_BLOCKS} WHERE height = ?", [height])
        return block_row(row) if row else None

    def blocks_from(self, height: int) -> list[BlockRow]:
        """Return the blocks from `height` on, ascending."""
        rows = self._connection.query(f"{_BLOCKS} WHERE height >= ? ORDER BY height", [height])
        return [*map(block_row, rows)]

    def block_times(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return height and time of the blocks from `first` to `last`, ascending."""
        rows = self._connection.query(
            "SELECT height, time FROM blocks WHERE height BETWEEN ? AND ? ORDER BY height",
            [first, last],
        )
        return [(height, columns.seconds(time)) for height, time in rows]

    def first_height(self) -> int | None:
        """Return the height of the oldest block."""
        height: int | None = self._connection.query("SELECT min(height) FROM blocks")[0][0]
        return height

    def window(self, height: int) -> WindowRow | None:
        """Return the window price at `height`."""
        row = self._connection.one(f"{_WINDOWS} WHERE height = ?", [height])
        return window_row(row) if row else None

    def latest_window(self) -> WindowRow | None:
        """Return the newest window price."""
        row = self._connection.one(
            f"{_WINDOWS} WHERE height = (SELECT max(height) FROM window_prices)"  # noqa: S608
        )
        return window_row(row) if row else None

    def window_at(self, time: int) -> WindowRow | None:
        """Return the newest window price whose block is stamped at `time` or before."""
        row = self._connection.one(
            f"{_WINDOWS} WHERE height = "  # noqa: S608
            "(SELECT max(height) FROM window_prices WHERE time <= ?)",
            [timestamp(time)],
        )
        return window_row(row) if row else None

    def extent(self, start: int, stop: int) -> Extent:
        """Return what window prices there are from moment `start` on and before `stop`."""
        ((prices, *times),) = self._connection.query(
            EXTENT_QUERY, [timestamp(start), timestamp(stop)]
        )
        first, last = (None if time is None else columns.seconds(time) for time in times)
        return Extent(prices, first, last)

    def series(self, start: int, stop: int, interval: str) -> list[TextRow]:
        """Return window prices from moment `start` on and before `stop`, ascending in time.

        With another interval than that of blocks, each hour or day that has any gives one: its
        newest valid one, or its newest one where none is valid.

        Args:
            start: Seconds since 1970 UTC.
            stop: The same.
            interval: One of `store.series.INTERVALS`.

        Returns:
            Rows of the columns `store.series.SERIES`.
        """
        return self._connection.query(series_query(interval), [timestamp(start), timestamp(stop)])

    def differences(self, start: int, stop: int) -> Differences:
        """Return how exchange prices differ from moment `start` on and before `stop`."""
        ((entries, valid, *numbers),) = self._connection.query(
            DIFFERENCES_QUERY, [timestamp(start), timestamp(stop)]
        )
        # Sums of numbers that are far too great are infinite, and what follows from them is none.
        return Differences(entries, valid, *(_finite(number) for number in numbers))

    def latest_day(self, last_height: int | None = None) -> DayRow | None:
        """Return the newest daily price, of the days that end at `last_height` or before."""
        limit = "" if last_height is None else " WHERE last_height <= ?"
        row = self._connection.one(
            f"{_DAYS} WHERE date = (SELECT max(date) FROM daily_prices{limit})",  # noqa: S608
            [] if last_height is None else [last_height],
        )
        return day_row(row) if row else None

    def days(self, first: date, last: date) -> list[DayRow]:
        """Return the daily prices from `first` to `last`, ascending."""
        rows = self._connection.query(
            f"{_DAYS} WHERE date BETWEEN ? AND ? ORDER BY date", [first, last]
        )
        return [*map(day_row, rows)]

    def daily(self, start: int, stop: int, label: str) -> list[TextRow]:
        """Return the prices of the days whose noon is at `start` or after and before `stop`.

        Args:
            start: Seconds since 1970 UTC.
            stop: The same.
            label: What the price of a day is called whose blocks are those that version 9.1 of
                the original takes, as far as the stored times of blocks tell.

        Returns:
            Rows of the columns `store.series.DAILY`, ascending.
        """
        return self._connection.query(DAILY_QUERY, [timestamp(start), timestamp(stop), label])

    def exchange_gaps(self, since: int) -> tuple[list[WindowGap], list[DayGap]]:
        """Return the rows without an exchange price, ascending, that runs since then stored."""
        first: int | None = self._connection.query(
            "SELECT min(first_height) FROM runs WHERE finished >= ?", [timestamp(since)]
        )[0][0]
        if first is None:
            return [], []
        windows = self._connection.query(
            "SELECT height, time, price FROM window_prices "
            "WHERE exchange_price IS NULL AND height >= ? ORDER BY height",
            [first],
        )
        # A day is stored with the last of the blocks that show it to be finished.
        days = self._connection.query(
            "SELECT date, price FROM daily_prices "
            "WHERE exchange_price IS NULL AND last_height >= ? ORDER BY date",
            [first - 1 - CONFIRMATIONS],
        )
        return (
            [WindowGap(height, columns.seconds(time), price) for height, time, price in windows],
            [DayGap(day, price) for day, price in days],
        )

    def height_gaps(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return where blocks are missing, and where window prices are, ascending.

        Each gap is the first and the last height that is missing. Blocks are expected from the
        oldest one that is stored up to the newest, window prices from the 145th on.
        """
        first, top = self._connection.query("SELECT min(height), max(height) FROM blocks")[0]
        if top is None:
            return [], []
        blocks, windows = (
            self._connection.query(_GAPS.format(table=table), [before, top + 1])
            for table, before in (("blocks", first - 1), ("window_prices", first + WINDOW - 1))
        )
        return blocks, windows

    def points(self) -> Points | None:
        """Return the price points of the newest window."""
        row = self._connection.one("SELECT height, heights, prices FROM latest_points")
        if not row:
            return None
        height, heights, prices = row
        return Points(
            height=height,
            heights=np.frombuffer(heights, "<i4").astype(np.int64),
            prices=np.frombuffer(prices, "<f8").astype(np.float64),
        )

    def counts(self) -> Counts:
        """Return how much is stored."""
        blocks = self._connection.query("SELECT count(*), min(height), max(height) FROM blocks")
        windows = self._connection.query(
            "SELECT count(*), count(*) FILTER (is_valid), min(height), max(height) "
            "FROM window_prices"
        )
        days = self._connection.query(
            "SELECT count(*), count(*) FILTER (is_valid), min(date), max(date) FROM daily_prices"
        )
        runs = self._connection.query("SELECT count(*) FROM runs")
        return Counts(*blocks[0], *windows[0], *days[0], *runs[0])

    def _meta(self, key: str) -> str:
        row = self._connection.one("SELECT value FROM meta WHERE key = ?", [key])
        if not row:
            raise self._connection.not_ours(f"it records no {key}")
        value: str = row[0]
        return value


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
