"""The newest backup: whether it is good, where it lies, and whether another is overdue."""

from utxoracle.errors import StorageError
from utxoracle.jobs.backup_mempool_db import mempool_backups_in
from utxoracle.jobs.backups import trouble_with_date
from utxoracle.jobs.checks.unseen import unseen
from utxoracle.jobs.health import Check, CheckStatus
from utxoracle.jobs.report import duration
from utxoracle.settings import Settings, variable_of
from utxoracle.store.backup_files import BackupFile
from utxoracle.store.backups import ANOTHER, backups_in, checked


def kept_backups(settings: Settings, now: float) -> Check:
    """Check the newest backup, and that it outlives the disk of the data; tell of MariaDB's.

    Args:
        settings: Where backups are, and after how many hours one is overdue.
        now: Seconds since 1970 UTC.

    Raises:
        OSError: A folder can't be looked at.
    """
    newest = last_backup(settings, now)
    if newest.status is not CheckStatus.OK:
        return newest
    told = newest.detail
    folder, data = settings.backup_folder(), settings.data_folder()
    if dump := last_dump(settings, now):
        told += f"; {dump.detail}"
        if dump.status is not CheckStatus.OK:
            return Check(dump.status, told)
    if data.exists() and folder.stat().st_dev == data.stat().st_dev:
        return Check(
            CheckStatus.WARNING,
            f"{told}; {folder} is on the disk of the data, and a dead disk takes both: set "
            f"{variable_of('backup_dir')} to a folder on another disk, or name one by --to",
        )
    return Check(CheckStatus.OK, told)


def last_backup(settings: Settings, now: float, *, verify: bool = True) -> Check:
    """Check that there is a backup, that it is a good one, and not too old.

    Args:
        settings: Where backups are, and after how many hours one is overdue.
        now: Seconds since 1970 UTC.
        verify: Whether it is read from end to end.
    """
    folder = settings.backup_folder()
    try:
        newest = next(iter(backups_in(folder)), None)
    except StorageError as error:
        return Check(CheckStatus.UNKNOWN, str(error))
    if newest is None:
        return _none(settings)
    if wrong_date := trouble_with_date(newest, now):
        return Check(CheckStatus.ERROR, wrong_date)
    if verify and (trouble := _trouble_with(newest)):
        return trouble
    told, is_overdue = _age_of(newest, settings, now)
    if is_overdue:
        return Check(
            CheckStatus.ERROR,
            f"a backup is overdue: {told}; run utxoracle backup, and see journalctl -u "
            "utxoracle-backup",
        )
    return Check(CheckStatus.OK, f"{told} and good" if verify else told)


def last_dump(settings: Settings, now: float) -> Check | None:
    """Check that the newest dump of MariaDB is not too old; None where no dumps are kept.

    Args:
        settings: Where backups are, and after how many hours one is overdue.
        now: Seconds since 1970 UTC.
    """
    try:
        newest = next(iter(mempool_backups_in(settings.backup_folder())), None)
    except StorageError as error:
        return Check(CheckStatus.UNKNOWN, str(error))
    if newest is None:
        return None
    if wrong_date := trouble_with_date(newest, now):
        return Check(CheckStatus.WARNING, wrong_date)
    told, is_overdue = _age_of(newest, settings, now)
    if is_overdue:
        return Check(
            CheckStatus.WARNING,
            f"a dump of MariaDB is overdue: {told}; run utxoracle backup-mempool-db as root, and "
            "see journalctl -u utxoracle-backup-mempool, or move the dumps away",
        )
    return Check(CheckStatus.OK, told)


def _age_of(newest: BackupFile, settings: Settings, now: float) -> tuple[str, bool]:
    """Return how old the newest of a kind is, and whether another one is overdue."""
    age = now - newest.made
    return (
        f"{newest.path.name} is {duration(max(0.0, age))} old",
        age > settings.backup_hours * 3600,
    )


def _none(settings: Settings) -> Check:
    """Say what to do about a folder without a backup."""
    folder, data = settings.backup_folder(), settings.data_folder()
    if (settings.backup_dir or folder.is_symlink()) and not folder.exists():
        return Check(
            CheckStatus.ERROR,
            f"the folder of backups {folder} is not there: mount its disk, or correct "
            f"{variable_of('backup_dir')}",
        )
    if not data.exists():
        return Check(CheckStatus.UNKNOWN, f"not known, since {data} is not there")
    return Check(
        CheckStatus.WARNING,
        f"there is no backup in {folder} yet: run utxoracle backup, best once a day by a timer",
    )


def _trouble_with(backup: BackupFile) -> Check | None:
    try:
        # Whoever may not read it can't tell that it is damaged.
        with backup.path.open("rb"):
            checked(backup.path)
    except OSError as error:
        return unseen(backup.path, error)
    except StorageError as error:
        detail = str(error).replace(ANOTHER, "run utxoracle backup, and look at that disk")
        return Check(CheckStatus.ERROR, f"the newest backup is not good: {detail}")
    return None
