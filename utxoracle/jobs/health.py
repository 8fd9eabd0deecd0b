"""How things are: fresh, in some trouble, or not to be relied upon; and why."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from utxoracle.errors import DataError, StorageError
from utxoracle.jobs.finished_days import finished_days, first_day_start
from utxoracle.jobs.report import duration
from utxoracle.jobs.status import chain_state
from utxoracle.settings import Settings
from utxoracle.sources.days import CONFIRMATIONS
from utxoracle.sources.preference import State
from utxoracle.store.last_run import LastRun

if TYPE_CHECKING:
    from utxoracle.store.queries import Reader
    from utxoracle.store.rows import BlockRow, DayRow, WindowRow

DAYS = 7
"""Finished days that are looked at for missing prices."""

_BLOCKS_OF_DAYS = 1500
"""Blocks that the days looked at fit into, with what shows where they begin and end."""

MOST_AHEAD = 7200
"""Seconds that a block may be stamped ahead of the clocks of the nodes that take it."""

_CLOCK_STEP = 60
"""Seconds that a clock may be set back without a word about it."""

NO_SNAPSHOT = "not known without a snapshot"

_LASTING = (DataError.exit_code, StorageError.exit_code)
"""Exit codes of failures that mostly stay until somebody does something about them."""

_ADVICE = {
    State.BEHIND: "has it stopped?",
    State.FORKED: "it follows another chain than the source in use; which one stays will show",
    State.SYNCING: "wait until its node has caught up",
    State.UNREACHABLE: "see that it runs and that this machine reaches it",
    State.INCOMPLETE: "it lacks a block, or its chain keeps changing: see its log",
    State.REFUSED: "what it gave can't be right: check it, or use another source",
}
"""What to say of a source that is not well."""


class CheckStatus(StrEnum):
    """What a check has found; UNKNOWN where nothing tells."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    UNKNOWN = "unknown"


