"""How rows become columns of the database, and back."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from utxoracle.sources.exchange import ExchangePrice
from utxoracle.store.rows import BlockRow, DayRow, PriceFacts, RunRow, WindowRow

Columns = dict[str, str]
"""Types by name, in the order of the values."""

Values = Sequence[Any]

BLOCKS: Columns = {
    "height": "INTEGER",
    "hash": "TEXT",
    "prev_hash": "TEXT",
    "time": "TIMESTAMP",
    "size": "INTEGER",
    "tx_count": "INTEGER",
    "candidates": "INTEGER",
    "source": "TEXT",
}
EXCHANGE: Columns = {
    "exchange_price": "DOUBLE",
    "exchange_time": "TIMESTAMP",
    "exchange_reason": "TEXT",
    "diverges": "BOOLEAN",
}
_FACTS: Columns = {
    "price": "DOUBLE",
    "rough_price": "INTEGER",
    "deviation": "DOUBLE",
    "tx_count": "INTEGER",
    "outputs": "INTEGER",
    "points": "INTEGER",
    "confidence": "DOUBLE",
    "is_valid": "BOOLEAN",
    "invalid_reason": "TEXT",
    "algorithm": "TEXT",
}
WINDOWS: Columns = {"height": "INTEGER", "hash": "TEXT", "time": "TIMESTAMP", **_FACTS, **EXCHANGE}
DAYS: Columns = {
    "date": "DATE",
    "first_height": "INTEGER",
    "last_height": "INTEGER",
    "blocks": "INTEGER",
    **_FACTS,
    **EXCHANGE,
}
RUNS: Columns = {
    "started": "TIMESTAMP",
    "finished": "TIMESTAMP",
    "first_height": "INTEGER",
    "last_height": "INTEGER",
    "blocks": "INTEGER",
    "source": "TEXT",
}


def timestamp(seconds: float) -> datetime:
    """Return seconds since 1970 as the database holds them: UTC, without saying so."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def seconds(stamp: datetime) -> int:
    """Return the whole seconds since 1970 of a time of the database."""
    return int(stamp.replace(tzinfo=UTC).timestamp())


def block_values(row: BlockRow) -> Values:
    """Return the values of `BLOCKS`."""
    return (
        row.height, row.hash, row.prev_hash, timestamp(row.time), row.size, row.tx_count,
        row.candidates, row.source,
    )  # fmt: skip


def block_row(values: Values) -> BlockRow:
    """Return the block that the values of `BLOCKS` tell."""
    height, block_hash, prev_hash, time, *others = values
    return BlockRow(height, block_hash, prev_hash, seconds(time), *others)


def window_values(row: WindowRow) -> Values:
    """Return the values of `WINDOWS`."""
    return (
        row.height, row.hash, timestamp(row.time),
        *_facts_values(row.facts), *exchange_values(row.exchange, row.diverges),
    )  # fmt: skip


def window_row(values: Values) -> WindowRow:
    """Return the window price that the values of `WINDOWS` tell."""
    height, block_hash, time, *others = values
    return WindowRow(height, block_hash, seconds(time), *_row_end(others))


def day_values(row: DayRow) -> Values:
    """Return the values of `DAYS`."""
    return (
        row.date, row.first_height, row.last_height, row.blocks,
        *_facts_values(row.facts), *exchange_values(row.exchange, row.diverges),
    )  # fmt: skip


def day_row(values: Values) -> DayRow:
    """Return the daily price that the values of `DAYS` tell."""
    day, first, last, blocks, *others = values
    return DayRow(day, first, last, blocks, *_row_end(others))


def exchange_values(facts: ExchangePrice, diverges: bool | None) -> Values:
    """Return the values of `EXCHANGE`."""
    time = None if facts.time is None else timestamp(facts.time)
    return (facts.price, time, facts.reason, diverges)


def run_values(row: RunRow) -> Values:
    """Return the values of `RUNS`."""
    return (
        timestamp(row.started), timestamp(row.finished), row.first_height, row.last_height,
        row.blocks, row.source,
    )  # fmt: skip


def _facts_values(facts: PriceFacts) -> Values:
    return (
        facts.price, facts.rough_price, facts.deviation, facts.tx_count, facts.outputs,
        facts.points, facts.confidence, facts.is_valid, facts.invalid_reason, facts.algorithm,
    )  # fmt: skip


def _row_end(values: Values) -> tuple[PriceFacts, ExchangePrice, bool | None]:
    """Return what windows and days share: the values of `_FACTS` and `EXCHANGE`."""
    facts = PriceFacts(*values[: len(_FACTS)])
    price, time, reason, diverges = values[len(_FACTS) :]
    return facts, ExchangePrice(price, None if time is None else seconds(time), reason), diverges
