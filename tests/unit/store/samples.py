"""Rows and blocks to store: made up, but of the form of real ones."""

from dataclasses import replace
from datetime import date, timedelta
from hashlib import sha256

import numpy as np

from utxoracle.price.window import LinkedBlock
from utxoracle.sources.exchange import ExchangePrice
from utxoracle.store.rows import (
    Batch,
    BlockRow,
    DayRow,
    Points,
    PriceFacts,
    RunRow,
    WindowRow,
)
from utxoracle.store.series import BY_BLOCK

FIRST_TIME = 1_763_769_600
FIRST_DAY = date(2025, 11, 22)
EVER = (0, 2**32)
"""All moments that a block can be stamped with."""


def hash_of(height, branch=""):
    return sha256(f"{branch}{height}".encode()).hexdigest()


def block_row(height, branch=""):
    return BlockRow(
        height=height,
        hash=hash_of(height, branch),
        prev_hash=hash_of(height - 1, branch),
        time=FIRST_TIME + 600 * height,
        size=1_500_000 + height,
        tx_count=3000,
        candidates=1500,
        source="mempool 127.0.0.1:8999",
    )


def facts(price=60_000 + 1 / 3):
    return PriceFacts(
        price=price,
        rough_price=60_012,
        deviation=0.1 + 0.2,
        tx_count=110_000,
        outputs=210_000,
        points=190_000,
        confidence=2 / 3,
        is_valid=True,
        invalid_reason=None,
        algorithm="v9.1",
    )


NO_PRICE = replace(
    facts(None), rough_price=None, deviation=None, is_valid=False, invalid_reason="too few points"
)
EXCHANGE = ExchangePrice(price=60_100.0, time=FIRST_TIME, reason=None)
NO_EXCHANGE = ExchangePrice(price=None, time=None, reason="the server is down")


def window_row(height, branch="", exchange=EXCHANGE):
    block = block_row(height, branch)
    diverges = None if exchange.price is None else False
    return WindowRow(height, block.hash, block.time, facts(), exchange, diverges)


def day_row(number, *, last_height, exchange=EXCHANGE):
    diverges = None if exchange.price is None else False
    return DayRow(
        date=FIRST_DAY + timedelta(days=number),
        first_height=last_height - 143,
        last_height=last_height,
        blocks=144,
        facts=facts(),
        exchange=exchange,
        diverges=diverges,
    )


def points(height, count=500):
    draw = np.random.default_rng(height)
    return Points(
        height=height,
        heights=draw.integers(height - 144, height, count),
        prices=draw.normal(60_000, 500, count),
    )


def run_row(started, last_height, blocks=1):
    return RunRow(
        started=started,
        finished=started + 1.5,
        first_height=last_height - blocks + 1,
        last_height=last_height,
        blocks=blocks,
        source="mempool 127.0.0.1:8999",
    )


def batch(first, last, *, kept_height=None, branch="", **others):
    """The blocks from `first` to `last`, each with its window price."""
    heights = range(first, last + 1)
    return Batch(
        kept_height=kept_height,
        blocks=[block_row(height, branch) for height in heights],
        windows=[window_row(height, branch) for height in heights],
        days=others.pop("days", ()),
        points=points(last),
        **others,
    )


def linked_block(height, tx_count=3000):
    draw = np.random.default_rng(height)
    count = tx_count // 2
    return LinkedBlock(
        height=height,
        hash=hash_of(height),
        prev_hash=hash_of(height - 1),
        time=FIRST_TIME + 600 * height,
        size=1_500_000,
        txids=draw.integers(0, 2**64, tx_count, dtype=np.uint64),
        values=draw.integers(0, 10**10, (count, 2)),
        parents=draw.integers(-1, height, count),
        known_from=max(0, height - 200),
    )


def stored_windows(reader):
    """All window prices that are stored, ascending."""
    return [reader.window(int(height)) for _, height, *_ in reader.series(*EVER, BY_BLOCK)]
