"""The price of a day, a window or a run of blocks, straight from a source; nothing is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from utxoracle.bitcoin.network import Network
from utxoracle.errors import DayUnavailable, PriceImpossible, UsageError
from utxoracle.jobs.scanning import Progress, scan_blocks
from utxoracle.price.estimate import Estimate, estimate, estimate_day
from utxoracle.price.window import gather, parent_heights
from utxoracle.sources.base import Source
from utxoracle.sources.days import (
    BlockTimes,
    day_heights,
    day_heights_v91,
    last_day,
    window_heights,
)
from utxoracle.sources.genesis import verify_network

DAY_LABEL = "UTXOracle Consensus Price"
WINDOW_LABEL = "UTXOracle Block Window Price"

TILING = "tiling"
V91 = "v9.1"
SELECTIONS = (TILING, V91)


@dataclass(frozen=True)
class Question:
    """Which blocks to price: a run of them, the newest window, or else a day.

    Attributes:
        day: The day; None is the last finished one.
        selection: How a day's blocks are chosen: days that tile the chain, or the original's
            own search.
        window: The 144 blocks before the tip.
        heights: First and last height, inclusive.
    """

    day: date | None = None
    selection: str = TILING
    window: bool = False
    heights: tuple[int, int] | None = None


@dataclass(frozen=True)
class Answer:
    """A price with what it is the price of.

    Attributes:
        estimate: The price and what it rests on.
        label: The canonical name; None unless the blocks are those the original takes.
        day: The day, when it is the price of one.
    """

    estimate: Estimate
    label: str | None
    day: date | None


def price(
    source: Source,
    question: Question,
    *,
    network: Network,
    workers: int = 1,
    progress: Progress | None = None,
) -> Answer:
    """Return the price of the blocks that `question` asks for.

    Raises:
        UsageError: The blocks aren't there (DayUnavailable: the day isn't finished or not known).
        SourceError: The source failed.
        DataError: It follows another network, a block is corrupt, or no price can be found.
    """
    verify_network(source, network)
    times = BlockTimes(source)
    day = None
    if question.heights:
        heights = _run_of_heights(source, *question.heights)
    elif question.window:
        heights = window_heights(source.tip()[0])
    else:
        day = question.day or last_day(source, times)
        choose = day_heights_v91 if question.selection == V91 else day_heights
        heights = choose(source, day, times)
        if not heights:
            raise PriceImpossible(
                f"no block fell in {day}, so it has no price; ask for another day"
            )

    scans = scan_blocks(source, heights, network=network, workers=workers, progress=progress)
    window = gather(scans, parent_heights(scans))
    found = estimate_day(window) if day else estimate(window)

    label = None
    if question.window:
        label = WINDOW_LABEL
    elif day:
        for scan in scans:
            times.learn(scan.height, scan.time)
        label = _day_label(source, day, heights, times)
    return Answer(estimate=found, label=label, day=day)


def _run_of_heights(source: Source, first: int, last: int) -> Sequence[int]:
    tip, _ = source.tip()
    if first > last:
        raise UsageError(f"the first height {first} lies behind the last one {last}; swap them")
    if last > tip:
        raise UsageError(f"there is no block {last} yet: {source.name} ends at {tip}")
    return range(first, last + 1)


def _day_label(source: Source, day: date, heights: Sequence[int], times: BlockTimes) -> str | None:
    """Return the canonical name if the original, run now, would take just these blocks."""
    try:
        return DAY_LABEL if day_heights_v91(source, day, times) == heights else None
    except DayUnavailable:
        return None
