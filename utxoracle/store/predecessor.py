"""Prices that a hand-made predecessor computed, in a table of their own."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from utxoracle.store.columns import Columns

if TYPE_CHECKING:
    from utxoracle.store.connection import Connection

_SEPARATOR = "\x1f"

PREDECESSOR: Columns = {
    "date": "DATE",
    "origin": "TEXT",
    "exchange_price": "DECIMAL(12, 2)",
    "utxoracle_price": "DECIMAL(12, 2)",
    "price_difference": "DECIMAL(12, 2)",
    "avg_pct_diff": "DECIMAL(6, 2)",
    "confidence": "DECIMAL(5, 4)",
    "tx_count": "INTEGER",
    "is_valid": "BOOLEAN",
    "created_at": "TIMESTAMP",
}


@dataclass(frozen=True)
class PredecessorRow:
    """A day's price as the predecessor stored it; None where it stored none.

    Attributes:
        date: The day by the clock of that machine, which need not have been UTC.
        origin: The file that it was in.
        exchange_price: USD.
        utxoracle_price: USD.
        price_difference: USD, as it was stored.
        avg_pct_diff: Percent, as it was stored.
        confidence: From 0 to 1, by the predecessor's own measure.
        tx_count: Transactions that it used.
        is_valid: Whether it took the price for valid.
        created_at: When it wrote the row.
    """

    date: date
    origin: str
    exchange_price: Decimal | None
    utxoracle_price: Decimal | None
    price_difference: Decimal | None
    avg_pct_diff: Decimal | None
    confidence: Decimal | None
    tx_count: int | None
    is_valid: bool | None
    created_at: datetime | None


@dataclass(frozen=True)
class Imported:
    """What became of rows that were to be imported.

    Attributes:
        new: Rows that weren't there.
        changed: Rows of a day and an origin that were there with other values, now replaced.
        unchanged: Rows that were there already.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0


def predecessor_rows(connection: "Connection") -> list[PredecessorRow]:
    """Return the stored rows, ascending by date and origin."""
    rows = connection.query(
        f"SELECT {', '.join(PREDECESSOR)} FROM predecessor_prices "  # noqa: S608
        "ORDER BY date, origin"
    )
    return [PredecessorRow(*row) for row in rows]


def store_predecessor(connection: "Connection", rows: Sequence[PredecessorRow]) -> Imported:
    """Store rows, one for each day and origin, within a transaction of the caller.

    Raises:
        StorageError: They can't be stored.
    """
    stored = {(row.date, row.origin): row for row in predecessor_rows(connection)}
    wanted = {(row.date, row.origin): row for row in rows}
    if len(wanted) < len(rows):
        raise ValueError("two rows of one day and one origin")
    other = [row for key, row in wanted.items() if stored.get(key) != row]
    if other:
        _replace(connection, other)
    new = len(wanted.keys() - stored.keys())
    return Imported(new, changed=len(other) - new, unchanged=len(wanted) - len(other))


def _replace(connection: "Connection", rows: Sequence[PredecessorRow]) -> None:
    # One text for each column: DuckDB 1.5 takes 0.08 ms for every bound value, also in a list.
    texts = [
        _SEPARATOR.join(map(_text, column)) for column in zip(*map(astuple, rows), strict=True)
    ]
    values = ", ".join(
        f"CAST(nullif(unnest(string_split(?, chr({ord(_SEPARATOR)}))), '') AS {kind}) AS {name}"
        for name, kind in PREDECESSOR.items()
    )
    connection.query(
        f"INSERT OR REPLACE INTO predecessor_prices ({', '.join(PREDECESSOR)}) SELECT {values}",
        texts,
    )


def _text(value: object) -> str:
    # A path may hold anything.
    return "" if value is None else str(value).replace(_SEPARATOR, " ")
