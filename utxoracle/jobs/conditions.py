"""Which conditions hold that somebody should hear of."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from utxoracle.errors import StorageError
from utxoracle.jobs.alert_state import Alert, AlertState, BackupReading, Context
from utxoracle.jobs.checks import backups, disk
from utxoracle.jobs.health import (
    Check,
    CheckStatus,
    Health,
    Stored,
    health,
    read_stored,
    run_for_operator,
)
from utxoracle.jobs.time_limit import within
from utxoracle.jobs.units import ANALYZE, unit_state
from utxoracle.settings import Settings
from utxoracle.sources.answers import printable
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import LastRun, read_last_run

PATIENCE = 60.0
"""Seconds that the data folder's disk gets: enough to read a backup whole."""

UNIT = "unit:"
SOURCE = "source:"
"""What conditions begin with that are about one of several; its name follows."""

_STRICTER = 0.9
"""Share of a limit at which what has reached it is over: a value that stays about the limit is one
alert."""

_UNKNOWN = Check(CheckStatus.UNKNOWN, "")
WELL = Check(CheckStatus.OK, "")


@dataclass(frozen=True)
class Condition:
    """Something that may be wrong.

    Attributes:
        name: What it is, for example `divergence` or `source:mempool 127.0.0.1:8999`.
        component: The part that it is about.
        check: Whether it is; a condition of UNKNOWN neither begins nor ends.
        context: Figures.
    """

    name: str
    component: str
    check: Check
    context: Context = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether it is so."""
        return self.check.status in (CheckStatus.WARNING, CheckStatus.ERROR)

    @property
    def is_over(self) -> bool:
        """Whether it isn't so."""
        return self.check.status is CheckStatus.OK


@dataclass(frozen=True)
class Findings:
    """What was found: the conditions, and the backup that was read for it."""

    conditions: list[Condition]
    backup: BackupReading | None


def conditions(settings: Settings, state: AlertState, now: float) -> Findings:
    """Return all conditions that can be judged, whether they hold or not.

    Without the data folder's disk that is one alone; a disk that hangs is none.

    Args:
        settings: What counts as too much, too old or too little.
        state: What alerts are open, and which backup was read last.
        now: Seconds since 1970 UTC.
    """
    found = [storage(settings)]
    backup = state.backup
    if found[0].is_over:
        try:
            on_disk, backup = within(PATIENCE, partial(_on_disk, settings, state, now))
            found += on_disk
        except OSError as error:
            found = [_lost(settings, error)]
    return Findings(found + _units(settings, state.alerts.values(), found), backup)


def storage(settings: Settings) -> Condition:
    """Return whether the data folder's disk is there."""
    try:
        check = _seen(within(PATIENCE, partial(disk.mount, settings)))
    except OSError as error:
        return _lost(settings, error)
    if check.status is CheckStatus.WARNING:
        # That it is the root disk is doctor's to say.
        check = replace(check, status=CheckStatus.OK)
    return _storage(settings, check)


def last_run(settings: Settings) -> LastRun | None:
    """Return how the last run of analyze went; None where that can't be read."""
    try:
        return within(PATIENCE, partial(read_last_run, DataFolder(settings.data_folder())))
    except TimeoutError:
        return None


def _storage(settings: Settings, check: Check) -> Condition:
    context: Context = {
        "data_dir": str(settings.data_folder()),
        "mount_point": settings.mount_point,
    }
    return Condition("storage", "storage", check, context)


def _lost(settings: Settings, error: OSError) -> Condition:
    is_late = isinstance(error, TimeoutError)
    why = f"gives no answer within {PATIENCE:g} s" if is_late else f"fails: {error.strerror}"
    detail = f"the disk of {settings.data_folder()} {why}; see dmesg, and check it"
    return _storage(settings, Check(CheckStatus.ERROR, detail))


def _seen(check: Check) -> Check:
    """Return an error for what can't be looked at: nobody else would hear of it."""
    if check.status is CheckStatus.UNKNOWN:
        return replace(check, status=CheckStatus.ERROR)
    return check


def _on_disk(
    settings: Settings, state: AlertState, now: float
) -> tuple[list[Condition], BackupReading | None]:
    # First, since a disk that hangs is better found before DuckDB is there: it says much at exit.
    run = read_last_run(DataFolder(settings.data_folder()))
    told, gaps = _stored(settings, run, now)
    context = _context(told.stored)
    backup, reading = _backup(settings, state.backup, now)
    return [
        Condition("snapshot", "database", told.checks["snapshot"], context),
        Condition("run", "analyze", _run(told), context),
        Condition("chain", "analyze", told.checks["chain"], context),
        Condition("price", "price", _price(told), context),
        Condition("divergence", "price", _divergence(told.stored, settings, state), context),
        *gaps,
        *_sources(told, state.alerts, settings, context),
        _room(settings, state),
        Condition("backup", "backup", _seen(backup)),
    ], reading


