"""Typed parameters of a query: each is checked whole, and what is refused says what would do."""

import re
from collections.abc import Collection

from falcon import HTTPBadRequest, Request

from utxoracle.sources.moments import MOMENT_RULE, read_moment

_WHOLE = re.compile(r"[0-9]{1,15}", re.ASCII)
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
        # A plus sign of the zone that wasn't escaped has become a space on its way.
        seconds = read_moment(re.sub(r" (?=\d\d:\d\d$)(?<=:\d\d )", "+", text))
        if seconds is not None:
            return seconds
    raise refusal(f"{name} must be {MOMENT_RULE}, not {_shown(text)}")


def refusal(detail: str) -> HTTPBadRequest:
    """Return the error for a query that can't be answered."""
    return HTTPBadRequest(description=detail)


def _shown(text: object) -> str:
    shown = str(text)
    return repr(shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "...")
