"""Which outputs of a run of blocks count: the same-window test, and the amounts that are left."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from utxoracle.bitcoin.scan import BlockScan
from utxoracle.price.histogram import bin_of, count
from utxoracle.price.points import is_round_btc

SATOSHIS = 1e8
LEAST_AMOUNT = 1e-5
GREATEST_AMOUNT = 1e5
"""BTC; an output counts when it lies strictly between the two (algorithm A2.8)."""

NO_PARENT = -1

FILTER_BITS = 22
"""Low bits of a txid that decide at first glance; 4 million cells for a window's million txids."""


@dataclass(frozen=True, eq=False)
class SortedOutputs:
    """Outputs of a block's candidates, from the least to the greatest amount.

    Attributes:
        amounts: float64[n], in BTC, ascending.
        places: int32[n], where each stands in the order of the chain: 2 · candidate + 0 or 1.
        parents: int64[n], the parent height of each one's candidate.
        bins: int16[n], its bin in the histogram.
        is_round: bool[n], whether it is a round amount of bitcoin, which gives no price points.
    """

    amounts: NDArray[np.float64]
    places: NDArray[np.int32]
    parents: NDArray[np.int64]
    bins: NDArray[np.int16]
    is_round: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LinkedBlock:
    """What windows need of a verified block: its scan, with the spends resolved to heights.

    Attributes:
        height: Height of the block.
        hash: Its hash, 64 hex digits.
        prev_hash: Hash of the block before.
        time: Its time stamp, seconds since 1970 UTC.
        size: Its length in bytes.
        txids: uint64[tx_count], every transaction in block order.
        values: int64[n, 2], the candidates' two output values in satoshis, in block order.
        parents: int64[n], for each candidate the parent height: the greatest height, among its
            inputs, of a known block that holds the spent txid, or NO_PARENT.
        known_from: Height of the oldest block that was known then: windows from there on may
            hold this block, but none that begins before.
    """

    height: int
    hash: str
    prev_hash: str
    time: int
    size: int
    txids: NDArray[np.uint64]
    values: NDArray[np.int64]
    parents: NDArray[np.int64]
    known_from: int

    @property
    def tx_count(self) -> int:
        """Number of transactions, the coinbase included."""
        return len(self.txids)

    @property
    def candidates(self) -> int:
        """Number of transactions that pass every filter but the same-window one."""
        return len(self.values)

    @cached_property
    def sorted_outputs(self) -> SortedOutputs:
        """Both outputs of every candidate, but for amounts that never count.

        Made once for all windows; from the sorted amounts bins and points are found much faster.
        """
        amounts = self.values.reshape(-1) / SATOSHIS
        counted = np.flatnonzero((amounts > LEAST_AMOUNT) & (amounts < GREATEST_AMOUNT))
        places = counted[np.argsort(amounts[counted])]
        ascending = amounts[places]
        return SortedOutputs(
            amounts=ascending,
            places=places.astype(np.int32),
            parents=self.parents[places // 2],
            bins=bin_of(ascending).astype(np.int16),
            is_round=is_round_btc(ascending),
        )


@dataclass(frozen=True, eq=False)
class Window:
    """The outputs that count in a run of consecutive blocks.

    Attributes:
        linked: The blocks, ascending.
        tx_count: Number of transactions that passed every filter.
        counts: float64[2401], how many outputs each bin of the histogram holds.
    """

    linked: tuple[LinkedBlock, ...]
    tx_count: int
    counts: NDArray[np.float64]

    @property
    def first_height(self) -> int:
        """Height of the first block."""
        return self.linked[0].height

    @property
    def last_height(self) -> int:
        """Height of the last block."""
        return self.linked[-1].height

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.linked)

    @property
    def outputs(self) -> int:
        """Number of outputs that count."""
        return int(self.counts.sum())

    def usable(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int32]]]:
        """Yield for each block the amounts that may give price points, ascending, and places.

        Two arrays of one length, as in SortedOutputs, without the round amounts of bitcoin.
        """
        for block in self.linked:
            outputs = block.sorted_outputs
            usable = (outputs.parents < self.first_height) & ~outputs.is_round
            yield outputs.amounts[usable], outputs.places[usable]


