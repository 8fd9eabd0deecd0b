"""The price of a day, a window or a run of blocks, straight from a source; nothing is stored."""

from dataclasses import dataclass
from datetime import date

from utxoracle.bitcoin.network import Network
from utxoracle.bitcoin.scan import BlockScan
from utxoracle.errors import (
    BlockNotFound,
    DayUnavailable,
    PriceImpossible,
    SourceError,
    UsageError,
)
from utxoracle.jobs.scanning import Progress, scan_blocks
from utxoracle.price.estimate import Estimate, estimate, estimate_day
from utxoracle.price.window import gather, link
from utxoracle.sources.base import Source
from utxoracle.sources.borders import headers_behind, verify_day, verify_day_v91
from utxoracle.sources.days import (
    TILING,
    V91,
    BlockTimes,
    day_heights,
    day_heights_v91,
    last_day,
    last_day_v91,
    window_heights,
)
from utxoracle.sources.genesis import verify_network

DAY_LABEL = "UTXOracle Consensus Price"
WINDOW_LABEL = "UTXOracle Block Window Price"

LONGEST_RUN = 4320
"""Blocks, about a month: their scans are held in memory together, some 200 kB each."""


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
        source: Name of the source.
    """

    estimate: Estimate
    label: str | None
    day: date | None
    source: str


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
        heights = _run_of_heights(times, *question.heights)
    elif question.window:
        heights = window_heights(times.tip)
    else:
        day = question.day or _last_day(times, question.selection)
        heights = _day_heights(times, day, question.selection)
    scans = _scan_all(source, heights, network, workers, progress)

    label = None
    if question.window:
        headers_behind(source, scans, network, 1)
        label = WINDOW_LABEL
    elif day and question.selection == V91:
        verify_day_v91(source, times, day, scans, network)
        label = DAY_LABEL
    elif day:
        verify_day(source, times, day, scans, network)
        label = _day_label(times, day, heights)
    window = gather(link(scans))
    found = estimate_day(window) if day else estimate(window)
    return Answer(estimate=found, label=label, day=day, source=source.name)


def _run_of_heights(times: BlockTimes, first: int, last: int) -> range:
    if first > last:
        raise UsageError(f"the first height {first} lies behind the last one {last}; swap them")
    if last > times.tip:
        raise UsageError(f"there is no block {last} yet: {times.name} ends at {times.tip}")
    if last - first >= LONGEST_RUN:
        raise UsageError(
            f"blocks {first} to {last} are {last - first + 1:,}; at most {LONGEST_RUN:,} can be "
            "priced together"
        )
    return range(first, last + 1)


def _last_day(times: BlockTimes, selection: str) -> date:
    return last_day_v91(times) if selection == V91 else last_day(times)


def _day_heights(times: BlockTimes, day: date, selection: str) -> range:
    heights = day_heights_v91(times, day) if selection == V91 else day_heights(times, day)
    if not heights:
        raise PriceImpossible(str(day), "no block fell in it", "ask for another day")
    if len(heights) > LONGEST_RUN:
        raise SourceError(
            f"{times.name} gives {day} {len(heights):,} blocks, which no day has; use another one"
        )
    return heights


def _scan_all(
    source: Source, heights: range, network: Network, workers: int, progress: Progress | None
) -> list[BlockScan]:
    try:
        return scan_blocks(source, heights, network=network, workers=workers, progress=progress)
    except BlockNotFound as error:
        raise BlockNotFound(
            f"{error}; all blocks from {heights[0]} to {heights[-1]} are needed"
        ) from None


def _day_label(times: BlockTimes, day: date, heights: range) -> str | None:
    """Return the canonical name if the original, run now, would take just these blocks."""
    try:
        return DAY_LABEL if day_heights_v91(times, day) == heights else None
    except DayUnavailable:
        return None
