"""Whether scanned blocks end where they should: the headers around them, verified.

Which blocks make a day is asked of headers that nothing but the source vouches for. The blocks
themselves are verified by their scan; here the headers just before and behind them are tied to
them, by their hashes and by proof of work. Then the choice is proven, and no longer believed.
"""

from collections.abc import Sequence
from datetime import date

from utxoracle.bitcoin.header import (
    BlockHeader,
    parse_header,
    target_of,
    verify_proof_of_work,
)
from utxoracle.bitcoin.network import Network
from utxoracle.bitcoin.scan import BlockScan
from utxoracle.errors import BlockCorrupt, SourceError
from utxoracle.sources.base import Source
from utxoracle.sources.days import CONFIRMATIONS, DAY, BlockTimes, day_heights_v91, midnight

RETARGET_INTERVAL = 2016
"""Blocks; the difficulty changes at heights that are multiples of it."""

EASIER_AT_MOST = 4
"""How many times larger a retarget may make the target."""


def verify_day(
    source: Source, times: BlockTimes, day: date, scans: Sequence[BlockScan], network: Network
) -> None:
    """Check that `scans` are the whole of a finished day by the tiling rule.

    The block before is stamped before the day, none of the day's is, the last one is stamped
    before the next day, and the seven that follow are not. By the median-time rule of consensus
    no later block can be stamped before the next day either. `times` learns them all.

    Raises:
        SourceError: The headers around them don't belong to the same chain or tell another day:
            the chain was reorganised meanwhile, or the source is wrong.
        BlockCorrupt: A header has no proof of work.
    """
    before, behind = _learn(source, times, scans, network, 1 + CONFIRMATIONS)
    start = midnight(day)
    if not (
        before.time < start <= min(scan.time for scan in scans)
        and scans[-1].time < start + DAY <= min(header.time for header in behind)
    ):
        raise _wrong_times(source, day)


def verify_day_v91(
    source: Source, times: BlockTimes, day: date, scans: Sequence[BlockScan], network: Network
) -> None:
    """Check that the original's search takes just `scans`, given their own times.

    The times of the blocks on either side are verified as well; only those that its search met
    farther away are the source's word. `times` learns those that are verified.

    Raises:
        SourceError: It takes others: the chain was reorganised meanwhile, or the source is wrong.
        BlockCorrupt: A header has no proof of work.
    """
    first, last = scans[0].height, scans[-1].height
    _learn(source, times, scans, network, min(1 + CONFIRMATIONS, times.tip - last))
    if day_heights_v91(times, day) != range(first, last + 1):
        raise _wrong_times(source, day)


def _learn(
    source: Source, times: BlockTimes, scans: Sequence[BlockScan], network: Network, count: int
) -> tuple[BlockHeader, list[BlockHeader]]:
    """Let `times` learn the day and its verified neighbours, and return these."""
    before = _header_before(source, scans, network)
    behind = headers_behind(source, scans, network, count)
    learnt = [before.time, *(scan.time for scan in scans), *(header.time for header in behind)]
    for height, time in enumerate(learnt, scans[0].height - 1):
        times.learn(height, time)
    return before, behind


def _header_before(source: Source, scans: Sequence[BlockScan], network: Network) -> BlockHeader:
    before = _header(source, scans[0].height - 1, network)
    if before.hash != scans[0].prev_hash:
        raise _not_one_chain(source, scans)
    return before


def headers_behind(
    source: Source, scans: Sequence[BlockScan], network: Network, count: int
) -> list[BlockHeader]:
    """Return `count` headers that follow `scans`.

    Raises:
        SourceError: The source gives others.
        BlockCorrupt: One has no proof of work.
    """
    last = scans[-1]
    behind: list[BlockHeader] = []
    prev_hash = last.hash
    for height in range(last.height + 1, last.height + 1 + count):
        header = _header(source, height, network)
        if header.prev_hash != prev_hash:
            raise _not_one_chain(source, scans)
        if not network.allows_min_difficulty:
            _verify_difficulty(header, height, last)
        prev_hash = header.hash
        behind.append(header)
    return behind


def _verify_difficulty(header: BlockHeader, height: int, last: BlockScan) -> None:
    """Check that a header is no easier than consensus allows so soon behind a verified block.

    Without this a few made-up headers at the network's easiest target, which cost next to
    nothing, could follow real blocks and end a day early.
    """
    retargets = height // RETARGET_INTERVAL - last.height // RETARGET_INTERVAL
    if target_of(header.bits) > target_of(last.bits) * EASIER_AT_MOST**retargets:
        raise BlockCorrupt(
            f"header {height} {header.hash} is not usable: its target {header.bits:#010x} is "
            f"easier than a block that soon after block {last.height} may claim"
        )


def _wrong_times(source: Source, day: date) -> SourceError:
    """Return the error for headers that told another day than the blocks do."""
    return SourceError(
        f"{source.name} gave times for the blocks round {day} that its blocks don't have; "
        "run again, or use another source"
    )


def _not_one_chain(source: Source, scans: Sequence[BlockScan]) -> SourceError:
    return SourceError(
        f"{source.name}: the blocks round {scans[0].height} to {scans[-1].height} are not of one "
        "chain; it was reorganised meanwhile, run again"
    )


def _header(source: Source, height: int, network: Network) -> BlockHeader:
    header = parse_header(source.header(source.hash_at(height)))
    try:
        verify_proof_of_work(header, network)
    except BlockCorrupt as error:
        raise BlockCorrupt(f"header {height} {header.hash} is not usable: {error}") from None
    return header
