"""Typed parameters of a query: each is checked whole, and what is refused says what would do."""

import re
from collections.abc import Collection
from datetime import UTC, datetime

from falcon import HTTPBadRequest, Request

_WHOLE = re.compile(r"[0-9]{1,15}", re.ASCII)
_TIME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:[T ](?P<time>\d\d:\d\d(?::\d\d)?)(?P<zone>Z|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)
_LATEST = 2**32
"""Seconds since 1970: the last moment that a block can be stamped with."""

_SHOWN = 40


def only(request: Request, names: Collection[str]) -> None:
    """Refuse a query with parameters that the place doesn't have: mostly they are misspelt.

    Raises:
        HTTPBadRequest: There are some, or one is given twice.
    """
    for name, value in request.params.items():
        if name not in names:
            known = ", ".join(names) or "none"
            raise refusal(f"there is no parameter {_shown(name)} here; there are: {known}")
        if isinstance(value, list):
            raise refusal(f"{name} is given more than once")


def whole(request: Request, name: str, least: int, most: int) -> int | None:
    """Return a whole number from `least` to `most`, None when it is not given.

    Raises:
        HTTPBadRequest: It is something else.
    """
    text = request.params.get(name)
    if text is None:
        return None
    if not isinstance(text, str) or not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
        raise refusal(f"{name} must be a whole number from {least} to {most}, not {_shown(text)}")
    return int(text)


def choice(request: Request, name: str, choices: Collection[str]) -> str | None:
    """Return one of `choices`, None when it is not given.

    Raises:
        HTTPBadRequest: It is something else.
    """
    text = request.params.get(name)
    if text is None:
        return None
    if not isinstance(text, str) or text not in choices:
        raise refusal(f"{name} must be one of {', '.join(choices)}, not {_shown(text)}")
    return text


def moment(request: Request, name: str) -> int | None:
    """Return a moment in seconds since 1970 UTC, None when it is not given.

    It may be written as such seconds, as a day, or as RFC 3339 has it; UTC where no zone is said.

    Raises:
        HTTPBadRequest: It is something else.
    """
    text = request.params.get(name)
    if text is None:
        return None
    if isinstance(text, str):
        seconds = int(text) if _WHOLE.fullmatch(text) else _read_time(text)
        if seconds is not None and 0 <= seconds <= _LATEST:
            return seconds
    raise refusal(
        f"{name} must be a moment from 1970 to 2106, such as 2026-01-31, 2026-01-31T12:00:00Z or "
        f"1769860800, not {_shown(text)}"
    )


def refusal(detail: str) -> HTTPBadRequest:
    """Return the error for a query that can't be answered."""
    return HTTPBadRequest(description=detail)


def _read_time(text: str) -> int | None:
    # A plus sign of the zone that wasn't escaped has become a space on its way.
    match = _TIME.fullmatch(re.sub(r" (?=\d\d:\d\d$)(?<=:\d\d )", "+", text))
    if not match:
        return None
    zone = match["zone"] or "Z"
    try:
        read = datetime.fromisoformat(f"{match['day']}T{match['time'] or '00:00'}{zone}")
        return int(read.astimezone(UTC).timestamp())
    except (ValueError, OverflowError):
        return None


def _shown(text: object) -> str:
    shown = str(text)
    return repr(shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "...")
