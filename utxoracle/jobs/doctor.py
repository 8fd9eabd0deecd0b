"""The whole checklist: it changes nothing, waits for nothing long, and no check stops another."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from utxoracle.errors import DISK_FAILURES, UtxoracleError
from utxoracle.jobs.checks import (
    alerts,
    api,
    backups,
    clock,
    database,
    disk,
    permissions,
    services,
    snapshot,
    sources,
    versions,
)
from utxoracle.jobs.checks.unseen import raise_if_closed, unseen
from utxoracle.jobs.health import (
    NO_SNAPSHOT,
    Check,
    CheckStatus,
    Health,
    Stored,
    health,
    read_stored,
    run_for_operator,
)
from utxoracle.jobs.side_by_side import side_by_side
from utxoracle.settings import Settings, split_urls, variable_of
from utxoracle.sources.factory import redact
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import read_last_run
from utxoracle.store.queries import Reader
from utxoracle.store.snapshot import Snapshot

PATIENCE = 10.0
"""Seconds that all checks are waited for, and before them the snapshot and the sources."""

_Answer = TypeVar("_Answer")
_Checks = Mapping[str, Callable[[], Check]]


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    Attributes:
        group: What it belongs to.
        name: What was looked at.
        check: How that is.
    """

    group: str
    name: str
    check: Check


@dataclass(frozen=True)
class _Facts:
    """What several checks rest on.

    Attributes:
        settings: Those of this call.
        folder: The data folder.
        now: When this was begun, seconds since 1970 UTC.
        stored: What the snapshot tells, None where it can't be read.
        tips: What each source answered or raised, by its URL without credentials.
    """

    settings: Settings
    folder: DataFolder
    now: float
    stored: Stored | None
    tips: Mapping[str, sources.SourceTip | BaseException]


def doctor(settings: Settings) -> list[Finding]:
    """Return what all checks have found, in the order of the checklist.

    Raises:
        UsageError: The settings name no data folder.
    """
    facts = _gather(settings)
    checklist: dict[str, _Checks] = {
        "storage": _storage(facts),
        "database": _database(facts),
        "runs": _runs(facts),
        "sources": _sources(facts),
        "services": _services(facts),
        "machine": _machine(facts),
    }
    names = [(group, name) for group, checks in checklist.items() for name in checks]
    asks = [checklist[group][name] for group, name in names]
    return [
        Finding(group, name, _judged(found))
        for (group, name), found in zip(names, side_by_side(asks, PATIENCE), strict=True)
    ]


def _gather(settings: Settings) -> _Facts:
    folder = DataFolder(settings.data_folder())
    now = time.time()
    urls = split_urls(settings.source or "")
    (stored,) = side_by_side([partial(_read, folder, read_stored)], PATIENCE)
    tips = side_by_side([partial(sources.ask_tip, url, settings) for url in urls], PATIENCE)
    return _Facts(
        settings,
        folder,
        now,
        None if isinstance(stored, BaseException) else stored,
        dict(zip(map(redact, urls), tips, strict=True)),
    )


def _storage(facts: _Facts) -> _Checks:
    settings = facts.settings
    return {
        "disk": partial(disk.mount, settings),
        "free space": partial(_seen, facts.folder.database, partial(disk.free, settings)),
        "sizes": partial(disk.sizes, settings),
        "permissions": partial(permissions.stored, settings),
        "secrets": partial(permissions.secrets, settings),
    }


def _database(facts: _Facts) -> _Checks:
    folder = facts.folder

    def read(ask: Callable[[Reader], Check]) -> Check:
        # Why there is none stands in the line of the snapshot.
        return _read(folder, ask) if facts.stored else Check(CheckStatus.UNKNOWN, NO_SNAPSHOT)

    return {
        "database": partial(database.database, folder),
        "snapshot": partial(
            _seen, folder.snapshot, partial(snapshot.snapshot, folder, facts.settings)
        ),
        "publication": partial(database.published, folder),
        "heights": partial(read, snapshot.heights),
        "days": partial(read, snapshot.days),
        "backup": partial(backups.kept_backups, facts.settings, facts.now),
    }


def _runs(facts: _Facts) -> _Checks:
    def told() -> Health:
        last_run = read_last_run(facts.folder)
        return health(facts.stored, None, last_run, facts.settings, facts.now)

    return {
        "run": partial(_seen, facts.folder.last_run, lambda: run_for_operator(told())),
        "chain": lambda: told().checks["chain"],
        "price": lambda: told().checks["price"],
    }


def _sources(facts: _Facts) -> _Checks:
    top = facts.stored.top if facts.stored else None
    judged = sources.sources([*facts.tips.values()], top, facts.now)
    checks: dict[str, Callable[[], Check]] = {
        url: partial(_known, check) for url, check in zip(facts.tips, judged, strict=True)
    }
    if not checks:
        variable = variable_of("source")
        checks["source"] = partial(
            _known,
            Check(CheckStatus.UNKNOWN, f"no source is named: set {variable}, or --source"),
        )
    return checks | {"exchange": partial(sources.exchange, facts.settings, facts.now)}


def _services(facts: _Facts) -> _Checks:
    window = facts.stored.window if facts.stored else None
    return {
        "units": services.units,
        "containers": services.containers,
        "timers": services.timers,
        "api": partial(
            api.api,
            facts.settings,
            window.height if window else None,
            is_known=facts.stored is not None,
        ),
        "alerts": partial(alerts.alerts, facts.settings),
    }


def _machine(facts: _Facts) -> _Checks:
    times = [tip.time for tip in facts.tips.values() if isinstance(tip, sources.SourceTip)]
    if facts.stored and facts.stored.top:
        times.append(facts.stored.top.time)
    return {"clock": partial(clock.clock, times, facts.now), "versions": versions.versions}


def _known(check: Check) -> Check:
    return check


def _seen(path: Path, check: Callable[[], Check]) -> Check:
    """Return what a check finds that takes a file which may not be read for one that isn't there.

    Raises:
        OSError: It can't be read.
    """
    raise_if_closed(path)
    return check()


def _read(folder: DataFolder, ask: Callable[[Reader], _Answer]) -> _Answer:
    with closing(Snapshot(folder)) as published:
        return ask(published.reader())


def _judged(found: Check | BaseException) -> Check:
    """Return what is to be told of a check: one that could not be made is never a good one."""
    if isinstance(found, Check):
        return found
    if isinstance(found, UtxoracleError):
        return Check(CheckStatus.ERROR, str(found))
    if isinstance(found, TimeoutError):
        return Check(
            CheckStatus.UNKNOWN,
            f"it takes longer than {PATIENCE:g} s: see dmesg whether the disk hangs, or look again "
            "when the machine is less busy",
        )
    if isinstance(found, OSError) and found.filename:
        return unseen(Path(found.filename), found)
    if isinstance(found, OSError) and found.errno in DISK_FAILURES:
        return Check(CheckStatus.ERROR, f"a disk fails or is gone ({found.strerror}): see dmesg")
    # Nobody knows what the text of any other error repeats: it may be a secret.
    why = f"{type(found).__name__}: {found}" if isinstance(found, OSError) else type(found).__name__
    return Check(CheckStatus.UNKNOWN, f"it can't be checked ({why})")
