"""Storing a batch: the statements of one transaction."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from utxoracle.sources.days import CONFIRMATIONS
from utxoracle.store import columns
from utxoracle.store.columns import Columns, Values
from utxoracle.store.connection import Connection
from utxoracle.store.rows import Batch, Points, RunRow

_SEPARATOR = "\x1f"
_PROOF = 1 + CONFIRMATIONS
"""Blocks behind a day that show it to be finished."""


def store_batch(connection: Connection, batch: Batch) -> None:
    """Change the stored rows as `batch` says, within a transaction of the caller.

    Raises:
        StorageError: The rows can't be stored.
    """
    if batch.kept_height is not None:
        _remove_above(connection, batch.kept_height)
    # Before the new rows: one may have the date of a stale row, whose gap these would fill.
    _fill_gaps(connection, "window_prices", "height", "INTEGER", batch.window_exchanges)
    _fill_gaps(connection, "daily_prices", "date", "DATE", batch.day_exchanges)
    _insert(connection, "blocks", columns.BLOCKS, [*map(columns.block_values, batch.blocks)])
    _insert(
        connection, "window_prices", columns.WINDOWS, [*map(columns.window_values, batch.windows)]
    )
    _insert(connection, "daily_prices", columns.DAYS, [*map(columns.day_values, batch.days)])
    if batch.points:
        _replace_points(connection, batch.points)
    if batch.run:
        _replace_run(connection, batch.run)


def _remove_above(connection: Connection, kept_height: int) -> None:
    connection.query("DELETE FROM blocks WHERE height > ?", [kept_height])
    connection.query("DELETE FROM window_prices WHERE height > ?", [kept_height])
    connection.query("DELETE FROM latest_points WHERE height > ?", [kept_height])
    connection.query("DELETE FROM daily_prices WHERE last_height > ?", [kept_height - _PROOF])


def _replace_points(connection: Connection, points: Points) -> None:
    connection.query("DELETE FROM latest_points")
    connection.query(
        "INSERT INTO latest_points VALUES (?, ?, ?)",
        [
            points.height,
            points.heights.astype("<i4").tobytes(),
            np.asarray(points.prices, "<f8").tobytes(),
        ],
    )


def _replace_run(connection: Connection, run: RunRow) -> None:
    connection.query("DELETE FROM runs WHERE started = ?", [columns.timestamp(run.started)])
    _insert(connection, "runs", columns.RUNS, [columns.run_values(run)])


def _fill_gaps(
    connection: Connection,
    table: str,
    key: str,
    key_type: str,
    found: Sequence[tuple[Any, Any, bool | None]],
) -> None:
    if not found:
        return
    kinds = {key: key_type, **columns.EXCHANGE}
    rows = [(at, *columns.exchange_values(facts, diverges)) for at, facts, diverges in found]
    changes = ", ".join(f"{name} = found.{name}" for name in columns.EXCHANGE)
    connection.query(
        f"UPDATE {table} SET {changes} FROM (SELECT {_unpacked(kinds)}) AS found "  # noqa: S608
        f"WHERE {table}.{key} = found.{key}",
        _packed(rows),
    )


def _insert(connection: Connection, table: str, kinds: Columns, rows: Sequence[Values]) -> None:
    if rows:
        connection.query(
            f"INSERT INTO {table} ({', '.join(kinds)}) SELECT {_unpacked(kinds)}",
            _packed(rows),
        )


def _unpacked(kinds: Columns) -> str:
    """Return the SQL that makes columns of what `_packed` returns."""
    return ", ".join(
        f"CAST(nullif(unnest(string_split(?, chr({ord(_SEPARATOR)}))), '') AS {kind}) AS {name}"
        for name, kind in kinds.items()
    )


def _packed(rows: Sequence[Values]) -> list[str]:
    """Return one text for each column.

    DuckDB 1.5 takes 0.08 ms for every bound value, which is 0.2 s for 150 rows.
    """
    return [_SEPARATOR.join(map(_text, column)) for column in zip(*rows, strict=True)]


def _text(value: Any) -> str:
    """Return a value in the form that DuckDB casts back to the same one; NULL is empty."""
    if value is None:
        return ""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("a number that isn't finite must not be stored")
        # The shortest form that is read back as the same number, for numpy's kind as well.
        return float.__repr__(value)
    if isinstance(value, str):
        # Counts the separator as white space too.
        return " ".join(value.split())
    return str(value)
