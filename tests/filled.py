"""A data folder that holds each kind of price: those of the document's examples, and new ones."""

import time
from dataclasses import replace
from datetime import UTC, datetime

from tests.unit.store.samples import (
    NO_EXCHANGE,
    NO_PRICE,
    block_row,
    day_row,
    facts,
    points,
    run_row,
    window_row,
)
from utxoracle.bitcoin.network import REGTEST
from utxoracle.sources.exchange import ExchangePrice
from utxoracle.store.database import Database, create_database
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import NO_RUN, write_last_run
from utxoracle.store.rows import Batch, BlockRow, DayRow, WindowRow
from utxoracle.store.snapshot import publish

EXAMPLE_HEIGHT = 934_529
EXAMPLE_TIME = 1_769_861_081
"""Those of the block that the examples of openapi.json are about."""

_FIRST = EXAMPLE_HEIGHT - 330
_LAST = EXAMPLE_HEIGHT + 30
_BETWEEN = 600
_AGE = 300


def fill(folder: DataFolder) -> None:
    """Store two days of blocks about the examples' one, then some that are new; publish them.

    There are prices that are missing, not valid, diverging, and some without an exchange price.
    """
    create_database(folder, REGTEST)
    now = int(time.time())
    blocks = [_block(height, now) for height in range(_FIRST, _LAST + 1)]
    batch = Batch(
        kept_height=None,
        blocks=blocks,
        windows=[_window(block) for block in blocks],
        days=_days(blocks),
        points=points(_LAST, count=5000),
        run=run_row(now - 60.0, _LAST, len(blocks)),
    )
    with Database.open(folder, REGTEST) as database:
        database.commit(batch)
    publish(folder)
    write_last_run(
        folder,
        replace(
            NO_RUN,
            started=now - 60.0,
            finished=now - 50.0,
            succeeded=now - 50.0,
            message=f"{len(blocks)} blocks",
            state="ok",
            network=REGTEST.name,
            source="mempool 127.0.0.1:8999",
            sources=[{"name": "mempool 127.0.0.1:8999", "state": "ok", "height": _LAST}],
            tip_height=_LAST,
            tip_hash=blocks[-1].hash,
            tip_time=blocks[-1].time,
            revision=1,
            caught_up=True,
        ),
    )


def _block(height: int, now: int) -> BlockRow:
    if height <= EXAMPLE_HEIGHT:
        stamp = EXAMPLE_TIME - _BETWEEN * (EXAMPLE_HEIGHT - height)
    else:
        stamp = now - _AGE - _BETWEEN * (_LAST - height)
    return replace(block_row(height), time=stamp)


def _window(block: BlockRow) -> WindowRow:
    row = replace(window_row(block.height), time=block.time)
    kind = (_LAST - block.height) % 7
    if kind == 1:
        return replace(row, facts=NO_PRICE, diverges=None)
    if kind == 2:
        return replace(row, exchange=NO_EXCHANGE, diverges=None)
    if kind == 3:
        exchange = ExchangePrice(price=70_000.0, time=block.time - 60, reason=None)
        return replace(row, exchange=exchange, diverges=True)
    if kind == 4:
        doubtful = replace(facts(61_000.5), is_valid=False, invalid_reason="it jumps")
        return replace(row, facts=doubtful)
    return row


def _days(blocks: list[BlockRow]) -> list[DayRow]:
    """Return the prices of two days; of the first, only the last blocks are stored."""
    heights: dict[object, list[int]] = {}
    for block in blocks:
        heights.setdefault(datetime.fromtimestamp(block.time, UTC).date(), []).append(block.height)
    partial, whole = sorted(heights)[:2]
    rows = []
    for number, day in enumerate((partial, whole)):
        row = day_row(number, last_height=heights[day][-1])
        rows.append(replace(row, date=day))
    return rows
