"""Block 0 of regtest, from its known facts (Bitcoin Core, chainparams)."""

from utxoracle.bitcoin.encoding import NULL_HASH, double_sha256
from utxoracle.bitcoin.network import REGTEST
from utxoracle.bitcoin.walk import NULL_OUTPOINT
from utxoracle.simulation.payments import COIN

GENESIS_TIME = 1_296_688_602
GENESIS_NONCE = 2
HEADLINE = b"The Times 03/Jan/2009 Chancellor on brink of second bailout for banks"
PUBLIC_KEY = bytes.fromhex(
    "04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb6"
    "49f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f"
)


def genesis_block() -> bytes:
    """Return regtest's block 0: 285 bytes."""
    # 0x1d00ffff and 4 are pushed because mainnet's first block pushed its target so.
    script = bytes.fromhex("04ffff001d0104") + bytes([len(HEADLINE)]) + HEADLINE
    output_script = bytes([len(PUBLIC_KEY)]) + PUBLIC_KEY + b"\xac"
    coinbase = (
        b"\x01\x00\x00\x00\x01"
        + NULL_OUTPOINT
        + bytes([len(script)])
        + script
        + b"\xff\xff\xff\xff\x01"
        + (50 * COIN).to_bytes(8, "little")
        + bytes([len(output_script)])
        + output_script
        + bytes(4)
    )
    header = (
        b"\x01\x00\x00\x00"
        + NULL_HASH
        + double_sha256(coinbase)
        + GENESIS_TIME.to_bytes(4, "little")
        + REGTEST.pow_limit_bits.to_bytes(4, "little")
        + GENESIS_NONCE.to_bytes(4, "little")
    )
    return header + b"\x01" + coinbase