class HealthStatus(StrEnum):
    """What all checks come to: UNHEALTHY with an error, DEGRADED with a warning."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True)
class Check:
    """What was found of one thing, with one line that says so, and what to do where that helps."""

    status: CheckStatus
    detail: str


Guard = Callable[[str, Callable[[], Check]], Check]
"""Makes a check of some name."""


@dataclass(frozen=True)
class Stored:
    """What a snapshot tells of how things are.

    Attributes:
        network: The network that is followed.
        revision: The snapshot's.
        top: The newest block.
        window: The newest window price.
        day: The newest daily price.
        missing_days: Those of the last DAYS finished days, as far as their blocks are stored, that
            have no price; ascending.
    """

    network: str
    revision: int
    top: "BlockRow | None"
    window: "WindowRow | None"
    day: "DayRow | None"
    missing_days: tuple[date, ...]


@dataclass(frozen=True)
class Health:
    """How things are, and what that was told from.

    Attributes:
        now: When this was found out, seconds since 1970 UTC.
        stored: What the snapshot tells; None where there is none that can be read.
        last_run: How the last run went; None where that isn't known.
        chain_state: How the chain or its sources are (see `jobs.status.chain_state`).
        checks: What was found, by the name of what was looked at: snapshot, run, chain, sources,
            price and days.
    """

    now: float
    stored: Stored | None
    last_run: LastRun | None
    chain_state: str | None
    checks: Mapping[str, Check]

    @property
    def status(self) -> HealthStatus:
        """What the checks come to."""
        found = {check.status for check in self.checks.values()}
        if CheckStatus.ERROR in found:
            return HealthStatus.UNHEALTHY
        return HealthStatus.DEGRADED if CheckStatus.WARNING in found else HealthStatus.HEALTHY

    @property
    def reasons(self) -> list[str]:
        """What is not well, one line each; what makes it unhealthy comes first."""
        return [
            check.detail
            for status in (CheckStatus.ERROR, CheckStatus.WARNING)
            for check in self.checks.values()
            if check.status is status
        ]


def run_for_operator(told: Health) -> Check:
    """Return how the last run went, where a failure that mostly stays is one at once.

    Health itself counts the time without a good run: what is served is as fresh as that.
    """
    check, run = told.checks["run"], told.last_run
    if check.status is CheckStatus.WARNING and run and run.exit_code in _LASTING:
        return replace(check, status=CheckStatus.ERROR)
    return check


def read_stored(reader: "Reader") -> Stored:
    """Return what a snapshot tells, at a cost that doesn't grow with the history.

    Raises:
        StorageError: It can't be read.
    """
    top = reader.top()
    return Stored(
        network=reader.network,
        revision=reader.revision,
        top=top,
        window=reader.latest_window(),
        day=reader.latest_day(),
        missing_days=_missing_days(reader, top) if top else (),
    )


def _unguarded(_: str, ask: Callable[[], Check]) -> Check:
    return ask()


def health(
    stored: Stored | None,
    trouble: str | None,
    last_run: LastRun | None,
    settings: Settings,
    now: float,
    *,
    guard: Guard = _unguarded,
) -> Health:
    """Return how things are.

    Args:
        stored: What the snapshot tells; None where there is none that can be read.
        trouble: Why there is none, or why an older one is in use than is published.
        last_run: How the last run went; None where that isn't known.
        settings: What counts as stalled, and when a run is overdue.
        now: Seconds since 1970 UTC.
        guard: Makes each check, for whoever doesn't want one that breaks to take all others along.
    """
    unknown = Check(CheckStatus.UNKNOWN, NO_SNAPSHOT)
    asks: dict[str, Callable[[], Check]] = {
        "snapshot": lambda: _snapshot(stored, trouble),
        "run": lambda: _run(last_run, settings, now),
        "chain": lambda: _chain(stored.top, last_run, settings, now) if stored else unknown,
        "sources": lambda: sources_in(last_run),
        "price": lambda: _price(stored.window) if stored else unknown,
        "days": lambda: _days(stored.missing_days) if stored else unknown,
    }
    checks = {name: guard(name, ask) for name, ask in asks.items()}
    return Health(
        now=now,
        stored=stored,
        last_run=last_run,
        chain_state=chain_state(stored.top if stored else None, last_run, settings, now),
        checks=checks,
    )


def _snapshot(stored: Stored | None, trouble: str | None) -> Check:
    if stored is None:
        return Check(CheckStatus.ERROR, trouble or "there is no snapshot: run utxoracle analyze")
    if trouble:
        return Check(CheckStatus.WARNING, f"an older snapshot is in use, since {trouble}")
    return Check(CheckStatus.OK, f"revision {stored.revision}")


def _run(run: LastRun | None, settings: Settings, now: float) -> Check:
    if run is None:
        return Check(
            CheckStatus.ERROR,
            "no run is known: last_run.json is not there, or can't be read; run utxoracle analyze",
        )
    failure = f"failed with exit code {run.exit_code}: {run.message}" if run.exit_code else ""
    if run.succeeded is None:
        return Check(CheckStatus.ERROR, f"no run has gone well yet; the last one {failure}")
    age = now - run.succeeded
    if age < -_CLOCK_STEP:
        # Whoever trusts such a time would call runs good until then, whatever becomes of them.
        return Check(
            CheckStatus.ERROR if failure else CheckStatus.WARNING,
            f"the last good run ended {duration(-age)} from now: check the clock of this machine"
            + (f"; the last run {failure}" if failure else ""),
        )
    if age > settings.run_minutes * 60:
        return Check(
            CheckStatus.ERROR,
            f"no run has gone well for {duration(age)}: "
            + (
                f"the last one, {duration(now - run.finished)} ago, {failure}"
                if failure
                else "see that utxoracle analyze is started every ten minutes"
            ),
        )
    if failure:
        return Check(
            CheckStatus.WARNING,
            f"the last run {failure}; the last good one ended {duration(age)} ago",
        )
    return Check(CheckStatus.OK, f"the last one ended {duration(max(0.0, age))} ago: {run.message}")


def _chain(top: "BlockRow | None", run: LastRun | None, settings: Settings, now: float) -> Check:
    if top is None:
        return Check(CheckStatus.ERROR, "no block is stored yet: run utxoracle analyze")
    age = now - top.time
    newest = f"the newest stored block {top.height}"
    if age > settings.stall_minutes * 60:
        missing = ((run and run.tip_height) or 0) - top.height
        return Check(
            CheckStatus.ERROR,
            f"{newest} is {duration(age)} old: "
            + (
                f"runs are catching up, {missing:,} blocks of the source are not stored yet"
                if missing > 0
                else "the chain stalls; see that the node is up and has peers"
            ),
        )
    if age < -MOST_AHEAD:
        return Check(
            CheckStatus.WARNING,
            f"{newest} is stamped {duration(-age)} from now: check the clock of this machine",
        )
    return Check(CheckStatus.OK, f"{newest} is {duration(max(0.0, age))} old")


def sources_in(run: LastRun | None) -> Check:
    """Return how the sources of a run are."""
    if run is None or not run.sources:
        return Check(CheckStatus.UNKNOWN, "no run has told how the sources are")
    states = [(str(one["name"]), one["state"]) for one in run.sources]
    found = [
        f"source {name} is {state}" + (f": {_ADVICE[State(state)]}" if state in _ADVICE else "")
        for name, state in states
        if state not in (State.OK, State.UNASKED)
    ]
    if found:
        return Check(CheckStatus.WARNING, "; ".join(found))
    return Check(CheckStatus.OK, ", ".join(f"{name} {state}" for name, state in states))


def _price(row: "WindowRow | None") -> Check:
    if row is None:
        return Check(
            CheckStatus.ERROR, "there is no price yet: the first comes with the 145th stored block"
        )
    facts, exchange = row.facts, row.exchange
    of_block = f"the price of block {row.height}"
    if facts.price is None or not facts.is_valid:
        return Check(CheckStatus.WARNING, f"{of_block} is not valid: {facts.invalid_reason}")
    if exchange.price is None:
        return Check(CheckStatus.OK, f"{of_block} is valid; no exchange price: {exchange.reason}")
    gap = 100 * (exchange.price - facts.price) / facts.price
    if row.diverges:
        return Check(
            CheckStatus.WARNING, f"{of_block} and the exchange price diverge by {gap:+.2f} %"
        )
    return Check(CheckStatus.OK, f"{of_block} is valid; the exchange price differs by {gap:+.2f} %")


def _days(missing: Iterable[date]) -> Check:
    if shown := ", ".join(map(str, missing)):
        return Check(
            CheckStatus.WARNING,
            f"there is no price of {shown}, though the blocks are stored: see the log of "
            "utxoracle analyze",
        )
    return Check(CheckStatus.OK, "no finished day lacks its price")


def _missing_days(reader: "Reader", top: "BlockRow") -> tuple[date, ...]:
    sixth = reader.block(top.height - CONFIRMATIONS)
    if sixth is None:
        return ()
    last = datetime.fromtimestamp(sixth.time, UTC).date() - timedelta(days=1)
    first = last - timedelta(days=DAYS - 1)
    priced = {row.date for row in reader.days(first, last)}
    if len(priced) == DAYS:
        return ()
    # Only now it matters which of them are finished, have blocks, and are stored as a whole.
    stored = reader.block_times(top.height - _BLOCKS_OF_DAYS + 1, top.height)
    first_height, times = stored[0][0], [time for _, time in stored]
    start = first_day_start(first_height, times)
    if start is None:
        return ()
    finished = finished_days(start, times[start - first_height :])
    return tuple(day.date for day in finished if day.date >= first and day.date not in priced)
