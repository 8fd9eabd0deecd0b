"""Whether scanned blocks end where they should: the headers around them, verified.

Which blocks make a day is asked of headers that nothing but the source vouches for. The blocks
themselves are verified by their scan; here the headers just before and behind them are tied to
them, by their hashes and by proof of work. Then the choice is proven, and no longer believed.
"""

from calendar import timegm
from collections.abc import Sequence
from datetime import date

from utxoracle.bitcoin.header import BlockHeader, parse_header, verify_proof_of_work
from utxoracle.bitcoin.network import Network
from utxoracle.bitcoin.scan import BlockScan
from utxoracle.errors import BlockCorrupt, SourceError
from utxoracle.sources.base import Source
from utxoracle.sources.days import CONFIRMATIONS, DAY


def verify_day(source: Source, day: date, scans: Sequence[BlockScan], network: Network) -> None:
    """Check that `scans` are the whole of a finished day by the tiling rule.

    The block before is stamped before the day, none of the day's is, the last one is stamped
    before the next day, and the seven that follow are not. By the median-time rule of consensus
    no later block can be stamped before the next day either.

    Raises:
        SourceError: The headers around them don't belong to the same chain or tell another day:
            the chain was reorganised meanwhile, or the source is wrong.
        BlockCorrupt: A header has no proof of work.
    """
    before = _header(source, scans[0].height - 1, network)
    if before.hash != scans[0].prev_hash:
        raise _not_one_chain(source, scans)
    behind = verify_end(source, scans, network, headers=1 + CONFIRMATIONS)
    start = timegm(day.timetuple())
    if not (
        before.time < start <= min(scan.time for scan in scans)
        and scans[-1].time < start + DAY <= min(header.time for header in behind)
    ):
        raise SourceError(
            f"{source.name} gave times for the blocks round {day} that its blocks don't have; "
            "run again, or use another source"
        )


def verify_end(
    source: Source, scans: Sequence[BlockScan], network: Network, *, headers: int
) -> list[BlockHeader]:
    """Return so many headers behind `scans`, which belong to the same chain.

    Raises:
        SourceError: They don't: the chain was reorganised meanwhile, or the source is wrong.
        BlockCorrupt: A header has no proof of work.
    """
    behind: list[BlockHeader] = []
    prev_hash = scans[-1].hash
    for step in range(headers):
        header = _header(source, scans[-1].height + 1 + step, network)
        if header.prev_hash != prev_hash:
            raise _not_one_chain(source, scans)
        prev_hash = header.hash
        behind.append(header)
    return behind


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