def _stored(settings: Settings, run: LastRun | None, now: float) -> tuple[Health, list[Condition]]:
    """Return how things are, and what is missing in the whole history."""
    from utxoracle.jobs.checks.snapshot import days, heights
    from utxoracle.store.snapshot import Snapshot

    stored, trouble = None, None
    gaps: list[Condition] = []
    with closing(Snapshot(DataFolder(settings.data_folder()))) as snapshot:
        try:
            reader = snapshot.reader()
            # Not those of health: a day must not count as there again since it is long ago.
            gaps = [
                Condition("heights", "price", heights(reader)),
                Condition("days", "price", days(reader)),
            ]
            stored = read_stored(reader)
        except StorageError as error:
            trouble = str(error)
    return health(stored, trouble, run, settings, now), gaps


def _context(stored: Stored | None) -> Context:
    row = stored.window if stored else None
    if stored is None or stored.top is None or row is None:
        return {}
    return {
        "height": row.height,
        "price": row.facts.price,
        "exchange_price": row.exchange.price,
        "difference_percent": _difference(row.facts.price, row.exchange.price),
    }


def _difference(price: float | None, exchange_price: float | None) -> float | None:
    if price is None or exchange_price is None:
        return None
    return 100 * (exchange_price - price) / price


def _run(told: Health) -> Check:
    check, run = run_for_operator(told), told.last_run
    if check.status is CheckStatus.WARNING and run and run.exit_code:
        # One run that failed is the alert of its unit, and nothing tells how the next one goes.
        return _UNKNOWN
    return check


def _price(told: Health) -> Check:
    row = told.stored.window if told.stored else None
    if row is None:
        return _UNKNOWN
    if row.facts.price is None or not row.facts.is_valid:
        return told.checks["price"]
    return WELL


def _divergence(stored: Stored | None, settings: Settings, state: AlertState) -> Check:
    row = stored.window if stored else None
    if row is None or not row.facts.is_valid:
        return _UNKNOWN
    difference = _difference(row.facts.price, row.exchange.price)
    if difference is None:
        return _UNKNOWN
    limit = settings.divergence * (_STRICTER if "divergence" in state.alerts else 1)
    if abs(difference) < limit:
        return WELL
    return Check(
        CheckStatus.WARNING,
        f"the price of block {row.height} and the exchange price diverge by {difference:+.2f} %: "
        f"${row.facts.price:,.2f} in the chain, ${row.exchange.price:,.2f} at the exchange",
    )


def _sources(
    told: Health, alerts: Mapping[str, Alert], settings: Settings, context: Context
) -> Iterable[Condition]:
    """Yield a condition for each source, and for each that is none any more."""
    run = told.last_run
    if run is None or not run.sources:
        return
    names = {f"{SOURCE}{printable(str(row['name']))}": row for row in run.sources}
    gone = [name for name in alerts if name.startswith(SOURCE) and name not in names]
    for name, row in names.items():
        alone = health(None, None, replace(run, sources=[row]), settings, told.now)
        yield Condition(name, "source", alone.checks["sources"], context)
    for name in gone:
        yield Condition(name, "source", WELL)


def _room(settings: Settings, state: AlertState) -> Condition:
    if "disk" in state.alerts:
        settings = replace(settings, min_free=settings.min_free / _STRICTER)
    return Condition("disk", "storage", disk.free(settings))


def _backup(
    settings: Settings, read: BackupReading | None, now: float
) -> tuple[Check, BackupReading | None]:
    """Return how the newest backup is; one that was read whole isn't read again."""
    check = backups.last_backup(settings, now, verify=False)
    if check.status is not CheckStatus.OK:
        return check, read
    mark = _newest_backup(settings)
    if read is None or read.mark != mark:
        check = backups.last_backup(settings, now)
        fault = None if check.status is CheckStatus.OK else check.detail
        return check, BackupReading(mark, fault)
    return (Check(CheckStatus.ERROR, read.fault) if read.fault else check), read


def _newest_backup(settings: Settings) -> str:
    """Return what changes when another backup is the newest, or that one or its checksum does."""
    from utxoracle.store.backup_files import checksum_file
    from utxoracle.store.backups import backups_in

    path = next((one.path for one in backups_in(settings.backup_folder())), Path())
    marks = [str(path)]
    for file in (path, checksum_file(path)) if path.name else ():
        try:
            status = file.stat()
        except OSError:
            marks.append("-")
        else:
            marks.append(f"{status.st_ino} {status.st_size} {status.st_mtime_ns}")
    return " ".join(marks)


def _units(
    settings: Settings, alerts: Iterable[Alert], found: Iterable[Condition]
) -> list[Condition]:
    """Return whether the units still fail whose failures are open alerts."""
    can_read = all(one.is_over for one in found if one.name == "storage")
    return [
        Condition(one.condition, one.component, _unit(one, settings, can_read=can_read))
        for one in alerts
        if one.condition.startswith(UNIT)
    ]


def _unit(alert: Alert, settings: Settings, *, can_read: bool) -> Check:
    unit = alert.condition.removeprefix(UNIT)
    state = unit_state(unit)
    if state is None:
        run = last_run(settings) if unit == ANALYZE and can_read else None
        is_well = bool(run and run.exit_code == 0 and run.finished > alert.since)
    elif not state.is_known or state.active == "active":
        is_well = True
    else:
        # One that wasn't started, since another failed, looks well as it is: it must have run.
        has_failed = alert.context.get("result") != "success"
        is_well = (
            state.active == "inactive"
            and state.result == "success"
            and (has_failed or (state.exited or 0) > alert.since)
        )
    return WELL if is_well else _UNKNOWN
