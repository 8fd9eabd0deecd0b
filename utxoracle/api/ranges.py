"""Ranges of time in a query: so many days up to now, or from one moment to another."""

from dataclasses import dataclass

from falcon import Request

from utxoracle.api.parameters import moment, refusal, whole
from utxoracle.sources.days import DAY

RANGE = ("days", "from", "to")
"""Names of the parameters."""

MOST_DAYS = 36_500

KEPT_SECONDS = 600
"""Days that are counted from now begin at a multiple of this, so that answers can be kept."""

_END_OF_TIME = 2**32
"""No block can be stamped with it, or with what is behind it."""


@dataclass(frozen=True)
class TimeRange:
    """A range of time, in seconds since 1970 UTC.

    Attributes:
        start: Its first moment; None for a range without a beginning.
        stop: The first moment behind it; None for a range without an end.
        days: Its length as it was asked for; None where it has no beginning or no end.
    """

    start: int | None
    stop: int | None
    days: float | None

    @property
    def bounds(self) -> tuple[int, int]:
        """Two moments between which, the second one excluded, all of it lies."""
        return (
            0 if self.start is None else self.start,
            _END_OF_TIME if self.stop is None else self.stop,
        )


def time_range(request: Request, now: float, *, days: int, step: int = KEPT_SECONDS) -> TimeRange:
    """Return the range that a query asks for: `days` of them, or `from` and `to`.

    Args:
        request: What is asked.
        now: The moment up to which days are counted.
        days: How many they are when nothing is asked for.
        step: Seconds; the beginning of days is rounded down to a multiple.

    Raises:
        HTTPBadRequest: A parameter is malformed, or they don't go together.
    """
    asked = whole(request, "days", 1, MOST_DAYS)
    start, stop = moment(request, "from"), moment(request, "to")
    if start is None and stop is None:
        days = asked or days
        return TimeRange(int(now - days * DAY) // step * step, None, days)
    if asked is not None:
        raise refusal("give either days, or from and to")
    if start is None or stop is None:
        return TimeRange(start, stop, None)
    if start >= stop:
        raise refusal("from must be a moment before to")
    length = (stop - start) / DAY
    return TimeRange(start, stop, int(length) if length.is_integer() else length)
