"""The newest blocks of a stored chain, from the scan cache; what is missing there is fetched."""

from collections.abc import Sequence
from contextlib import closing

from utxoracle.bitcoin.network import Network
from utxoracle.jobs.pricing import Pricer
from utxoracle.jobs.scanning import Scans
from utxoracle.price.window import LinkedBlock, link
from utxoracle.settings import Settings
from utxoracle.sources.base import Source
from utxoracle.sources.days import CONFIRMATIONS, WINDOW
from utxoracle.store.queries import Reader
from utxoracle.store.rows import BlockRow
from utxoracle.store.scans import KEPT_SCANS, ScanCache


def load_pricer(
    reader: Reader,
    cache: ScanCache,
    source: Source,
    settings: Settings,
    *,
    kept_height: int | None,
    network: Network,
    processes: int,
    keep: bool,
) -> Pricer:
    """Return what goes on pricing behind a stored block.

    Args:
        reader: What is stored.
        cache: Where the scans are.
        source: Where a block is fetched again whose scan is missing.
        settings: The limits.
        kept_height: Height of that block; None: nothing is stored.
        network: The network that the blocks belong to.
        processes: How many may scan.
        keep: Whether the cache may be written.

    Raises:
        SourceError: A block whose scan is missing can't be fetched.
        BlockCorrupt: It failed verification twice.
    """
    first_stored = reader.first_height()
    if kept_height is None or first_stored is None:
        return Pricer(
            settings, first_height=None, recent=[], untold=[], last_window=None, last_day=None
        )
    # A later day goes with the stale blocks that proved it to be finished, and is told anew.
    last_day = reader.latest_day(last_height=kept_height - CONFIRMATIONS - 1)
    untold = last_day.last_height + 1 if last_day else first_stored
    # The window that comes next, and the day that isn't finished yet.
    needed = max(first_stored, min(kept_height + 1 - WINDOW, untold), kept_height + 1 - KEPT_SCANS)
    rows = [row for row in reader.blocks_from(min(needed, untold)) if row.height <= kept_height]
    recent = load_recent(
        [row for row in rows if row.height >= needed],
        cache,
        source,
        network=network,
        processes=processes,
        keep=keep,
    )
    return Pricer(
        settings,
        first_height=first_stored,
        recent=recent,
        untold=[row.time for row in rows if row.height >= untold],
        last_window=reader.window(kept_height),
        last_day=last_day,
    )


def load_recent(
    rows: Sequence[BlockRow],
    cache: ScanCache,
    source: Source,
    *,
    network: Network,
    processes: int,
    keep: bool,
) -> list[LinkedBlock]:
    """Return the blocks of consecutive `rows`, linked to each other.

    A cached block whose spends were only looked for behind the first of `rows` counts as missing.
    """
    cached = [cache.load(row.height, row.hash) for row in rows]
    usable = [block if block and block.known_from <= rows[0].height else None for block in cached]
    missing = {row.height: row.hash for row, block in zip(rows, usable, strict=True) if not block}
    linked: list[LinkedBlock] = []
    with closing(
        Scans(
            source,
            list(missing),
            network=network,
            processes=processes,
            hash_at=missing.__getitem__,
        )
    ) as scans:
        for block in usable:
            if block:
                linked.append(block)
                continue
            linked += link([next(scans)], linked)
            if keep:
                cache.store(linked[-1])
    return linked
