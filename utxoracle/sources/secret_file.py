"""Files that hold a secret: a token, a key, or a URL that is one itself."""

import string
from pathlib import Path

from utxoracle.errors import UsageError

SHORTEST_TOKEN = 16
LONGEST_TOKEN = 1024
"""Characters: a header of some more than 8,000 is refused by the server."""

_CHARACTERS = frozenset(string.ascii_letters + string.digits + string.punctuation)

_LONGEST = 4096
"""Bytes."""


def first_line(path: Path, variable: str) -> bytes:
    """Return the first line of a file with a secret, without the blanks round it.

    Args:
        path: The file.
        variable: The setting that names it, for messages.

    Raises:
        UsageError: It can't be read, or the line is empty or too long.
    """
    try:
        with path.open("rb") as file:
            line = file.readline(_LONGEST + 1)
    except OSError as error:
        raise UsageError(
            f"{path} ({variable}) can't be read: {error.strerror}; name a file that this user may "
            "read, or leave the setting out"
        ) from None
    if len(line) > _LONGEST:
        raise UsageError(
            f"{path} ({variable}) holds no such value: its first line is longer than {_LONGEST} "
            "bytes"
        )
    if not (line := line.strip()):
        raise UsageError(f"{path} ({variable}) is empty: its first line must hold the value")
    return line


def bearer_token(path: Path, variable: str) -> str:
    """Return the token that a file holds: its first line, without the blanks round it.

    Args:
        path: The file.
        variable: The setting that names it, for messages.

    Raises:
        UsageError: The file can't be read, or what it holds won't do as a token.
    """
    token = first_line(path, variable).decode("latin-1")
    if not SHORTEST_TOKEN <= len(token) <= LONGEST_TOKEN or not {*token} <= _CHARACTERS:
        # Not shown, since it may be a good one with a slip of the pen.
        raise UsageError(
            f"{path} ({variable}) holds no token: its first line must be {SHORTEST_TOKEN} to "
            f"{LONGEST_TOKEN} ASCII characters without a space; make one with: openssl rand -hex 32"
        )
    return token
