"""The real mainnet blocks that may lie next to the repository."""

import csv
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1].parent / "shared" / "blocks"
MISSING = "no real mainnet blocks at ../shared/blocks: nothing is compared with them"

NO_BIP34_HEIGHT = 150_000
"""Stands for the height of a block of 2011-12, which nothing in the block tells."""


@dataclass(frozen=True)
class RealBlock:
    """One row of the index."""

    height: int
    hash: str
    size: int
    tx_count: int
    outputs: int
    path: Path


def real_blocks() -> list[RealBlock]:
    """Return every indexed block, or none without the folder."""
    index = FOLDER / "index.csv"
    if not index.exists():
        return []
    with index.open(newline="") as lines:
        return [
            RealBlock(
                height=int(row["height"] or NO_BIP34_HEIGHT),
                hash=row["hash"],
                size=int(row["size"]),
                tx_count=int(row["n_tx"]),
                outputs=int(row["n_outputs"]),
                path=FOLDER / row["file"],
            )
            for row in csv.DictReader(lines)
        ]
