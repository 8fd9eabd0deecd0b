"""Which outputs of a run of blocks count: the same-window test, and the amounts that are left."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from utxoracle.bitcoin.scan import BlockScan

SATOSHIS = 1e8
LEAST_AMOUNT = 1e-5
GREATEST_AMOUNT = 1e5
"""BTC; an output counts when it lies strictly between the two (algorithm A2.8)."""

NO_PARENT = -1


@dataclass(frozen=True, eq=False)
class Window:
    """The outputs that count in a run of consecutive blocks.

    Attributes:
        first_height: Height of the first block.
        last_height: Height of the last block.
        tx_count: Number of transactions that passed every filter.
        amounts: float64[n], the outputs in BTC, in the order of the chain.
        heights: int64[n], the height of each one's block.
    """

    first_height: int
    last_height: int
    tx_count: int
    amounts: NDArray[np.float64]
    heights: NDArray[np.int64]

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return self.last_height - self.first_height + 1


def parent_heights(scans: Sequence[BlockScan]) -> list[NDArray[np.int64]]:
    """Return for each candidate the height of the newest block that it spends from.

    One array a scan, aligned with its candidates: the greatest height, among the candidate's
    inputs, of a block in `scans` that holds the spent txid, or NO_PARENT. Within its own block
    only transactions before it count. A candidate is dropped from the window that starts at
    `first` iff its parent height is at least `first`; so one result serves every window that
    ends in these blocks, and equals algorithm A2.3 run over each.

    Args:
        scans: Consecutive blocks, ascending.
    """
    positions = _Positions(scans)
    starts = positions.starts
    return [
        _newest_parents(scan, int(starts[index]), positions) for index, scan in enumerate(scans)
    ]


class _Positions:
    """Where every txid of a chain of blocks stands, numbered through in the order of the chain."""

    def __init__(self, scans: Sequence[BlockScan]) -> None:
        self.starts = np.cumsum([0] + [scan.tx_count for scan in scans])
        self._heights = np.array([scan.height for scan in scans], np.int64)
        txids = np.concatenate([scan.txids for scan in scans]) if scans else np.empty(0, np.uint64)
        # A stable sort keeps equal txids in the order of the chain.
        self._order = np.argsort(txids, kind="stable")
        self._sorted = txids[self._order]

    def newest_before(
        self, txids: NDArray[np.uint64], limits: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the height of the last holder of each txid in front of its limit."""
        heights = np.full(len(txids), NO_PARENT, np.int64)
        if not len(self._sorted):
            return heights
        at = np.searchsorted(self._sorted, txids, side="right") - 1
        unsettled = np.flatnonzero((at >= 0) & (self._sorted[at] == txids))
        while len(unsettled):
            positions = self._order[at[unsettled]]
            early = positions < limits[unsettled]
            blocks = np.searchsorted(self.starts, positions[early], side="right") - 1
            heights[unsettled[early]] = self._heights[blocks]
            # Only a txid that stands twice in the chain comes round again.
            unsettled = unsettled[~early]
            at[unsettled] -= 1
            still_equal = (at[unsettled] >= 0) & (self._sorted[at[unsettled]] == txids[unsettled])
            unsettled = unsettled[still_equal]
        return heights


def _newest_parents(scan: BlockScan, start: int, positions: _Positions) -> NDArray[np.int64]:
    inputs = np.diff(scan.prev_offsets)
    limits = np.repeat(start + scan.candidates.astype(np.int64), inputs)
    heights = positions.newest_before(scan.prev_txids, limits)
    if not len(heights):
        return np.full(len(scan.candidates), NO_PARENT, np.int64)
    # reduceat gives nonsense for an empty group, and v9.1 has no rule on the least number of
    # inputs, so candidates without any are set apart.
    newest = np.full(len(inputs), NO_PARENT, np.int64)
    some = inputs > 0
    newest[some] = np.maximum.reduceat(heights, scan.prev_offsets[:-1][some])
    return newest


def gather(scans: Sequence[BlockScan], parents: Sequence[NDArray[np.int64]]) -> Window:
    """Return the window over `scans`, whose candidates have the given parent heights.

    Args:
        scans: Consecutive blocks, ascending, at least one.
        parents: One array for each of these scans, from `parent_heights` over these blocks or
            over a longer run that ends with them.
    """
    first = scans[0].height
    kept = [scan.values[parent < first] for scan, parent in zip(scans, parents, strict=True)]
    # Row by row: first output, second output, next transaction.
    amounts = np.concatenate(kept).reshape(-1) / SATOSHIS
    heights = np.repeat([scan.height for scan in scans], [2 * len(rows) for rows in kept])
    counts = (amounts > LEAST_AMOUNT) & (amounts < GREATEST_AMOUNT)
    return Window(
        first_height=first,
        last_height=scans[-1].height,
        tx_count=sum(map(len, kept)),
        amounts=amounts[counts],
        heights=heights[counts],
    )
