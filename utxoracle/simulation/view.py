"""A simulated chain as a node knows it: up to a tip that can be moved."""

from statistics import median_high
from threading import Lock

from utxoracle.errors import BlockNotFound, UsageError
from utxoracle.simulation.chain import SimulatedChain

MEDIAN_SPAN = 11


class ChainView:
    """The blocks of `chain` up to a tip; what lies above is as good as not there.

    Safe to use from several threads.

    Attributes:
        chain: The whole chain.
    """

    def __init__(self, chain: SimulatedChain, tip: int | None = None) -> None:
        self.chain = chain
        self._lock = Lock()
        self._tip = chain.tip_height
        if tip is not None:
            self.move_tip(tip)

    @property
    def tip(self) -> int:
        """Height of the newest block that is known."""
        return self._tip

    def move_tip(self, height: int) -> int:
        """Make `height` the tip and return it.

        Raises:
            UsageError: The chain has no block there.
        """
        with self._lock:
            return self._set_tip(height)

    def advance_tip(self, blocks: int) -> int:
        """Move the tip by `blocks`, back when negative, and return its new height.

        Raises:
            UsageError: The chain has no block there.
        """
        with self._lock:
            return self._set_tip(self._tip + blocks)

    def hash_at(self, height: int) -> str:
        """Return the hash of the block at `height`.

        Raises:
            BlockNotFound: There is no block, or it lies above the tip.
        """
        if height > self._tip:
            raise BlockNotFound(f"height {height} is above the tip {self._tip}")
        return self.chain.hash_at(height)

    def height_of(self, block_hash: str) -> int:
        """Return the height of the block with this hash.

        Raises:
            BlockNotFound: There is no such block, or it lies above the tip.
        """
        height = self.chain.height_of(block_hash)
        if height > self._tip:
            raise BlockNotFound(f"block {block_hash} is above the tip {self._tip}")
        return height

    def has(self, height: int) -> bool:
        """Tell whether there is a block at `height` that isn't above the tip."""
        return height == 0 or self.chain.first_height <= height <= self._tip

    def median_time(self, height: int) -> int:
        """Return the median of the times of the block at `height` and up to ten before it."""
        first = max(self.chain.first_height, height - MEDIAN_SPAN + 1)
        return median_high(
            [self.chain.time_at(one) for one in range(min(first, height), height + 1)]
        )

    def _set_tip(self, height: int) -> int:
        first, last = self.chain.first_height, self.chain.tip_height
        if not first <= height <= last:
            raise UsageError(f"the tip can be moved to {first} up to {last}, not to {height}")
        self._tip = height
        return height
