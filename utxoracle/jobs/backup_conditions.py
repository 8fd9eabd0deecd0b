"""Which conditions of backups hold; they are looked at by themselves, as their disk may hang."""

from functools import partial
from pathlib import Path

from utxoracle.errors import UtxoracleError
from utxoracle.jobs.alert_state import BackupReading
from utxoracle.jobs.checks import backups
from utxoracle.jobs.condition import UNKNOWN, WELL, Condition, guarded, lost, seen, unforeseen
from utxoracle.jobs.health import Check, CheckStatus
from utxoracle.jobs.time_limit import within
from utxoracle.settings import Settings
from utxoracle.store.backup_files import checksum_file
from utxoracle.store.backups import backups_in

LISTING = 60.0
"""Seconds that the folder of backups gets to tell what is in it."""

SLOWEST = 1e6
"""Bytes a second that a backup must be read at: a large one needs time, however good its disk."""

_BACKUP, _DUMP = "backup", "mempool-backup"


def backup_conditions(
    settings: Settings, read: BackupReading | None, now: float
) -> tuple[list[Condition], BackupReading | None]:
    """Return how the newest backup and the newest dump are, and which backup was read last.

    Args:
        settings: Where they are, and after how many hours one is overdue.
        read: The backup that was read last; it isn't read again.
        now: Seconds since 1970 UTC.
    """
    dump = Condition(_DUMP, "backup", UNKNOWN)
    try:
        newest, dump = within(LISTING, partial(_listed, settings, now))
        if newest.is_over:
            check, read = _whole(settings, read, now, newest.check)
            newest = Condition(_BACKUP, "backup", seen(check))
    except OSError as error:
        folder = f"the folder of backups {settings.backup_folder()}"
        newest = Condition(_BACKUP, "backup", lost(folder, LISTING, error, "check its disk"))
    except UtxoracleError as error:
        newest = Condition(_BACKUP, "backup", Check(CheckStatus.ERROR, str(error)))
    except Exception as error:
        newest = Condition(_BACKUP, "backup", unforeseen(_BACKUP, error))
    return [newest, dump], read


def _listed(settings: Settings, now: float) -> tuple[Condition, Condition]:
    """Return how the newest backup and the newest dump are, by their names."""
    newest = guarded(
        _BACKUP, "backup", lambda: seen(backups.last_backup(settings, now, verify=False))
    )
    # Where our own backups are not well either, dumps may be gone since their disk is.
    without = WELL if newest.is_over else UNKNOWN
    dump = guarded(_DUMP, "backup", lambda: backups.last_dump(settings, now) or without)
    return newest, dump


def _whole(
    settings: Settings, read: BackupReading | None, now: float, listed: Check
) -> tuple[Check, BackupReading | None]:
    """Return how the newest backup is; one that was read whole isn't read again."""
    mark, size = within(LISTING, partial(_newest, settings))
    if read and read.mark == mark:
        return (Check(CheckStatus.ERROR, read.fault) if read.fault else listed), read
    patience = LISTING + size / SLOWEST
    try:
        check = within(patience, partial(backups.last_backup, settings, now))
    except TimeoutError:
        return Check(
            CheckStatus.ERROR,
            f"the newest backup in {settings.backup_folder()} can't be read within {patience:.0f} "
            "s; see dmesg, and check its disk",
        ), read
    if check.status is CheckStatus.UNKNOWN:
        return check, read
    return check, BackupReading(mark, None if check.status is CheckStatus.OK else check.detail)


def _newest(settings: Settings) -> tuple[str, int]:
    """Return the size of the newest backup, and what changes when it or its checksum does.

    That also changes when another one is the newest.
    """
    path = next((one.path for one in backups_in(settings.backup_folder())), Path())
    marks, sizes = [str(path)], [0]
    for file in (path, checksum_file(path)) if path.name else ():
        try:
            status = file.stat()
        except OSError:
            marks.append("-")
        else:
            sizes.append(status.st_size)
            marks.append(f"{status.st_ino} {status.st_size} {status.st_mtime_ns}")
    return " ".join(marks), sum(sizes)
