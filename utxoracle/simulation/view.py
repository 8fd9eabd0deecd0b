"""A simulated chain as a node knows it: up to a tip, and with blocks that a fork made stale."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

from utxoracle.errors import BlockNotFound, UsageError
from utxoracle.simulation.chain import SimulatedChain


@dataclass(frozen=True)
class BlockPlace:
    """Where a block that a node knows stands.

    Attributes:
        chain: A chain that has it.
        height: Its height there.
        is_stale: Whether it isn't of the best chain.
    """

    chain: SimulatedChain
    height: int
    is_stale: bool = False


ReadBlock = Callable[[BlockPlace], bytes]
"""Gives a raw block, which a slow server takes its time for."""


@dataclass(frozen=True)
class StaleBranch:
    """What a fork left behind: the blocks of `chain` from `first` to `last`, if there are any."""

    chain: SimulatedChain
    first: int
    last: int


@dataclass(frozen=True)
class ChainView:
    """What a node knows at one moment; what lies above the tip is as good as not there.

    Attributes:
        chain: The best chain, and more above the tip.
        tip: Height of the newest block that is known.
        stale: What forks left behind, the latest first.
    """

    chain: SimulatedChain
    tip: int
    stale: tuple[StaleBranch, ...] = ()

    def hash_at(self, height: int) -> str:
        """Return the hash of the block at `height` of the best chain.

        Raises:
            BlockNotFound: There is no block, or it lies above the tip.
        """
        if height > self.tip:
            raise BlockNotFound(f"height {height} is above the tip {self.tip}")
        return self.chain.hash_at(height)

    def find(self, block_hash: str) -> BlockPlace:
        """Return where the block with this hash stands, be it stale or not.

        Raises:
            BlockNotFound: There is no such block, or it lies above the tip.
        """
        try:
            return BlockPlace(self.chain, self.chain.height_of(block_hash, self.tip))
        except BlockNotFound:
            for branch in self.stale:
                try:
                    height = branch.chain.height_of(block_hash, branch.last)
                except BlockNotFound:
                    continue
                if height >= branch.first:
                    return BlockPlace(branch.chain, height, is_stale=True)
            raise

    def has(self, height: int) -> bool:
        """Tell whether there is a block at `height` that isn't above the tip."""
        return height == 0 or self.chain.first_height <= height <= self.tip


class ServedChain:
    """A chain whose tip can be moved, and that can fork, while it is served.

    Each change replaces the view whole: who answers from one view never mixes two states. Safe
    to use from several threads.
    """

    def __init__(self, chain: SimulatedChain, tip: int | None = None) -> None:
        self._lock = Lock()
        self._view = ChainView(chain, chain.tip_height)
        if tip is not None:
            self.move_tip(tip)

    @property
    def view(self) -> ChainView:
        """What is known now."""
        return self._view

    def move_tip(self, height: int) -> None:
        """Make `height` the tip.

        Raises:
            UsageError: The chain has no block there.
        """
        with self._lock:
            self._view = self._moved(self._view, height)

    def advance_tip(self, blocks: int) -> None:
        """Move the tip by `blocks`, back when negative.

        Raises:
            UsageError: The chain has no block there.
        """
        with self._lock:
            self._view = self._moved(self._view, self._view.tip + blocks)

    def fork(self, height: int, tip: int) -> None:
        """Go over to the branch at `height` of the chain, shown up to `tip`.

        The blocks of the old chain from `height` to its tip become stale.

        Raises:
            UsageError: The chain has no block at `height`, or the branch none at `tip`, or none
                of the branch's own blocks would be shown.
        """
        with self._lock:
            old = self._view
            first, last = old.chain.first_height, old.chain.tip_height
            if not first <= height <= last:
                raise UsageError(f"the chain can fork at {first} up to {last}, not at {height}")
            if tip < height:
                raise UsageError(f"the tip of a fork at {height} can't be lower, at {tip}")
            stale = (StaleBranch(old.chain, height, old.tip), *old.stale)
            branch = old.chain.branch(height)
            self._view = self._moved(ChainView(branch, branch.tip_height, stale), tip)

    @staticmethod
    def _moved(view: ChainView, tip: int) -> ChainView:
        first, last = view.chain.first_height, view.chain.tip_height
        if not first <= tip <= last:
            raise UsageError(f"the tip can be moved to {first} up to {last}, not to {tip}")
        return replace(view, tip=tip)
