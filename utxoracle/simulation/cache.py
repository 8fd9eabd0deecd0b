"""The bytes of the blocks that were used last."""

from collections import OrderedDict


class BlockCache:
    """Raw blocks by hash, as many as fit into `limit` bytes, but always the newest one.

    Chains that share blocks share one. Not safe to use from several threads at once.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._blocks: OrderedDict[bytes, bytes] = OrderedDict()
        self._size = 0

    def get(self, block_hash: bytes) -> bytes | None:
        """Return the block with this hash, or None where it isn't kept."""
        if block_hash in self._blocks:
            self._blocks.move_to_end(block_hash)
        return self._blocks.get(block_hash)

    def keep(self, block_hash: bytes, raw: bytes) -> None:
        """Keep a block that isn't kept yet, in the place of those not used for longest."""
        self._blocks[block_hash] = raw
        self._size += len(raw)
        while self._size > self._limit and len(self._blocks) > 1:
            _, oldest = self._blocks.popitem(last=False)
            self._size -= len(oldest)
