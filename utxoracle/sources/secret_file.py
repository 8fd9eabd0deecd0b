"""Files that hold a secret: a token, a key, or a URL that is one itself."""

from pathlib import Path

from utxoracle.errors import UsageError

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
