"""Real mainnet blocks: each one verifies, and the modern ones keep what the table says."""

import csv
from hashlib import sha256
from pathlib import Path

import pytest

from tests.real_blocks import MISSING, RealBlock, real_blocks
from tests.reference.figures import FIRST_HEIGHT
from tests.reference.parse import parse_block
from utxoracle.bitcoin.network import MAIN
from utxoracle.bitcoin.scan import BlockScan, scan_block

BLOCKS = real_blocks()
MODERN = [block for block in BLOCKS if block.height >= FIRST_HEIGHT]
TABLE = Path(__file__).with_name("real_blocks.csv")

if not BLOCKS:
    pytest.skip(MISSING, allow_module_level=True)


def scan_of(block: RealBlock) -> BlockScan:
    raw = block.path.read_bytes()
    return scan_block(raw, expected_hash=block.hash, height=block.height, network=MAIN)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.path.stem)
def test_a_real_block_verifies_to_its_last_byte(block):
    scan = scan_of(block)
    assert scan.hash == block.hash
    assert scan.tx_count == block.tx_count
    assert scan.size == block.size == block.path.stat().st_size

    transactions = parse_block(block.path.read_bytes())
    assert [one.txid[:8] for one in transactions] == [
        txid.to_bytes(8, "little") for txid in scan.txids.tolist()
    ]
    assert sum(len(one.outputs) for one in transactions) == block.outputs


def test_the_table_has_every_modern_block():
    assert [row["hash"] for row in table_rows()] == [block.hash for block in MODERN]


def table_rows() -> list[dict[str, str]]:
    with TABLE.open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("block", MODERN, ids=lambda block: block.path.stem)
def test_the_filters_keep_of_a_modern_block_what_the_table_says(block):
    scan = scan_of(block)
    row = next(row for row in table_rows() if row["hash"] == block.hash)
    kept = scan.values[(scan.values > 1000) & (scan.values < 10**13)]
    lines = "".join(
        f"{position} {one} {other}\n"
        for position, (one, other) in zip(
            scan.candidates.tolist(), scan.values.tolist(), strict=True
        )
    )
    assert row == {
        "height": str(scan.height),
        "hash": scan.hash,
        "tx_count": str(scan.tx_count),
        "candidates": str(len(scan.candidates)),
        "inputs": str(len(scan.prev_txids)),
        "kept_outputs": str(len(kept)),
        "kept_sats": str(kept.sum()),
        "checksum": sha256(lines.encode()).hexdigest(),
    }
