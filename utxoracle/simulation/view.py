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

    @property
    def hash(self) -> str:
        """Its hash, 64 hex digits."""
        return self.chain.hash_at(self.height)

    @property
    def header(self) -> bytes:
        """The 80 bytes of its header."""
        return self.chain.header(self.height)


ReadBlock = Callable[[BlockPlace], bytes]
"""Gives a raw block, which a slow server takes its time for."""


@dataclass(frozen=True)
class NodeState:
    """In which state the node is whose chain is served.

    Attributes:
        loading: Whether it is still starting, and answers nothing.
        syncing: Whether it says that it is catching up.
        pruned: Height below which it has no raw blocks any more; None when it has all.
    """

    loading: bool = False
    syncing: bool = False
    pruned: int | None = None


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
        node: In which state the node is.
        instead: Gives the block that is served in the place of one that is asked for.
        price_lag: Seconds by which exchange prices are out of date.
    """

    chain: SimulatedChain
    tip: int
    stale: tuple[StaleBranch, ...] = ()
    node: NodeState = NodeState()
    instead: Callable[[BlockPlace], BlockPlace] | None = None
    price_lag: int = 0

    @property
    def tip_hash(self) -> str:
        """Hash of the newest block."""
        return self.hash_at(self.tip)

    def hash_at(self, height: int) -> str:
        """Return the hash of the block at `height` of the best chain.

        Raises:
            BlockNotFound: There is no block, or it lies above the tip.
        """
        return self.place_at(height).hash

    def place_at(self, height: int) -> BlockPlace:
        """Return what is served as the block at `height` of the best chain.

        Raises:
            BlockNotFound: There is no block, or it lies above the tip.
        """
        if not self.has(height):
            raise BlockNotFound(f"there is no block {height} up to the tip {self.tip}")
        return self._served(BlockPlace(self.chain, height))

    def find(self, block_hash: str) -> BlockPlace:
        """Return what is served as the block with this hash, be it stale or not.

        Raises:
            BlockNotFound: There is no such block, or it lies above the tip.
        """
        return self._served(self.locate(block_hash))

    def locate(self, block_hash: str) -> BlockPlace:
        """Return where the block with this hash stands, whatever is served in its place.

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

    def is_pruned(self, place: BlockPlace) -> bool:
        """Tell whether the node has thrown a raw block away."""
        return self.node.pruned is not None and place.height < self.node.pruned

    def tips(self) -> list[tuple[BlockPlace, int]]:
        """Return the newest block of each branch, and how many blocks it has of its own."""
        best = BlockPlace(self.chain, self.tip)
        branches = [one for one in self.stale if one.first <= one.last]
        return [(best, 0)] + [
            (BlockPlace(one.chain, one.last, is_stale=True), one.last - one.first + 1)
            for one in branches
        ]

    def _served(self, place: BlockPlace) -> BlockPlace:
        return self.instead(place) if self.instead else place


class ServedChain:
    """A chain whose tip can be moved, and that can fork, while it is served.

    Each change replaces the view whole: who answers from one view never mixes two states. Safe
    to use from several threads.
    """

    def __init__(
        self, chain: SimulatedChain, tip: int | None = None, node: NodeState | None = None
    ) -> None:
        self._lock = Lock()
        self._view = ChainView(chain, chain.tip_height, node=node or NodeState())
        self._siblings: dict[BlockPlace, BlockPlace] = {}
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
            view = replace(old, chain=branch, tip=branch.tip_height, stale=stale)
            self._view = self._moved(view, tip)

    def stale_sibling(self, place: BlockPlace) -> BlockPlace:
        """Return a stale block at the height of one of the best chain.

        From now on it is known by its hash, as after a reorganisation. Block 0 has none, and a
        stale block is its own.
        """
        if place.is_stale or place.height == 0:
            return place
        with self._lock:
            if place not in self._siblings:
                branch = StaleBranch(place.chain.branch(place.height), place.height, place.height)
                self._view = replace(self._view, stale=(*self._view.stale, branch))
                self._siblings[place] = BlockPlace(branch.chain, place.height, is_stale=True)
            return self._siblings[place]

    @staticmethod
    def _moved(view: ChainView, tip: int) -> ChainView:
        first, last = view.chain.first_height, view.chain.tip_height
        if not first <= tip <= last:
            raise UsageError(f"the tip can be moved to {first} up to {last}, not to {tip}")
        return replace(view, tip=tip)
