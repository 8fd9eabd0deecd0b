"""Moments as people and programs write them: a day, RFC 3339, or seconds since 1970."""

import re
from datetime import UTC, datetime

LATEST_MOMENT = 2**32
"""Seconds since 1970; blocks are stamped before it."""

MOMENT_RULE = "a moment from 1970 to 2106, such as 2026-01-31, 2026-01-31T12:00:00Z or 1769860800"

_SECONDS = re.compile(r"[0-9]{1,15}", re.ASCII)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(Z|[+-]\d\d:\d\d)?)?", re.ASCII)


def read_moment(text: str) -> int | None:
    """Return a moment in seconds since 1970 UTC, None where the text is no `MOMENT_RULE`.

    It is UTC where no zone is said.
    """
    seconds = int(text) if _SECONDS.fullmatch(text) else _read_time(text)
    return seconds if seconds is not None and 0 <= seconds <= LATEST_MOMENT else None


def _read_time(text: str) -> int | None:
    match = _TIME.fullmatch(text)
    if not match:
        return None
    day, time, zone = match.groups()
    try:
        read = datetime.fromisoformat(f"{day}T{time or '00:00'}{zone or 'Z'}")
        return int(read.astimezone(UTC).timestamp())
    except (ValueError, OverflowError):
        return None
