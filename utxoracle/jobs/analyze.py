"""The ten-minute job: store and price the blocks that came, compare, publish."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from utxoracle.bitcoin.header import parse_header
from utxoracle.bitcoin.network import Network
from utxoracle.errors import (
    INTERRUPTED,
    BlockNotFound,
    ChainReorganised,
    DataError,
    SourceError,
    StorageError,
    UtxoracleError,
)
from utxoracle.jobs.exchange_lookup import ExchangeLookup
from utxoracle.jobs.report import Report, Tip
from utxoracle.settings import Settings
from utxoracle.sources.base import Source
from utxoracle.sources.factory import open_exchange, open_sources
from utxoracle.sources.preference import Sources, state_of
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import NO_RUN, LastRun, file_marks, read_last_run, write_last_run
from utxoracle.store.lock import run_lock
from utxoracle.store.mounts import check_mounted

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
    *,
    network: Network,
    workers: int,
    max_blocks: int = MOST_BLOCKS,
    dry_run: bool = False,
    progress: "Progress | None" = None,
) -> Report:
    """Bring the database up to the newest block of the sources, and publish it.

    Where one source fails another one goes on. Running twice changes nothing. A run that is killed
    loses its unfinished batch at most, and the next one goes on. How a run went is left in
    last_run.json, unless another one held the lock.

    Raises:
        UsageError: A setting can't be used.
        SourceError: All sources failed; what came before is stored.
        DataError: So they did, and blocks were corrupt, or of another chain.
        StorageError: The disk is not mounted; the folder, the database or the snapshot can't be
            used; or another run holds the lock.
    """
    check_mounted(settings)
    folder = DataFolder(settings.data_folder())
    run = _Run(
        settings,
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
        folder: DataFolder,
        *,
        network: Network,
        workers: int,
        max_blocks: int,
        progress: "Progress | None",
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._network = network
        self._workers = workers
        self._max_blocks = max_blocks
        self._progress = progress
        self._started = time.time()
        # Not by the wall clock, which may be set meanwhile.
        self._deadline = time.monotonic() + settings.time_budget
        # Of all sources together: one goes on where another one failed.
        self._growth: Growth | None = None

    def rehearse(self) -> Report:
        """Do everything but writing, beside whatever else is going on."""
        from utxoracle.store.database import check_network
        from utxoracle.store.scans import ScanCache
        from utxoracle.store.snapshot import Snapshot

        with closing(Snapshot(self._folder)) as snapshot, self._opened() as (sources, exchange):
            reader = snapshot.reader()
            check_network(self._folder.snapshot, reader.network, self._network)
            cache = ScanCache(self._folder, self._network)
            report = sources.use(
                lambda source: self._grow(source, exchange, reader, cache, database=None)
            )
            return report.of(sources.states)

    def recorded(self) -> Report:
        """Make the run and leave in last_run.json how it went."""
        before = read_last_run(self._folder)
        sources: Sources | None = None
        try:
            with self._opened() as (sources, exchange):
                sources.routes = before.routes if before else {}
                report = sources.use(lambda source: self._brought_up(source, exchange, before))
                report = report.of(sources.states)
                self._record(report, sources.routes)
                return report
        except BaseException as error:
            # That the run failed is told by its exit code, whether or not it can be written down.
            with suppress(StorageError):
                self._record_failure(before, error, sources)
            raise

    def _brought_up(
        self, source: Source, exchange: ExchangeLookup, before: LastRun | None
    ) -> Report:
        return self._nothing_new(source, before) or self._update(source, exchange)

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

    @contextmanager
    def _opened(self) -> Iterator[tuple[Sources, ExchangeLookup]]:
        """Give the sources of blocks and of exchange prices, none of which is asked by that."""
        with (
            closing(open_sources(self._settings)) as sources,
            closing(
                ExchangeLookup(open_exchange(self._settings), self._settings.exchange_patience)
            ) as exchange,
        ):
            yield sources, exchange

    def _update(self, source: Source, exchange: ExchangeLookup) -> Report:
        from utxoracle.store.database import published_database
        from utxoracle.store.scans import ScanCache

        self._folder.remove_left_overs()
        self._folder.check_space()
        with published_database(self._folder, self._network) as database:
            cache = ScanCache(self._folder, self._network)
            return self._grow(source, exchange, database.reader, cache, database=database)

    def _grow(
        self,
        source: Source,
        exchange: ExchangeLookup,
        reader: "Reader",
        cache: "ScanCache",
        *,
        database: "Database | None",
    ) -> Report:
        from utxoracle.jobs.catch_up import Work

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
            deadline=self._deadline,
            progress=self._progress,
        )
        tip, growth, caught_up = self._follow(work)
        return Report(
            source=source.name,
            tip=tip,
            caught_up=caught_up,
            growth=growth,
            revision=reader.revision,
            dry_run=database is None,
        )

    def _follow(self, work: "Work") -> tuple[Tip, "Growth", bool]:
        """Catch up with a chain that may be reorganised meanwhile."""
        from utxoracle.jobs.catch_up import Growth, catch_up

        attempts = _ATTEMPTS
        while True:
            if self._growth is None or work.commit is None:
                # In a dry run nothing is stored, and so all begins anew.
                self._growth = Growth()
            growth = self._growth
            try:
                height, tip_hash = work.source.tip()
                time_stamp = parse_header(work.source.header(tip_hash)).time
                max_blocks = self._max_blocks - growth.blocks
                caught_up = catch_up(work, growth, (height, tip_hash), max_blocks)
                return Tip(height, tip_hash, time_stamp), growth, caught_up
            except (ChainReorganised, BlockNotFound):
                attempts -= 1
                if not attempts:
                    raise
            time.sleep(_PAUSE)

    def _record(self, report: Report, routes: dict[str, str]) -> None:
        now = time.time()
        write_last_run(
            self._folder,
            LastRun(
                started=self._started,
                finished=now,
                succeeded=now,
                exit_code=0,
                message=report.message,
                state=report.state(self._settings),
                network=self._network.name,
                source=report.source,
                sources=[asdict(one) for one in report.sources],
                routes=routes,
                tip_height=report.tip.height,
                tip_hash=report.tip.hash,
                tip_time=report.tip.time,
                revision=report.revision,
                files=file_marks(self._folder),
                caught_up=report.caught_up,
            ),
        )

    def _record_failure(
        self, before: LastRun | None, error: BaseException, sources: Sources | None
    ) -> None:
        """Write the failure down, and leave what the last good run found out as it was."""
        # What an unexpected error says may be anything; --verbose shows it to who asks for it.
        exit_code, message = UtxoracleError.exit_code, f"unexpected {type(error).__name__}"
        if isinstance(error, UtxoracleError):
            exit_code, message = error.exit_code, " ".join(str(error).split())
        elif isinstance(error, KeyboardInterrupt):
            exit_code, message = INTERRUPTED, "interrupted"
        write_last_run(
            self._folder,
            replace(
                before or NO_RUN,
                started=self._started,
                finished=time.time(),
                exit_code=exit_code,
                message=message,
                state=state_of(error) if isinstance(error, SourceError | DataError) else None,
                sources=[asdict(one) for one in sources.states] if sources else [],
            ),
        )
