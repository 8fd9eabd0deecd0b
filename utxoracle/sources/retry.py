"""When a request is made again, and after which pause."""

import random
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

PASSING_STATUSES = frozenset({429, 502, 503, 504})
"""What a server answers while it is too busy or starts, or a proxy before it while it is away."""

SLOW_ANSWER = 10.0
"""Seconds from which on an answer of trouble is a time-out behind the server: a mempool back end
waits 60 for a node that hangs, as does a proxy for what it stands before. To ask for it again
would only multiply the wait."""

_FIRST_PAUSE = 0.5
_DOUBLINGS = 5
_JITTER = (0.5, 1.5)
_LONGEST_ASKED_FOR = 30.0


def pause(seconds: float) -> None:
    """Wait; all pauses between attempts are made here."""
    time.sleep(seconds)


def backoff(attempt: int) -> float:
    """Return the seconds to wait after attempt number `attempt`, from 1, has failed.

    About 0.5, 1, 2, 4, ... 16, each times 0.5 to 1.5, so that clients that failed together don't
    come back together.
    """
    return _doubled_pause(attempt) * random.uniform(*_JITTER)


def longest_backoff(attempt: int) -> float:
    """Return the most seconds that `backoff` gives."""
    return _doubled_pause(attempt) * max(_JITTER)


def pause_after_answer(attempt: int, retry_after: str) -> float | None:
    """Return the seconds to wait after an answer of passing trouble to attempt number `attempt`.

    Args:
        attempt: From 1.
        retry_after: What the server sent by that name, seconds or a date of HTTP; it counts
            instead of the back-off when it's usable.

    Returns:
        None if the server wants to be left alone for longer than is worth waiting.
    """
    asked_for = _seconds_of(retry_after)
    if asked_for is None:
        return backoff(attempt)
    return asked_for if asked_for <= _LONGEST_ASKED_FOR else None


def _doubled_pause(attempt: int) -> float:
    return _FIRST_PAUSE * 2.0 ** min(attempt - 1, _DOUBLINGS)


def _seconds_of(retry_after: str) -> float | None:
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