def gather(blocks: Sequence[LinkedBlock]) -> Window:
    """Return the window over `blocks`: consecutive, ascending, at least one.

    A candidate is dropped iff its parent height is at least that of the first block. That equals
    algorithm A2.3 as long as all of the window was known when its blocks were linked.
    """
    first = blocks[0].height
    outputs = [block.sorted_outputs for block in blocks]
    return Window(
        linked=tuple(blocks),
        tx_count=sum(int(np.count_nonzero(block.parents < first)) for block in blocks),
        counts=count(np.concatenate([one.bins[one.parents < first] for one in outputs])),
    )


def link(scans: Sequence[BlockScan], earlier: Sequence[LinkedBlock] = ()) -> list[LinkedBlock]:
    """Return `scans` with the parent height of each candidate.

    Parents are looked for in `earlier` and in `scans`; within a candidate's own block only
    transactions before it count. So the result serves every window that lies inside the two.

    Args:
        scans: Consecutive blocks, ascending.
        earlier: Consecutive blocks, ascending, that end just before the first scan.
    """
    if not scans:
        return []
    spent = np.concatenate([scan.prev_txids for scan in scans])
    known: list[BlockScan | LinkedBlock] = [*earlier, *scans]
    known_from = known[0].height
    positions = _Positions(known, spent)
    starts = positions.starts[len(earlier) :]
    return [
        LinkedBlock(
            height=scan.height,
            hash=scan.hash,
            prev_hash=scan.prev_hash,
            time=scan.time,
            size=scan.size,
            txids=scan.txids,
            values=scan.values,
            parents=_newest_parents(scan, int(start), positions),
            known_from=known_from,
        )
        for scan, start in zip(scans, starts, strict=False)
    ]


class _Positions:
    """Where the spent txids stand in a chain of blocks, whose txids are numbered through."""

    def __init__(
        self, blocks: Sequence[BlockScan | LinkedBlock], spent: NDArray[np.uint64]
    ) -> None:
        self.starts = np.cumsum([0] + [block.tx_count for block in blocks])
        self._heights = np.array([block.height for block in blocks], np.int64)
        txids = np.concatenate([block.txids for block in blocks])
        # Few txids are spent inside a window, and sorting them all would take most of the time.
        few = np.flatnonzero(_Filter(spent).may_hold(txids))
        # A stable sort keeps equal txids in the order of the chain.
        self._order = few[np.argsort(txids[few], kind="stable")]
        self._sorted = txids[self._order]
        self._filter = _Filter(self._sorted)

    def newest_before(
        self, txids: NDArray[np.uint64], limits: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the height of the last holder of each txid in front of its limit."""
        heights = np.full(len(txids), NO_PARENT, np.int64)
        unsettled = np.flatnonzero(self._filter.may_hold(txids))
        at = np.searchsorted(self._sorted, txids[unsettled], side="right") - 1
        while len(unsettled):
            equal = (at >= 0) & (self._sorted[at] == txids[unsettled])
            unsettled, at = unsettled[equal], at[equal]
            positions = self._order[at]
            early = positions < limits[unsettled]
            blocks = np.searchsorted(self.starts, positions[early], side="right") - 1
            heights[unsettled[early]] = self._heights[blocks]
            # Only a txid that stands twice in the chain, or behind its child, comes round again.
            unsettled, at = unsettled[~early], at[~early] - 1
        return heights


class _Filter:
    """Tells quickly which txids can't be among some others."""

    def __init__(self, txids: NDArray[np.uint64]) -> None:
        self._cells = np.zeros(1 << FILTER_BITS, np.bool_)
        self._cells[_low_bits(txids)] = True

    def may_hold(self, txids: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return False for txids that are not there; True for those that are, and a few more."""
        return self._cells[_low_bits(txids)]


def _low_bits(txids: NDArray[np.uint64]) -> NDArray[np.intp]:
    return (txids & np.uint64((1 << FILTER_BITS) - 1)).astype(np.intp)


def _newest_parents(scan: BlockScan, start: int, positions: _Positions) -> NDArray[np.int64]:
    inputs = np.diff(scan.prev_offsets)
    limits = np.repeat(start + scan.candidates.astype(np.int64), inputs)
    heights = positions.newest_before(scan.prev_txids, limits)
    newest = np.full(len(inputs), NO_PARENT, np.int64)
    # reduceat gives nonsense for an empty group, and v9.1 has no rule on the least number of
    # inputs, so candidates without any are set apart.
    some = inputs > 0
    newest[some] = np.maximum.reduceat(heights, scan.prev_offsets[:-1][some])
    return newest
