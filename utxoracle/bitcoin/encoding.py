"""The few encodings that every part of a block shares."""

from hashlib import sha256

NULL_HASH = bytes(32)


def double_sha256(data: bytes) -> bytes:
    """Return SHA-256 of SHA-256 of `data`: 32 bytes in internal order."""
    return sha256(sha256(data).digest()).digest()


def hash_to_hex(internal: bytes) -> str:
    """Return a 32-byte hash as the 64 hex digits people see (byte order reversed)."""
    return internal[::-1].hex()


def hex_to_hash(text: str) -> bytes:
    """Return the 32 bytes in internal order of a hash shown as 64 hex digits.

    Raises:
        ValueError: `text` isn't 64 hex digits.
    """
    if len(text) != 64:
        raise ValueError(f"a hash has 64 hex digits, not {len(text)}")
    return bytes.fromhex(text)[::-1]


def compact_size(value: int) -> bytes:
    """Return `value` as Bitcoin's variable-length integer, in its shortest form."""
    if value < 0xFD:
        return value.to_bytes(1, "little")
    if value <= 0xFFFF:
        return b"\xfd" + value.to_bytes(2, "little")
    if value <= 0xFFFFFFFF:
        return b"\xfe" + value.to_bytes(4, "little")
    return b"\xff" + value.to_bytes(8, "little")


def height_push(height: int) -> bytes:
    """Return the script bytes with which BIP34 makes a coinbase begin at `height`.

    Heights 1-16 are the single opcodes OP_1 to OP_16 and height 0 is OP_0, as Bitcoin Core's
    `CScript() << height` writes them; all others are a length byte and a little-endian number
    that keeps its top bit free for the sign.
    """
    if height == 0:
        return b"\x00"
    if height <= 16:
        return bytes([0x50 + height])
    number = height.to_bytes(height.bit_length() // 8 + 1, "little")
    return bytes([len(number)]) + number
