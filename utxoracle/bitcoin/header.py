"""The 80 bytes in front of a block."""

from dataclasses import dataclass

from utxoracle.bitcoin.encoding import double_sha256, hash_to_hex
from utxoracle.bitcoin.network import Network
from utxoracle.errors import BlockCorrupt

HEADER_SIZE = 80


@dataclass(frozen=True)
class BlockHeader:
    """A parsed block header.

    Attributes:
        hash: The block's hash, 64 hex digits as people see it.
        prev_hash: Hash of the block before, likewise.
        merkle_root: 32 bytes in internal order.
        time: The miner's time stamp, seconds since 1970 UTC; not monotone along a chain.
        bits: The claimed target in compact form.
    """

    hash: str
    prev_hash: str
    merkle_root: bytes
    time: int
    bits: int


def parse_header(raw: bytes) -> BlockHeader:
    """Return the header that `raw` (80 bytes, or a block that begins with them) holds.

    Raises:
        BlockCorrupt: There are fewer than 80 bytes.
    """
    if len(raw) < HEADER_SIZE:
        raise BlockCorrupt(f"a block header has {HEADER_SIZE} bytes, these are only {len(raw)}")
    return BlockHeader(
        hash=hash_to_hex(double_sha256(raw[:HEADER_SIZE])),
        prev_hash=hash_to_hex(raw[4:36]),
        merkle_root=raw[36:68],
        time=int.from_bytes(raw[68:72], "little"),
        bits=int.from_bytes(raw[72:76], "little"),
    )


def target_of(bits: int) -> int:
    """Return the target that a compact form stands for (Bitcoin Core, arith_uint256 SetCompact).

    A negative or overflowing form is no target and gives 0, which no hash can meet.
    """
    exponent, mantissa = bits >> 24, bits & 0x007FFFFF
    target = mantissa >> 8 * (3 - exponent) if exponent <= 3 else mantissa << 8 * (exponent - 3)
    negative = bool(bits & 0x00800000)
    return 0 if negative or target >> 256 else target


def verify_proof_of_work(header: BlockHeader, network: Network) -> None:
    """Check that the header's hash meets its own target, and that the target is allowed.

    Raises:
        BlockCorrupt: The target is easier than the network's limit, or the hash misses it.
    """
    target = target_of(header.bits)
    if target > target_of(network.pow_limit_bits):
        raise BlockCorrupt(
            f"its target {header.bits:#010x} is easier than {network.name} allows "
            f"({network.pow_limit_bits:#010x}); is this a block of another network "
            "(UTXORACLE_NETWORK)?"
        )
    if int(header.hash, 16) > target:
        raise BlockCorrupt(f"its hash misses its own target {header.bits:#010x}: no proof of work")
