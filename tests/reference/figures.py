"""What the filters keep of each modern real block, by the reference: the committed table.

`python -m tests.reference.figures > tests/unit/bitcoin/real_blocks.csv` writes it anew.
"""

import csv
import sys
from hashlib import sha256

from tests.real_blocks import RealBlock, real_blocks
from tests.reference.method import is_kept, passes_alone
from tests.reference.parse import parse_block

FIRST_HEIGHT = 700_000
COLUMNS = ["height", "hash", "tx_count", "candidates", "inputs", "kept_outputs", "kept_sats"]
COLUMNS += ["checksum"]


def figures_of(block: RealBlock) -> dict[str, object]:
    """Return one row of the table.

    `checksum` is the SHA-256 of one line `position value value` for each candidate.
    """
    transactions = parse_block(block.path.read_bytes())
    candidates = inputs = kept_outputs = kept_sats = 0
    checksum = sha256()
    for position, transaction in enumerate(transactions):
        if not passes_alone(transaction):
            continue
        candidates += 1
        inputs += len(transaction.inputs)
        one, other = (output.value for output in transaction.outputs)
        checksum.update(f"{position} {one} {other}\n".encode())
        for value in (one, other):
            if is_kept(value / 1e8):
                kept_outputs += 1
                kept_sats += value
    row = [block.height, block.hash, len(transactions), candidates, inputs, kept_outputs]
    return dict(zip(COLUMNS, [*row, kept_sats, checksum.hexdigest()], strict=True))


def main() -> None:
    """Write the table to standard output."""
    table = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    table.writeheader()
    for block in real_blocks():
        if block.height >= FIRST_HEIGHT:
            table.writerow(figures_of(block))


if __name__ == "__main__":
    main()
