"""What a source checks of every answer before it passes one on."""

import re
from collections.abc import Callable

from utxoracle.bitcoin.header import HEADER_SIZE, parse_header
from utxoracle.errors import BlockCorrupt, SourceError

_HASH = re.compile(r"[0-9a-f]{64}")
_OTHER_SOURCE = "look after that server, or use another source"
WRONG_ADDRESS = "is this the right address?"
"""What to ask the owner when a server answers, but not as the one that was meant."""


def checked_hash(value: object, source: str) -> str:
    """Return `value`, which `source` gave as a block hash.

    Raises:
        SourceError: It isn't 64 lower-case hex digits.
    """
    if isinstance(value, str) and _HASH.fullmatch(value):
        return value
    raise SourceError(f"{source} gave {value!r:.80} where a block hash belongs; {WRONG_ADDRESS}")


def checked_height(value: object, source: str) -> int:
    """Return `value`, which `source` gave as a block height.

    Raises:
        SourceError: It isn't a whole number from 0 on.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise SourceError(f"{source} gave {value!r:.80} where a block height belongs; {WRONG_ADDRESS}")


def checked_hex(value: object, source: str) -> bytes:
    """Return the bytes of the hex digits `value` that `source` gave.

    Raises:
        SourceError: It isn't hex digits.
    """
    try:
        return bytes.fromhex(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise SourceError(
            f"{source} gave {value!r:.80} where hex digits belong; {WRONG_ADDRESS}"
        ) from None


def checked_header(raw: bytes, block_hash: str, source: str) -> bytes:
    """Return `raw`, which `source` gave as the header of the block `block_hash`.

    Raises:
        BlockCorrupt: It hasn't 80 bytes, or hashes to something else.
    """
    if len(raw) != HEADER_SIZE:
        raise BlockCorrupt(
            f"{source} gave {len(raw):,} bytes as the header of block {block_hash}, "
            f"which has {HEADER_SIZE}: {_OTHER_SOURCE}"
        )
    found = parse_header(raw).hash
    if found != block_hash:
        raise BlockCorrupt(
            f"{source} gave a header for block {block_hash} that hashes to {found}: {_OTHER_SOURCE}"
        )
    return raw


def asked_twice(ask: Callable[[], bytes]) -> bytes:
    """Return what `ask` gives; it is called once more where that is corrupt, as by a flipped bit.

    Raises:
        BlockCorrupt: It is corrupt again.
    """
    try:
        return ask()
    except BlockCorrupt:
        return ask()


def printable(text: str) -> str:
    """Return `text` as one line without characters that can't be shown."""
    return "".join(one for one in " ".join(text.split()) if one.isprintable())
