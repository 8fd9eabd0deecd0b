"""Putting a backup in the place of the database."""

import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from utxoracle.bitcoin.network import Network
from utxoracle.errors import StorageError, UsageError
from utxoracle.jobs.backup import folder_to_read
from utxoracle.jobs.backups import trouble_with_date
from utxoracle.settings import Settings
from utxoracle.store.backup_files import Progress
from utxoracle.store.backups import BackupFacts, backups_in, checked, copy_checked
from utxoracle.store.folder import DataFolder, check_free, make_folder
from utxoracle.store.lock import database_lock, run_lock
from utxoracle.store.mounts import check_mounted

LATEST = "latest"


@dataclass(frozen=True)
class Restored:
    """A backup that was restored, or would have been.

    Attributes:
        path: The backup.
        facts: What is in it.
        passed_over: Why newer ones were not taken, one line each.
        database: The database that it took the place of.
        kept: Where that database is now; None when there was none, or in a dry run.
        dry_run: Whether the backup was only verified.
    """

    path: Path
    facts: BackupFacts
    passed_over: tuple[str, ...]
    database: Path
    kept: Path | None
    dry_run: bool


def restore(
    settings: Settings,
    which: str,
    *,
    network: Network,
    without_checksum: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Restored:
    """Verify a backup, put it in the place of the database, keep that one, and publish.

    Makes the data folder where it isn't there. The next analyze goes on from the backup's newest
    block.

    Args:
        settings: Where the data folder and the backups are.
        which: A file, a UTC day (its newest good one), or LATEST (the newest good one of all; those
            dated more than a day ahead come last).
        network: The network that the database must be of.
        without_checksum: Whether a backup without a checksum beside it may be restored.
        dry_run: Whether to verify it and to do no more.
        progress: Told how many bytes of a step are done.

    Raises:
        UsageError: `which` is none of these.
        StorageError: The backup isn't good or of another network, a run holds the lock or another
            program the database, or something can't be written. The database stays as it is, or is
            kept as `replaced` of its folder says; to restore once more puts that in order.
    """
    if not dry_run:
        check_mounted(settings)
    check = partial(_checked, network=network, without_checksum=without_checksum, progress=progress)
    path, facts, passed_over = _chosen(settings, which, check)
    folder = DataFolder(settings.data_folder())
    kept = None if dry_run else _put(folder, path, facts, progress)
    return Restored(path, facts, passed_over, folder.database, kept, dry_run)


def _checked(
    path: Path, *, network: Network, without_checksum: bool, progress: Progress | None
) -> BackupFacts:
    from utxoracle.store.database import check_network

    facts = checked(path, without_checksum=without_checksum, progress=progress)
    check_network(path, facts.network, network)
    return facts


def _chosen(
    settings: Settings, which: str, check: Callable[[Path], BackupFacts]
) -> tuple[Path, BackupFacts, tuple[str, ...]]:
    """Return the backup that is meant, what is in it, and why newer ones were passed over."""
    day = _day(which)
    if which != LATEST and day is None:
        path = _named(settings, which)
        return path, check(path), ()
    folder = folder_to_read(settings)
    found, now = backups_in(folder), time.time()
    wrong = {one.path: trouble_with_date(one, now) for one in found if day is None}
    misdated = {path: trouble for path, trouble in wrong.items() if trouble}
    passed_over: list[str] = []
    for backup in sorted(found, key=lambda one: one.path in misdated):
        if day in (None, backup.day):
            try:
                facts = check(backup.path)
            except StorageError as error:
                passed_over.append(str(error))
            else:
                later = () if backup.path in misdated else misdated.values()
                return backup.path, facts, (*later, *passed_over)
    of_day = f" of {day}" if day else ""
    if not passed_over:
        raise StorageError(f"there is no backup{of_day} in {folder}: see utxoracle backups")
    raise StorageError(
        f"no backup{of_day} in {folder} is good (the newest: {passed_over[0]}): see utxoracle "
        "backups"
    )


def _named(settings: Settings, which: str) -> Path:
    """Return the file of a name, which may be that of one in the folder of the backups."""
    path = Path(which)
    if path.name != which or os.path.lexists(path):
        return path
    path = settings.backup_folder() / which
    # Whoever names an ending means a file.
    if path.suffix or os.path.lexists(path):
        return path
    raise UsageError(
        f"{which!r} is no file, day (YYYY-MM-DD) or latest: utxoracle backups tells what there is"
    )


def _day(which: str) -> date | None:
    # Python reads more as a date: 20261123, and weeks.
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", which, re.ASCII):
        return None
    try:
        return date.fromisoformat(which)
    except ValueError:
        return None


def _put(
    folder: DataFolder, path: Path, facts: BackupFacts, progress: Progress | None
) -> Path | None:
    from utxoracle.store.replacement import replace_database

    make_folder(folder.path)
    folder.check()
    # Whoever has the database open would write its next commits beside the restored one.
    with run_lock(folder), database_lock(folder):
        folder.remove_left_overs()
        # The database and the copy of it that is published.
        check_free(folder.path, 2 * facts.size)
        try:
            copy_checked(path, folder.new_database, recorded=facts.sha256, progress=progress)
            kept = replace_database(folder)
        finally:
            with suppress(StorageError):
                folder.remove_left_overs()
        make_folder(folder.scans)
    return kept
