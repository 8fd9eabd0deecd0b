"""Which conditions hold that somebody should hear of."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from utxoracle.errors import StorageError
from utxoracle.jobs.alert_state import Alert, AlertState, BackupReading, Context
from utxoracle.jobs.backup_conditions import backup_conditions
from utxoracle.jobs.checks import disk
from utxoracle.jobs.condition import UNKNOWN, WELL, Condition, guarded, lost, seen, unforeseen
from utxoracle.jobs.health import (
    Check,
    CheckStatus,
    Health,
    Stored,
    health,
    read_stored,
    run_for_operator,
    sources_in,
)
from utxoracle.jobs.time_limit import within
from utxoracle.jobs.units import ANALYZE, unit_state
from utxoracle.settings import Settings
from utxoracle.sources.answers import printable
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import LastRun, read_last_run

PATIENCE = 60.0
"""Seconds that the data folder's disk gets."""

UNIT = "unit:"
SOURCE = "source:"
"""What conditions begin with that are about one of several; its name follows."""

_STRICTER = 0.9
"""Share of a limit at which what has reached it is over: a value that stays about the limit is one
alert."""


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
    found, backup = [storage(settings)], state.backup
    if not is_lost(found[0]):
        try:
            found += within(PATIENCE, partial(_on_disk, settings, state, now))
        except OSError as error:
            found = [_lost(settings, error)]
        else:
            of_backups, backup = backup_conditions(settings, state.backup, now)
            found += of_backups
    return Findings(found + _units(settings, state.alerts.values(), found), backup)


def storage(settings: Settings) -> Condition:
    """Return whether the data folder's disk is there."""
    try:
        return _storage(settings, partial(_mount, settings))
    except OSError as error:
        return _lost(settings, error)


def is_lost(disk: Condition) -> bool:
    """Tell whether nothing else can be judged, by what `storage` returned."""
    return disk.holds and not disk.is_doubtful


def last_run(settings: Settings) -> LastRun | None:
    """Return how the last run of analyze went; None where that can't be read."""
    try:
        return within(PATIENCE, partial(read_last_run, DataFolder(settings.data_folder())))
    except TimeoutError:
        return None


def _mount(settings: Settings) -> Check:
    check = seen(within(PATIENCE, partial(disk.mount, settings)))
    # That it is the root disk is doctor's to say.
    is_root = check.status is CheckStatus.WARNING
    return replace(check, status=CheckStatus.OK) if is_root else check


def _storage(settings: Settings, ask: Callable[[], Check]) -> Condition:
    context: Context = {
        "data_dir": str(settings.data_folder()),
        "mount_point": settings.mount_point,
    }
    return guarded("storage", "storage", ask, context)


def _lost(settings: Settings, error: OSError) -> Condition:
    check = lost(f"the disk of {settings.data_folder()}", PATIENCE, error, "check it")
    return _storage(settings, lambda: check)


def _on_disk(settings: Settings, state: AlertState, now: float) -> list[Condition]:
    # First, since a disk that hangs is better found before DuckDB is there: it says much at exit.
    run = read_last_run(DataFolder(settings.data_folder()))
    told, gaps = _stored(settings, run, now)
    context = _context(told.stored)
    divergence = partial(_divergence, told.stored, settings, state)
    return [
        Condition("snapshot", "database", told.checks["snapshot"], context),
        guarded("run", "analyze", partial(_run, told), context),
        Condition("chain", "analyze", told.checks["chain"], context),
        guarded("price", "price", partial(_price, told), context),
        guarded("divergence", "price", divergence, context),
        *gaps,
        *_sources(told, state.alerts, context),
        guarded("disk", "storage", partial(_room, settings, state)),
    ]


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
                Condition(name, "price", _attempted(name, partial(ask, reader)))
                for name, ask in (("heights", heights), ("days", days))
            ]
            stored = read_stored(reader)
        except StorageError as error:
            trouble = str(error)
        except OSError:
            raise
        except Exception as error:
            trouble = unforeseen("snapshot", error).detail
    return health(stored, trouble, run, settings, now, guard=_attempted), gaps


def _attempted(name: str, ask: Callable[[], Check]) -> Check:
    """Return what `ask` does, or that it broke.

    Raises:
        OSError, StorageError: The disk or the snapshot is not well, which is told as such.
    """
    try:
        return ask()
    except (OSError, StorageError):
        raise
    except Exception as error:
        return unforeseen(name, error)


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
    if not price or exchange_price is None:
        return None
    return 100 * (exchange_price - price) / price


def _run(told: Health) -> Check:
    check, run = run_for_operator(told), told.last_run
    if check.status is CheckStatus.WARNING and run and run.exit_code:
        # One run that failed is the alert of its unit, and nothing tells how the next one goes.
        return UNKNOWN
    return check


def _price(told: Health) -> Check:
    row = told.stored.window if told.stored else None
    if row is None:
        return UNKNOWN
    if row.facts.price is None or not row.facts.is_valid:
        return told.checks["price"]
    return WELL


def _divergence(stored: Stored | None, settings: Settings, state: AlertState) -> Check:
    row = stored.window if stored else None
    if row is None or not row.facts.is_valid:
        return UNKNOWN
    difference = _difference(row.facts.price, row.exchange.price)
    if difference is None:
        return UNKNOWN
    limit = settings.divergence * (_STRICTER if "divergence" in state.alerts else 1)
    if abs(difference) < limit:
        return WELL
    return Check(
        CheckStatus.WARNING,
        f"the price of block {row.height} and the exchange price diverge by {difference:+.2f} %: "
        f"${row.facts.price:,.2f} in the chain, ${row.exchange.price:,.2f} at the exchange; "
        "compare with another exchange, since one of the two is off",
    )


def _sources(told: Health, alerts: Mapping[str, Alert], context: Context) -> Iterable[Condition]:
    """Yield a condition for each source, and for each that is none any more."""
    run = told.last_run
    if run is None or not run.sources:
        return
    names = {f"{SOURCE}{printable(str(row['name']))}": row for row in run.sources}
    gone = [name for name in alerts if name.startswith(SOURCE) and name not in names]
    for name, row in names.items():
        alone = replace(run, sources=[row])
        yield guarded(name, "source", partial(sources_in, alone), context)
    for name in gone:
        yield Condition(name, "source", WELL)


def _room(settings: Settings, state: AlertState) -> Check:
    if "disk" in state.alerts:
        settings = replace(settings, min_free=settings.min_free / _STRICTER)
    return disk.free(settings)


def _units(
    settings: Settings, alerts: Iterable[Alert], found: Iterable[Condition]
) -> list[Condition]:
    """Return whether the units still fail whose failures are open alerts."""
    can_read = all(one.is_over for one in found if one.name == "storage")
    return [
        guarded(one.condition, one.component, partial(_unit, one, settings, can_read=can_read))
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
    return WELL if is_well else UNKNOWN
