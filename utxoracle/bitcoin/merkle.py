"""Merkle roots, with the check that makes a root commit to one list of leaves only."""

from collections.abc import Sequence
from hashlib import sha256

from utxoracle.errors import BlockCorrupt


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the merkle root of 32-byte hashes in internal order.

    An odd level is completed by repeating its last hash. So a list that already ends in a
    repetition has the same root as the shorter one (CVE-2012-2459), and is refused.

    Raises:
        BlockCorrupt: Two neighbours are equal at some level, or there is no leaf.
    """
    if not leaves:
        raise BlockCorrupt("a merkle tree needs at least one transaction")
    level = list(leaves)
    depth = 0
    while len(level) > 1:
        left, right = level[0::2], level[1::2]
        for position, (one, other) in enumerate(zip(left, right, strict=False)):
            if one == other:
                raise BlockCorrupt(
                    f"hashes {2 * position} and {2 * position + 1} are equal at level {depth} of "
                    "the merkle tree: transactions were repeated (CVE-2012-2459)"
                )
        if len(right) < len(left):
            right.append(left[-1])
        level = [
            sha256(sha256(one + other).digest()).digest()
            for one, other in zip(left, right, strict=True)
        ]
        depth += 1
    return level[0]
