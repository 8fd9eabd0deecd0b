"""Which finished days a stored chain holds: their blocks, told by the times of verified blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from utxoracle.sources.days import CONFIRMATIONS, midnight


@dataclass(frozen=True)
class FinishedDay:
    """A UTC day that no later block can change.

    Attributes:
        date: The day.
        first: Height of its first block.
        stop: Height of the first block behind it.
    """

    date: date
    first: int
    stop: int

    @property
    def blocks(self) -> int:
        """Number of blocks, at least 1."""
        return self.stop - self.first


def finished_days(first: int, times: Sequence[int]) -> Iterator[FinishedDay]:
    """Yield the finished days of a chain, from the one that begins with block `first` on.

    The tiling rule of `sources.days.day_heights`, over times that need not be asked for: a day
    ends with the last block that is stamped before the next midnight, and is finished when six
    blocks have followed the first one behind it. A day without blocks is passed over. What is
    yielded doesn't depend on how many blocks are known: more only add days.

    Args:
        first: Height of a day's first block.
        times: Times of the blocks from `first` on, without gap, seconds since 1970 UTC.
    """
    at = 0
    while at < len(times):
        day = _day_of(min(times[at:]))
        end = midnight(day + timedelta(days=1))
        stop = 1 + max(index for index in range(at, len(times)) if times[index] < end)
        if len(times) <= stop + CONFIRMATIONS:
            return
        yield FinishedDay(day, first + at, first + stop)
        at = stop


def first_day_start(first_height: int, times: Sequence[int]) -> int | None:
    """Return the height at which the first day begins whose beginning a chain shows.

    A beginning is known when the block before it is. None as long as no day has begun, or not for
    certain: six blocks must follow its first one.

    Args:
        first_height: Height of the first block.
        times: Times of the blocks from there on, without gap, seconds since 1970 UTC.
    """
    if not times:
        return None
    start = midnight(_day_of(times[0]) + timedelta(days=1))
    first = 1 + max(index for index, time in enumerate(times) if time < start)
    return first_height + first if len(times) > first + CONFIRMATIONS else None


def _day_of(time: int) -> date:
    return datetime.fromtimestamp(time, UTC).date()
