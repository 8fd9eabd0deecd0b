"""Where a first run begins."""

from bisect import bisect_left

from utxoracle.errors import BlockNotFound, DayUnavailable
from utxoracle.jobs.pricing import LONGEST_DAY
from utxoracle.sources.base import Source
from utxoracle.sources.days import WINDOW, BlockTimes, day_heights, last_day

FIRST_BLOCKS = 2 * WINDOW
"""Blocks that a first run takes at least: the prices of the newest 144 windows."""


def first_run_height(source: Source, tip_height: int) -> int:
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
