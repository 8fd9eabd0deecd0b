"""What the snapshot holds: whether it can be read, and whether anything is missing in it."""

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from itertools import islice

from utxoracle.errors import StorageError
from utxoracle.jobs.finished_days import finished_days, first_day_start
from utxoracle.jobs.health import Check, CheckStatus
from utxoracle.jobs.report import counted
from utxoracle.settings import Settings, variable_of
from utxoracle.store.backups import examined
from utxoracle.store.folder import REPUBLISH, DataFolder
from utxoracle.store.queries import Reader
from utxoracle.store.rows import DayRow
from utxoracle.store.snapshot import Snapshot

_MOST_SHOWN = 5
_LOOKED_AT = 1500
"""Blocks of a gap in which days are looked for."""

_MORE = "restore a backup that has them: utxoracle backups lists all"


def snapshot(folder: DataFolder, settings: Settings) -> Check:
    """Check that the snapshot is whole, read from end to end, and of the network that is set.

    Raises:
        StorageError: It can't be used by anybody.
    """
    with closing(Snapshot(folder)) as published:
        published.reader()
    try:
        facts = examined(folder.snapshot, REPUBLISH)
    except StorageError as error:
        return Check(CheckStatus.ERROR, str(error))
    wanted = settings.network_name()
    if facts.network != wanted:
        return Check(
            CheckStatus.ERROR,
            f"{folder.snapshot} holds the network {facts.network!r}, not {wanted!r}: set "
            f"{variable_of('network')} or --network to {facts.network}, or "
            f"{variable_of('data_dir')} to another folder",
        )
    counts = facts.counts
    return Check(
        CheckStatus.OK,
        f"revision {facts.revision}, schema {facts.schema_version}, {counts.blocks:,} blocks, "
        f"{counted(counts.windows, 'window price')} and {counted(counts.days, 'daily price')}",
    )


def heights(reader: Reader) -> Check:
    """Check that no block is missing between the first and the last, nor any window price."""
    blocks, windows = reader.height_gaps()
    for what, gaps in (("blocks", blocks), ("window prices", windows)):
        if gaps:
            missing = sum(last - first + 1 for first, last in gaps)
            shown = ", ".join(
                str(first) if first == last else f"{first} to {last}"
                for first, last in gaps[:_MOST_SHOWN]
            )
            more = ", and more" if len(gaps) > _MOST_SHOWN else ""
            return Check(
                CheckStatus.ERROR, f"{what} are missing ({missing:,}): {shown}{more}; {_MORE}"
            )
    return Check(CheckStatus.OK, "no block and no window price is missing")


def days(reader: Reader) -> Check:
    """Check that every finished day whose blocks are stored has its price."""
    if reader.height_gaps()[0]:
        return Check(CheckStatus.UNKNOWN, "not known as long as blocks are missing")
    missing = [*islice(_missing_days(reader), _MOST_SHOWN + 1)]
    if missing:
        shown = ", ".join(map(str, missing[:_MOST_SHOWN]))
        more = ", and more" if len(missing) > _MOST_SHOWN else ""
        return Check(
            CheckStatus.ERROR,
            f"there is no price of {shown}{more}, though the blocks are stored; {_MORE}",
        )
    return Check(CheckStatus.OK, "no finished day lacks its price")


def _missing_days(reader: Reader) -> Iterator[date]:
    """Yield the days without a price, ascending; of a long gap only its first days.

    Days tile the chain, so one is missing where the next one doesn't begin behind the last.
    """
    first, top = reader.first_height(), reader.top()
    if first is None or top is None:
        return
    times = [time for _, time in reader.block_times(first, first + _LOOKED_AT)]
    start = first_day_start(first, times)
    if start is None:
        return
    stored: list[DayRow | None] = [*reader.days(date.min, date.max)]
    for row in [*stored, None]:
        stop = row.first_height if row else top.height + 1
        if start < stop:
            times = [time for _, time in reader.block_times(start, start + _LOOKED_AT)]
            yield from (day.date for day in finished_days(start, times) if day.first < stop)
        if row:
            start = row.last_height + 1
