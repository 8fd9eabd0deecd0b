"""Addresses of servers, and how to show them without user names and passwords."""

import re

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:/{0,2}|//", re.IGNORECASE)


def split_user(address: str) -> tuple[str, str]:
    """Return the `user:password` of an address and the address without it.

    All up to the last @ counts: a password with an unescaped / or @ is still a password.
    """
    head, _, place = address.rpartition("@")
    scheme = _SCHEME.match(head)
    start = scheme.end() if scheme else 0
    return head[start:], head[:start] + place
