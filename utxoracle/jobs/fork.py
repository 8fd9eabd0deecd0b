"""Where a stored chain and a source's part, and where a first run begins."""

from bisect import bisect_left

from utxoracle.bitcoin.network import Network
from utxoracle.errors import BlockNotFound, DataError, DayUnavailable
from utxoracle.jobs.pricing import LONGEST_DAY
from utxoracle.sources.base import Source
from utxoracle.sources.days import WINDOW, BlockTimes, day_heights, last_day
from utxoracle.sources.genesis import verify_network
from utxoracle.store.folder import DataFolder
from utxoracle.store.rows import BlockRow
from utxoracle.store.scans import KEPT_SCANS

DEEPEST = KEPT_SCANS
"""Blocks; a reorganisation that goes deeper is not followed."""

FIRST_BLOCKS = 2 * WINDOW
"""Blocks that a first run takes at least: the prices of the newest 144 windows."""


def common_block(
    source: Source,
    tip_height: int,
    newest: list[BlockRow],
    *,
    network: Network,
    folder: DataFolder,
) -> BlockRow:
    """Return the newest stored block that the source's chain has too, looked for from the top.

    Args:
        source: What the stored chain is compared with.
        tip_height: Height of its newest block.
        newest: Up to DEEPEST blocks of the stored chain, ascending, the top last.
        network: The network that both should follow.
        folder: Where the chain is stored, for the message of a failure.

    Raises:
        WrongNetwork: They have nothing in common since the source follows another network.
        DataError: They have nothing in common in these blocks.
    """
    for block in reversed(newest):
        if block.height <= tip_height and source.hash_at(block.height) == block.hash:
            return block
    verify_network(source, network)
    raise DataError(
        f"{source.name} has none of the {len(newest)} newest blocks that {folder.path} stores, "
        f"{newest[0].height} to {newest[-1].height}: a reorganisation that deep is not followed. "
        f"Check that the source is right; to start over with it, move {folder.database} and "
        f"{folder.snapshot} away and run utxoracle init-db"
    )


def first_height(source: Source, tip_height: int) -> int:
    """Return the height at which a first run begins.

    From there on the newest 144 windows and the last finished day can be priced: one block before
    that day shows where it begins. Where the source lacks that block, its first one is taken.

    Raises:
        SourceError: The source can't be asked.
    """
    wanted = min(tip_height - FIRST_BLOCKS + 1, _block_before_last_day(source, tip_height))
    heights = range(max(0, wanted), tip_height + 1)
    if _has_block(source, heights[0]):
        return heights[0]
    # All blocks above some height are there; below it they are pruned, or never were. That the
    # newest can't be served is for whoever asks for it to find out.
    last = len(heights) - 1
    return heights[
        bisect_left(heights, True, hi=last, key=lambda height: _has_block(source, height))
    ]


def _block_before_last_day(source: Source, tip_height: int) -> int:
    times = BlockTimes(source)
    try:
        day = day_heights(times, last_day(times))
    except DayUnavailable:
        return tip_height
    return day.start - 1 if 0 < len(day) <= LONGEST_DAY else tip_height


def _has_block(source: Source, height: int) -> bool:
    """Tell whether the source can serve a block whole; a pruned one has its header only."""
    try:
        source.raw_block(source.hash_at(height))
    except BlockNotFound:
        return False
    return True
