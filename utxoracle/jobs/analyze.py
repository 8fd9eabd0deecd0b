"""The ten-minute job: store and price the blocks that came, compare, publish."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from utxoracle.atomic import LEFT_OVER
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
        except UtxoracleError as error:
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
        from utxoracle.store.scans import ScanCache

        self._folder.check_space()
        _remove_left_overs(self._folder)
        with _published(self._folder, self._network) as database:
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

        for attempt in range(_ATTEMPTS):
            tip = work.source.tip()
            try:
                return tip, catch_up(work, growth, tip[0], self._max_blocks - growth.blocks)
            except (ChainReorganised, BlockNotFound):
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(_PAUSE)
        raise AssertionError("the last attempt returns or raises")

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

    def _record_failure(self, before: LastRun | None, error: UtxoracleError) -> None:
        """Write the failure down, and leave what the last good run found out as it was."""
        write_last_run(
            self._folder,
            replace(
                before or NO_RUN,
                started=self._started,
                finished=time.time(),
                exit_code=error.exit_code,
                message=str(error),
            ),
        )


def _remove_left_overs(folder: DataFolder) -> None:
    """Remove what runs have left that were killed while they wrote last_run.json.

    Raises:
        StorageError: It can't be removed.
    """
    try:
        for path in folder.path.iterdir():
            if LEFT_OVER.fullmatch(path.name):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"can't remove old files in {folder.path}: {error.strerror}; check its owner"
        ) from None


@contextmanager
def _published(folder: DataFolder, network: Network) -> Iterator["Database"]:
    """Give the open database; then publish it if the snapshot is of another revision.

    So a crash between commit and publication heals, and what was stored before a failure is
    published too.
    """
    from utxoracle.store.database import Database
    from utxoracle.store.snapshot import publish, published_revision

    database = Database.open(folder, network)
    before = database.revision

    def publish_if_new() -> None:
        if database.revision != before or published_revision(folder) != before:
            publish(folder)

    try:
        with database:
            yield database
    except BaseException:
        # What went wrong first is what is to be told.
        with suppress(StorageError):
            publish_if_new()
        raise
    publish_if_new()


def _time_of(block_hash: str, source: Source, reader: "Reader") -> int:
    top = reader.top()
    if top and top.hash == block_hash:
        return top.time
    return parse_header(source.header(block_hash)).time
