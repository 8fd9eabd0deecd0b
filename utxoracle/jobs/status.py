"""What is stored, and how fresh it is: read from the snapshot, without the lock."""

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from utxoracle.jobs.report import STALLED
from utxoracle.settings import Settings
from utxoracle.sources.preference import State
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import LastRun, read_last_run

if TYPE_CHECKING:
    from utxoracle.store.queries import Counts
    from utxoracle.store.rows import BlockRow, DayRow, WindowRow


@dataclass(frozen=True)
class Status:
    """What the snapshot and last_run.json tell.

    Attributes:
        folder: Where everything is.
        network: The network that is followed.
        revision: The snapshot's.
        schema_version: The snapshot's.
        database_size: Bytes of the database; None when it can't be seen.
        snapshot_size: Bytes of the snapshot.
        counts: How much is stored.
        top: The newest block.
        window: The newest window price.
        day: The newest daily price.
        last_run: How the last run went; None if there was none.
        now: When this was found out, seconds since 1970 UTC.
        state: How the chain or its sources are (see `chain_state`).
        missing: Number of the source's blocks that the last run left to the next one.
    """

    folder: DataFolder
    network: str
    revision: int
    schema_version: int
    database_size: int | None
    snapshot_size: int | None
    counts: "Counts"
    top: "BlockRow | None"
    window: "WindowRow | None"
    day: "DayRow | None"
    last_run: LastRun | None
    now: float
    state: str | None
    missing: int


def status(settings: Settings) -> Status:
    """Return what is stored and how fresh it is.

    Raises:
        StorageError: There is no snapshot, or it can't be read.
    """
    from utxoracle.store.snapshot import Snapshot

    folder = DataFolder(settings.data_folder())
    now = time.time()
    with closing(Snapshot(folder)) as snapshot:
        reader = snapshot.reader()
        top = reader.top()
        last_run = read_last_run(folder)
        tip_height = (last_run and last_run.tip_height) or 0
        return Status(
            folder=folder,
            network=reader.network,
            revision=reader.revision,
            schema_version=reader.schema_version,
            database_size=_size(folder.database),
            snapshot_size=_size(folder.snapshot),
            counts=reader.counts(),
            top=top,
            window=reader.latest_window(),
            day=reader.latest_day(),
            last_run=last_run,
            now=now,
            state=chain_state(top, last_run, settings, now),
            missing=max(0, tip_height - top.height) if top else 0,
        )


def chain_state(
    top: "BlockRow | None", last_run: LastRun | None, settings: Settings, now: float
) -> str | None:
    """Return how the chain or its sources are (`LastRun.state`).

    That is what the last run found, and whether the newest block is by `now` older than
    `stall_minutes`; None when no run has found that out.
    """
    found = last_run.state if last_run else None
    # What the last run said of the age of the newest block holds no longer.
    if found in (None, State.OK, STALLED):
        newest = max((last_run and last_run.tip_time) or 0, top.time if top else 0)
        is_stalled = bool(top) and now - newest > settings.stall_minutes * 60
        return STALLED if is_stalled else State.OK if found else None
    return found


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
