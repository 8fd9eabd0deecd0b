"""The ten-minute job: store and price the blocks that came, compare, publish."""

import time
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from utxoracle.bitcoin.header import parse_header
from utxoracle.bitcoin.network import Network
from utxoracle.errors import (
    BlockNotFound,
    ChainReorganised,
    StorageError,
    UtxoracleError,
)
from utxoracle.jobs.report import Report, Tip
from utxoracle.settings import Settings
from utxoracle.sources.base import Source
from utxoracle.sources.factory import open_exchange, open_source
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import NO_RUN, LastRun, file_marks, read_last_run, write_last_run
from utxoracle.store.lock import run_lock

if TYPE_CHECKING:
    from utxoracle.jobs.catch_up import Growth, Work
    from utxoracle.jobs.scanning import Progress
    from utxoracle.store.database import Database
    from utxoracle.store.queries import Reader
    from utxoracle.store.scans import ScanCache

MOST_BLOCKS = 8640
"""Blocks that a run adds unless told otherwise: two months."""

_ATTEMPTS = 3
_PAUSE = 1.0
"""Seconds; a chain that has just been reorganised needs a moment."""


def analyze(
    settings: Settings,
    url: str,
    *,
    network: Network,
    workers: int,
    max_blocks: int = MOST_BLOCKS,
    dry_run: bool = False,
    progress: "Progress | None" = None,
) -> Report:
    """Bring the database up to the newest block of the source that `url` names, and publish it.

    Running twice changes nothing. A run that is killed loses its unfinished batch at most, and the
    next one goes on. How a run went is left in last_run.json, unless another one held the lock.

    Raises:
        UsageError: A setting can't be used.
        SourceError: The source failed; what came before is stored.
        DataError: A block is corrupt, or the source follows another chain.
        StorageError: The folder, the database or the snapshot can't be used, or another run holds
            the lock.
    """
    folder = DataFolder(settings.data_folder())
    run = _Run(
        settings,
        url,
        folder,
        network=network,
        workers=workers,
        max_blocks=max_blocks,
        progress=progress,
    )
    if dry_run:
        return run.rehearse()
    folder.check()
    with run_lock(folder):
        return run.recorded()


class _Run:
    def __init__(
        self,
        settings: Settings,
        url: str,
        folder: DataFolder,
        *,
        network: Network,
        workers: int,
        max_blocks: int,
        progress: "Progress | None",
    ) -> None:
        self._settings = settings
        self._url = url
        self._folder = folder
        self._network = network
        self._workers = workers
        self._max_blocks = max_blocks
        self._progress = progress
        self._started = time.time()

    def rehearse(self) -> Report:
        """Do everything but writing, beside whatever else is going on."""
        from utxoracle.store.scans import ScanCache
        from utxoracle.store.snapshot import Snapshot

        with (
            closing(Snapshot(self._folder)) as snapshot,
            closing(open_source(self._url, self._settings)) as source,
        ):
            reader = snapshot.reader()
            if reader.network != self._network.name:
                raise StorageError(
                    f"{self._folder.snapshot} holds the {reader.network} network, not "
                    f"{self._network.name}; use another folder or set UTXORACLE_NETWORK"
                )
            cache = ScanCache(self._folder, self._network)
            return self._grow(source, reader, cache, database=None)

    def recorded(self) -> Report:
        """Make the run and leave in last_run.json how it went."""
        before = read_last_run(self._folder)
        try:
            with closing(open_source(self._url, self._settings)) as source:
                if before and before.source == source.name:
                    source.route = before.route
                report = self._nothing_new(source, before) or self._store(source)
                self._record(report, source.route)
                return report
        except Exception as error:
            # That the run failed is told by its exit code, whether or not it can be written down.
            with suppress(StorageError):
                self._record_failure(before, error)
            raise

    def _nothing_new(self, source: Source, before: LastRun | None) -> Report | None:
        """Return the report if nothing changed since the last run: one request, no database."""
        tip_hash = source.tip_hash()
        if (
            before is None
            or not before.caught_up
            or before.network != self._network.name
            or (before.source, before.tip_hash) != (source.name, tip_hash)
            or before.tip_height is None
            or before.tip_hash is None
            or before.tip_time is None
            or before.revision is None
            or before.files is None
            or before.files != file_marks(self._folder)
        ):
            return None
        return Report(
            source=source.name,
            tip=Tip(before.tip_height, before.tip_hash, before.tip_time),
            caught_up=True,
            growth=None,
            revision=before.revision,
            dry_run=False,
        )

    def _store(self, source: Source) -> Report:
        from utxoracle.store.database import published_database
        from utxoracle.store.scans import ScanCache

        self._folder.check_space()
        self._folder.remove_left_overs()
        with published_database(self._folder, self._network) as database:
            cache = ScanCache(self._folder, self._network)
            return self._grow(source, database.reader, cache, database)

    def _grow(
        self, source: Source, reader: "Reader", cache: "ScanCache", database: "Database | None"
    ) -> Report:
        from utxoracle.jobs.catch_up import Growth, Work
        from utxoracle.jobs.exchange import ExchangeLookup

        growth = Growth()
        with closing(ExchangeLookup(open_exchange(self._url, self._settings))) as exchange:
            work = Work(
                source=source,
                exchange=exchange,
                reader=reader,
                cache=cache,
                commit=database.commit if database else None,
                network=self._network,
                folder=self._folder,
                settings=self._settings,
                # One core is for the windows, which are priced while blocks are scanned.
                processes=self._workers - 1,
                started=self._started,
                progress=self._progress,
            )
            (height, tip_hash), caught_up = self._follow(work, growth)
        return Report(
            source=source.name,
            tip=Tip(height, tip_hash, _time_of(tip_hash, source, reader)),
            caught_up=caught_up,
            growth=growth,
            revision=reader.revision,
            dry_run=database is None,
        )

    def _follow(self, work: "Work", growth: "Growth") -> tuple[tuple[int, str], bool]:
        """Catch up with a chain that may be reorganised meanwhile; return its tip."""
        from utxoracle.jobs.catch_up import catch_up

        attempts = _ATTEMPTS
        while True:
            tip = work.source.tip()
            try:
                return tip, catch_up(work, growth, tip[0], self._max_blocks - growth.blocks)
            except (ChainReorganised, BlockNotFound):
                attempts -= 1
                if not attempts:
                    raise
            time.sleep(_PAUSE)

    def _record(self, report: Report, route: str | None) -> None:
        write_last_run(
            self._folder,
            LastRun(
                started=self._started,
                finished=time.time(),
                exit_code=0,
                message=report.message,
                network=self._network.name,
                source=report.source,
                route=route,
                tip_height=report.tip.height,
                tip_hash=report.tip.hash,
                tip_time=report.tip.time,
                revision=report.revision,
                files=file_marks(self._folder),
                caught_up=report.caught_up,
            ),
        )

    def _record_failure(self, before: LastRun | None, error: Exception) -> None:
        """Write the failure down, and leave what the last good run found out as it was."""
        exit_code, message = UtxoracleError.exit_code, f"{type(error).__name__}: {error}"
        if isinstance(error, UtxoracleError):
            exit_code, message = error.exit_code, str(error)
        write_last_run(
            self._folder,
            replace(
                before or NO_RUN,
                started=self._started,
                finished=time.time(),
                exit_code=exit_code,
                message=message,
            ),
        )


def _time_of(block_hash: str, source: Source, reader: "Reader") -> int:
    top = reader.top()
    if top and top.hash == block_hash:
        return top.time
    return parse_header(source.header(block_hash)).time
