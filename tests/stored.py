"""What a database file of an appliance holds, and what must be true of it at every instant."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from tests.appliance import Appliance
from utxoracle.bitcoin.network import REGTEST
from utxoracle.sources.days import CONFIRMATIONS, WINDOW
from utxoracle.store.database import Database
from utxoracle.store.folder import DataFolder

Row = tuple[Any, ...]

FAR = 10**9
"""A height that no chain has."""


@dataclass(frozen=True)
class Stored:
    """All that the chain decides of what a file holds.

    Attributes:
        revision: Number of its commits.
        blocks: Hash, hash of the block before and the other columns, by height.
        windows: Hash and the other columns, by height.
        days: First height, last height and the other columns, by day.
        points: Height of the newest points, and the heights of their blocks.
    """

    revision: int
    blocks: dict[int, Row]
    windows: dict[int, Row]
    days: dict[date, Row]
    points: list[Row]


def stored_in(file: Path) -> Stored:
    """Return what a file holds that is a whole database."""
    with duckdb.connect(str(file), read_only=True) as connection:
        tables = Appliance.chain_rows_of(connection)
        (revision,) = connection.execute(
            "SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'revision'"
        ).fetchall()[0]
    return Stored(
        revision,
        by_first(tables["blocks"]),
        by_first(tables["windows"]),
        by_first(tables["days"]),
        tables["points"],
    )


def stored_by(appliance: Appliance, scratch: Path) -> Stored:
    """Return what the database holds that a killed run left, and leave it unhealed.

    The program itself opens a copy: that must do, whatever lies beside the database.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for path in appliance.folder.glob(f"{appliance.database.name}*"):
        shutil.copy(path, scratch)
    folder = DataFolder(scratch)
    Database.open(folder, REGTEST).close()
    return stored_in(folder.database)


def check_is_whole(stored: Stored) -> None:
    """Check that no transaction is torn: blocks are a chain, and prices are of its blocks."""
    heights = sorted(stored.blocks)
    assert heights == list(range(heights[0], heights[-1] + 1)) if heights else True
    for height in heights[1:]:
        assert stored.blocks[height][1] == stored.blocks[height - 1][0], height
    assert sorted(stored.windows) == heights[WINDOW:]
    for height, window in stored.windows.items():
        assert window[0] == stored.blocks[height][0], height
    assert [height for height, *_ in stored.points] == heights[WINDOW:][-1:]
    for first, last, count, *_ in stored.days.values():
        assert last - first + 1 == count
        assert heights[0] < first <= last < heights[-1] - CONFIRMATIONS


class Witness:
    """Remembers what a file held, and sees to it that later none of it is gone."""

    def __init__(self, stored: Stored) -> None:
        self._before = stored
        self._lowest_fork = FAR

    def fork(self, height: int) -> None:
        """Take note that the chain's blocks from `height` on are others now."""
        self._lowest_fork = min(self._lowest_fork, height)

    def check(self, stored: Stored, tip_hash: str) -> None:
        """Check that all is there that doesn't rest on blocks that were replaced."""
        before, fork = self._before, self._lowest_fork
        assert stored.revision >= before.revision
        for height in before.blocks:
            if height < fork:
                assert stored.blocks[height] == before.blocks[height]
                assert stored.windows.get(height) == before.windows.get(height)
        for day, row in before.days.items():
            if row[1] + CONFIRMATIONS + 1 < fork:
                assert stored.days[day] == row
        self._before = stored
        if stored.blocks and stored.blocks[max(stored.blocks)][0] == tip_hash:
            self._lowest_fork = FAR


def by_first(rows: Iterable[Row]) -> dict[Any, Row]:
    """Return rows by the value of their first column."""
    return {key: tuple(rest) for key, *rest in rows}
