"""Bringing a stored chain up to the source's: fetch, scan, price and commit, batch by batch."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

from utxoracle.bitcoin.network import Network
from utxoracle.bitcoin.scan import BlockScan
from utxoracle.errors import BlockNotFound, ChainReorganised, UtxoracleError
from utxoracle.jobs.comparison import Gaps, compare, recent_gaps
from utxoracle.jobs.exchange_lookup import ExchangeLookup
from utxoracle.jobs.first_run import first_run_height
from utxoracle.jobs.fork import DEEPEST, common_block
from utxoracle.jobs.pricing import Pricer
from utxoracle.jobs.recent import load_pricer
from utxoracle.jobs.scanning import Progress, Scans
from utxoracle.price.window import link
from utxoracle.settings import Settings
from utxoracle.sources.base import Source
from utxoracle.sources.genesis import verify_network
from utxoracle.store.folder import DataFolder
from utxoracle.store.queries import Reader
from utxoracle.store.rows import Batch, BlockRow, DayRow, RunRow, WindowRow
from utxoracle.store.scans import ScanCache

BATCH = 24
"""Blocks of one transaction: what a kill costs, and what is fetched and scanned meanwhile."""


@dataclass(frozen=True)
class Work:
    """What a run works with.

    Attributes:
        source: Where blocks come from.
        exchange: Where exchange prices come from.
        reader: What is stored.
        cache: Scans of the newest blocks.
        commit: Stores a batch; None in a dry run, which leaves the cache alone too.
        network: The network that source and store follow.
        folder: Where it is stored.
        settings: The limits.
        processes: How many may scan.
        started: When the run began, seconds since 1970 UTC.
        deadline: When its time is over, on the clock of `time.monotonic`.
        progress: Told how many of the blocks are done.
    """

    source: Source
    exchange: ExchangeLookup
    reader: Reader
    cache: ScanCache
    commit: Callable[[Batch], object] | None
    network: Network
    folder: DataFolder
    settings: Settings
    processes: int
    started: float
    deadline: float
    progress: Progress | None


@dataclass
class Growth:
    """What a run has stored so far, or would store if it were no dry run.

    Attributes:
        stale: Number of blocks that a reorganisation has taken away.
        behind: Number of stored blocks that the source doesn't have yet.
        blocks: Number of blocks.
        first_height: Height of the first one.
        last_height: Height of the last one.
        windows: Number of window prices.
        days: The daily prices.
        latest: The newest window price.
        invalid: Number of prices that are not valid.
        invalid_reason: Why the last one of these isn't.
    """

    stale: int = 0
    behind: int = 0
    blocks: int = 0
    first_height: int | None = None
    last_height: int | None = None
    windows: int = 0
    days: tuple[DayRow, ...] = ()
    latest: WindowRow | None = None
    invalid: int = 0
    invalid_reason: str | None = None

    def add(self, batch: Batch, stale: int) -> None:
        """Count a batch that was stored in the place of `stale` blocks."""
        self.first_height = self.first_height_with(batch.blocks[0].height)
        self.last_height = batch.blocks[-1].height
        self.stale += stale
        self.blocks += len(batch.blocks)
        self.windows += len(batch.windows)
        self.days += tuple(batch.days)
        self.latest = batch.windows[-1] if batch.windows else self.latest
        rows: list[WindowRow | DayRow] = [*batch.windows, *batch.days]
        reasons = [row.facts.invalid_reason for row in rows if not row.facts.is_valid]
        self.invalid += len(reasons)
        self.invalid_reason = reasons[-1] if reasons else self.invalid_reason

    def first_height_with(self, height: int) -> int:
        """Return the height of the first block when one at `height` is added."""
        # A reorganisation in the midst of a run may lead below where it began.
        return height if self.first_height is None else min(height, self.first_height)


@dataclass(frozen=True)
class _Repairs:
    """What the first transaction of a run does beside adding blocks.

    Attributes:
        stale: How many blocks at the top make way for those of a better chain.
        gaps: Rows whose exchange prices are asked for again.
    """

    stale: int = 0
    gaps: Gaps = field(default_factory=Gaps)


def catch_up(work: Work, growth: Growth, tip: tuple[int, str], max_blocks: int) -> bool:
    """Store the source's blocks up to its tip, oldest first, and tell whether all are there.

    What comes before a failure is stored.

    Args:
        work: What to work with.
        growth: Is kept true while batches are stored.
        tip: Height and hash of the source's newest block.
        max_blocks: How many blocks may be added.

    Raises:
        ChainReorganised: The source's chain changed meanwhile; what is stored is sound.
        SourceError: The source failed.
        DataError: A block is corrupt, or the source's chain is another one.
        StorageError: The database or the cache can't be written.
    """
    tip_height, tip_hash = tip
    top = work.reader.top()
    kept = _kept_block(work, top, tip_height)
    growth.behind = 0
    if kept and kept.height == tip_height:
        growth.behind = top.height - tip_height if top else 0
        _verify_tip(work.source, kept.hash, tip_hash)
        return not growth.behind
    first = kept.height + 1 if kept else first_run_height(work.source, tip_height)
    heights = range(first, min(tip_height + 1, first + max_blocks))
    # The first block is on its way while the scans of those before it are loaded.
    with closing(
        Scans(work.source, heights, network=work.network, processes=work.processes)
    ) as chain:
        pricer = load_pricer(
            work.reader,
            work.cache,
            work.source,
            work.settings,
            kept_height=kept.height if kept else None,
            network=work.network,
            processes=work.processes,
            keep=work.commit is not None,
        )
        repairs = _Repairs(
            stale=top.height - kept.height if top and kept else 0,
            gaps=recent_gaps(work.reader, first - 1),
        )
        newest, failure = None, None
        while failure is None:
            scans, failure = _next_batch(chain)
            if not scans:
                break
            _verify_follows(scans[0], kept if scans[0].height == first else None, work.source)
            _store_batch(work, growth, pricer, scans, repairs)
            repairs = _Repairs()
            newest = scans[-1]
            if work.progress:
                work.progress(newest.height - first + 1, len(heights))
            if time.monotonic() > work.deadline:
                break
    if isinstance(failure, BlockNotFound):
        raise _lacking(work, newest.height + 1 if newest else first, failure)
    if failure:
        raise failure
    if newest is None or newest.height != tip_height:
        return False
    _verify_tip(work.source, newest.hash, tip_hash)
    return True


def _lacking(work: Work, height: int, failure: BlockNotFound) -> BlockNotFound:
    """Return the error for a block that the source lacks, which no later run may find either."""
    return BlockNotFound(
        f"{failure}; block {height} comes next: name a source that has it beside this one, or to "
        f"start over without, {work.folder.how_to_start_over}"
    )


def _next_batch(chain: Scans) -> tuple[list[BlockScan], UtxoracleError | None]:
    """Return the scans of the next blocks, up to BATCH or to a failure, and that failure."""
    scans: list[BlockScan] = []
    try:
        for scan in islice(chain, BATCH):
            scans.append(scan)
    except UtxoracleError as error:
        return scans, error
    return scans, None


def _kept_block(work: Work, top: BlockRow | None, tip_height: int) -> BlockRow | None:
    """Return the newest stored block that the source has too; None when nothing is stored."""
    if top is None:
        verify_network(work.source, work.network)
        return None
    newest = work.reader.blocks_from(top.height - DEEPEST + 1)
    return common_block(work.source, tip_height, newest, network=work.network, folder=work.folder)


def _verify_follows(scan: BlockScan, kept: BlockRow | None, source: Source) -> None:
    if kept and scan.prev_hash != kept.hash:
        raise ChainReorganised(
            f"{source.name}: block {scan.height} does not follow block {kept.height}; the chain "
            "was reorganised meanwhile, run again"
        )


def _verify_tip(source: Source, stored_hash: str, tip_hash: str) -> None:
    if stored_hash != tip_hash:
        raise ChainReorganised(
            f"{source.name}: its newest block is no longer {tip_hash}; the chain was reorganised "
            "meanwhile, run again"
        )


def _store_batch(
    work: Work, growth: Growth, pricer: Pricer, scans: Sequence[BlockScan], repairs: _Repairs
) -> None:
    """Price the blocks that follow, and commit them together with what is to be repaired."""
    linked = link(scans, pricer.recent)
    priced = [pricer.add(block) for block in linked]
    compared = compare(
        work.exchange,
        [one.window for one in priced if one.window],
        [day for one in priced for day in one.days],
        repairs.gaps,
        percent=work.settings.divergence,
    )
    first, last = scans[0].height, scans[-1].height
    batch = Batch(
        kept_height=first - 1 if repairs.stale else None,
        blocks=[_row(scan, work.source.name) for scan in scans],
        windows=compared.windows,
        days=compared.days,
        points=next((one.points for one in reversed(priced) if one.window), None),
        window_exchanges=compared.window_gaps,
        day_exchanges=compared.day_gaps,
        run=RunRow(
            started=work.started,
            finished=time.time(),
            first_height=growth.first_height_with(first),
            last_height=last,
            blocks=growth.blocks + len(scans),
            source=work.source.name,
        ),
    )
    if work.commit:
        # Before the rows: a block that is stored is not fetched again.
        for block in linked:
            work.cache.store(block)
        work.commit(batch)
        work.cache.prune(last)
    growth.add(batch, repairs.stale)


def _row(scan: BlockScan, source: str) -> BlockRow:
    return BlockRow(
        height=scan.height,
        hash=scan.hash,
        prev_hash=scan.prev_hash,
        time=scan.time,
        size=scan.size,
        tx_count=scan.tx_count,
        candidates=len(scan.candidates),
        source=source,
    )
