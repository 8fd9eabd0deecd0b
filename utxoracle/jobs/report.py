"""What a run has found and done, as one line."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from utxoracle.settings import Settings
from utxoracle.sources.preference import MOST_BEHIND, SourceState, State

if TYPE_CHECKING:
    from utxoracle.jobs.catch_up import Growth
    from utxoracle.store.rows import DayRow, WindowRow


STALLED = "stalled"
"""What a chain is whose newest block is older than `stall_minutes`."""


@dataclass(frozen=True)
class Tip:
    """The newest block of a source: its height, hash and time (seconds since 1970 UTC)."""

    height: int
    hash: str
    time: int


@dataclass(frozen=True)
class Report:
    """What a run has found and done.

    Attributes:
        source: Name of the source that was used last.
        sources: How each source was found.
        tip: The newest block of the one that was used.
        caught_up: Whether everything up to there is stored.
        growth: What was added; None when it was enough to ask for the tip.
        revision: The database's.
        dry_run: Whether nothing was written.
    """

    source: str
    tip: Tip
    caught_up: bool
    growth: "Growth | None"
    revision: int
    dry_run: bool
    sources: tuple[SourceState, ...] = ()

    def of(self, sources: Iterable[SourceState]) -> "Report":
        """Return this report with how each source was found."""

        def told(one: SourceState) -> SourceState:
            if one.name != self.source:
                return one
            state = State.BEHIND if self._behind > MOST_BEHIND else one.state
            return replace(one, state=state, height=self.tip.height)

        return replace(self, sources=tuple(map(told, sources)))

    def state(self, settings: Settings) -> str:
        """Return how the chain is.

        `ok`, STALLED, `forked` where a source that is about as far has other blocks, or `behind`
        where the source that was used ends more than MOST_BEHIND blocks below what is stored.
        """
        if any(one.state == State.FORKED for one in self.sources):
            return State.FORKED
        if self._behind > MOST_BEHIND:
            return State.BEHIND
        return STALLED if self._is_stalled(settings) else State.OK

    @property
    def message(self) -> str:
        """One line for people."""
        growth = self.growth
        if growth is None or growth.last_height is None:
            return self._nothing_new
        blocks = f"block {growth.last_height}"
        if growth.blocks > 1:
            blocks = f"{growth.blocks:,} blocks ({growth.first_height} to {growth.last_height})"
        stored = [blocks]
        if growth.windows:
            stored.append(counted(growth.windows, "window price"))
        if growth.days:
            stored.append(counted(len(growth.days), "daily price"))
        parts = [f"{'would store' if self.dry_run else 'stored'} {', '.join(stored)}"]
        if growth.stale:
            parts.append(f"the chain was reorganised: {counted(growth.stale, 'stale block')} gone")
        parts += [f"{day.date} {_price(day)}" for day in growth.days[-1:]]
        if growth.latest:
            parts.append(f"block {growth.latest.height} {_price(growth.latest)}")
        if growth.behind:
            parts.append(self._lag)
        elif not self.caught_up:
            left = self.tip.height - growth.last_height
            parts.append(f"{counted(left, 'block')} left for the next run")
        return "; ".join(parts)

    def warnings(self, settings: Settings) -> list[str]:
        """Return what deserves a look though the run was good, one line each."""
        found = []
        if self.growth and self.growth.invalid:
            found.append(
                f"{counted(self.growth.invalid, 'price')} stored as not valid, the last because: "
                f"{self.growth.invalid_reason}"
            )
        if self._behind > MOST_BEHIND:
            found.append(f"{self._lag}: has it stopped?")
        if self._is_stalled(settings):
            found.append(
                f"the chain of {self.source} stalls: its newest block {self.tip.height} is "
                f"{duration(time.time() - self.tip.time)} old"
            )
        return found

    @property
    def _behind(self) -> int:
        """Number of stored blocks that the source doesn't have."""
        return self.growth.behind if self.growth else 0

    def _is_stalled(self, settings: Settings) -> bool:
        return not self._behind and time.time() - self.tip.time > settings.stall_minutes * 60

    @property
    def _lag(self) -> str:
        return (
            f"{self.source} ends at block {self.tip.height}, {counted(self._behind, 'block')} "
            "behind what is stored"
        )

    @property
    def _nothing_new(self) -> str:
        if self._behind:
            return f"nothing new: {self._lag}"
        return f"nothing new: block {self.tip.height} is the newest of {self.source}"


def duration(seconds: float) -> str:
    """Return a length of time as people say it."""
    minutes = seconds / 60
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 48 * 60 else f"{minutes / 1440:,.0f} days"


def size(count: int) -> str:
    """Return a number of bytes as people say it."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count} bytes"


def _price(row: "WindowRow | DayRow") -> str:
    facts = row.facts
    shown = "no price" if facts.price is None else f"${facts.price:,.2f}"
    if row.exchange.price is not None:
        shown += f" (exchange ${row.exchange.price:,.0f})"
    return shown if facts.is_valid else f"{shown}, not valid: {facts.invalid_reason}"


def counted(number: int, noun: str) -> str:
    """Return a number of things as people say it."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
