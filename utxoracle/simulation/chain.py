"""A chain of blocks with a known price, made on demand and kept in bounded memory."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from hashlib import sha256
from statistics import median_high
from threading import RLock

import numpy as np

from utxoracle.bitcoin.encoding import double_sha256, hash_to_hex, hex_to_hash
from utxoracle.bitcoin.header import HEADER_SIZE
from utxoracle.errors import BlockNotFound
from utxoracle.simulation.block import REACH, Body, build_body, mine_header, weight_of
from utxoracle.simulation.cache import BlockCache
from utxoracle.simulation.funding import Funding
from utxoracle.simulation.genesis import GENESIS_TIME, genesis_block
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.regtest import build_regtest_body
from utxoracle.simulation.timeline import Moment, Timeline, draw_timeline

CACHE_BYTES = 256 * 1024 * 1024

MEDIAN_SPAN = 11
"""Blocks whose median time counts (BIP113)."""

Progress = Callable[[int, int], None]
"""Called with the number of blocks done and of all blocks."""


@dataclass(frozen=True)
class BlockFacts:
    """What is kept of every block that was made.

    Attributes:
        header: Its 80 bytes.
        hash: Its hash, 32 bytes in internal order.
        size: Its length in bytes.
        weight: Its weight (BIP141).
        tx_count: Number of transactions, the coinbase included.
        sample: Some of its txids in internal order, which later blocks spend.
    """

    header: bytes
    hash: bytes
    size: int
    weight: int
    tx_count: int
    sample: tuple[bytes, ...]


class SimulatedChain:
    """A regtest chain whose true price is known; block 0 is regtest's own, then comes a gap.

    With the option `regtest` there is no gap, and a real node takes the blocks. Payments, and true
    prices other than that of the start, then begin hundreds of blocks behind the first.

    Blocks are made when they are first asked for, with all those before them. Their facts are
    kept; their bytes only up to `cache_bytes`, and made again when needed. A chain and its
    branches share both. Safe to use from several threads. Hashes are 64 lower-case hex digits.

    Attributes:
        options: What the chain was made from.
        first_height: Height of the first block behind the gap.
        tip_height: Height of the last block.
    """

    def __init__(self, options: SimulationOptions, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.options = options
        # Without the days, so that a longer chain begins with the blocks of a shorter one.
        text = str(replace(options, days=1))
        self._label = f"utxoracle simulation/{text}"
        self._timeline = draw_timeline(options, self._label)
        self._funding = None
        if options.regtest:
            self._funding = Funding(options, self._label, self._timeline.prices)
            self._timeline = self._funding.lead_in(self._timeline)
        self.first_height = options.start_height
        self.tip_height = self.first_height + len(self._timeline.times) - 1
        self._cache = BlockCache(cache_bytes)
        self._genesis = genesis_block()
        self._genesis_hash = double_sha256(self._genesis[:HEADER_SIZE])
        self._hash_before_first = (
            self._genesis_hash
            if self.first_height == 1
            # A stand-in, as there is no such block.
            else sha256(self._label.encode()).digest()
        )
        # The chain below its own blocks, if it is a branch, and what is known of its own ones.
        self._trunk: SimulatedChain | None = None
        self._own_height = self.first_height
        self._facts: list[BlockFacts] = []
        self._heights: dict[bytes, int] = {}
        self._lock = RLock()

    def branch(self, height: int) -> "SimulatedChain":
        """Return a chain that has this one's blocks below `height`, and others from there on.

        Its transactions, times and prices are drawn anew from there on, up to the same last day;
        it has at least as many blocks. The same branch of the same chain is the same chain, while
        a branch of that branch, at whatever height, is another.

        With the option `regtest` it pays for the same things as the chain, at prices that aren't
        below the chain's, since it has no other coins: none above the chain's tip. One from below
        the first payment has the times and prices of the chain.

        Raises:
            BlockNotFound: The chain has no block at `height`, or it is block 0.
        """
        self._owner(height)
        # Whatever isn't set below is shared, the cache and the lock among them.
        branch = copy(self)
        branch._label = f"{self._label}/branch {height}"
        branch._trunk = None if height == self.first_height else self._owner(height - 1)
        branch._timeline = self._branch_timeline(height, branch._label)
        branch.tip_height = height + len(branch._timeline.times) - 1
        branch._own_height = height
        branch._facts = []
        branch._heights = {}
        return branch

    def hash_at(self, height: int) -> str:
        """Return the hash of the block at `height`.

        Raises:
            BlockNotFound: The chain has no block there.
        """
        return hash_to_hex(self._genesis_hash if height == 0 else self.facts_at(height).hash)

    def height_of(self, block_hash: str, last: int | None = None) -> int:
        """Return the height of the block with this hash, making blocks if need be.

        Args:
            block_hash: The hash.
            last: Height up to which to look; the tip when not given.

        Raises:
            BlockNotFound: The chain has no such block up to there.
        """
        try:
            wanted = hex_to_hash(block_hash)
        except ValueError as error:
            raise BlockNotFound(f"{block_hash!r} is not a block hash: {error}") from None
        last = self.tip_height if last is None else last
        height = self._made_height(wanted)
        if height is None:
            self.generate(last)
            height = self._made_height(wanted)
        if height is None or height > last:
            raise BlockNotFound(f"the simulated chain has no block {block_hash} up to {last}")
        return height

    def header(self, height: int) -> bytes:
        """Return the 80 bytes of the header at `height`.

        Raises:
            BlockNotFound: The chain has no block there.
        """
        return self._genesis[:HEADER_SIZE] if height == 0 else self.facts_at(height).header

    def raw_block(self, height: int) -> bytes:
        """Return the block at `height`, serialised with its witnesses.

        Raises:
            BlockNotFound: The chain has no block there.
        """
        if height == 0:
            return self._genesis
        with self._lock:
            facts = self.facts_at(height)
            raw = self._cache.get(facts.hash)
            if raw is None:
                raw = facts.header + self._owner(height)._body(height).raw
                self._cache.keep(facts.hash, raw)
            return raw

    def time_at(self, height: int) -> int:
        """Return the block's time, seconds since 1970 UTC.

        Raises:
            BlockNotFound: The chain has no block there.
        """
        if height == 0:
            return GENESIS_TIME
        owner = self._owner(height)
        return int(owner._timeline.times[height - owner._own_height])

    def median_time_at(self, height: int) -> int:
        """Return the median of the times of the block at `height` and up to ten before it.

        Raises:
            BlockNotFound: The chain has no block there.
        """
        lowest = 0 if self.first_height == 1 else self.first_height
        first = min(height, max(lowest, height - MEDIAN_SPAN + 1))
        return median_high([self.time_at(one) for one in range(first, height + 1)])

    def price_at(self, height: int) -> float:
        """Return the true price in USD at the time of a block; block 0 has none.

        Raises:
            BlockNotFound: The chain has no priced block there.
        """
        owner = self._owner(height)
        return float(owner._timeline.prices[height - owner._own_height])

    def newest_at(self, time: int) -> int:
        """Return the height of the newest block at or before `time`; the first one's before it."""
        owner, last = self, self.tip_height
        while owner._trunk and time < owner._timeline.times[0]:
            owner, last = owner._trunk, owner._own_height - 1
        later = int(np.searchsorted(owner._timeline.times, time, side="right"))
        return max(self.first_height, min(last, owner._own_height + later - 1))

    def facts_at(self, height: int) -> BlockFacts:
        """Return what is kept of the block at `height`, from first_height on.

        Raises:
            BlockNotFound: The chain has no block there.
        """
        owner = self._owner(height)
        index = height - owner._own_height
        if index >= len(owner._facts):
            owner.generate(height)
        return owner._facts[index]

    def generate(self, height: int | None = None, progress: Progress | None = None) -> None:
        """Make all blocks up to `height` (the tip when not given) that weren't made yet.

        A branch makes its own only, and those below it as far as they need them.
        """
        last = self.tip_height if height is None else height
        with self._lock:
            while (made := len(self._facts)) <= last - self._own_height:
                self._append(self._own_height + made)
                if progress:
                    progress(made + 1, last - self._own_height + 1)

    def _branch_timeline(self, height: int, label: str) -> Timeline:
        """Return the timeline of a branch from `height` on."""
        heights = range(height, self.tip_height + 1)
        if self._funding and height < self._funding.first_payment:
            return Timeline(
                times=np.array([self.time_at(one) for one in heights]),
                prices=np.array([self.price_at(one) for one in heights]),
            )
        before = None
        if height > self.first_height:
            before = Moment(self.time_at(height - 1), self.price_at(height - 1))
        timeline = draw_timeline(self.options, label, before, len(heights))
        if self._funding:
            prices = self._funding.mirror(height, timeline.prices)
            timeline = replace(timeline, prices=prices)
        return timeline

    def _append(self, height: int) -> None:
        is_first = height == self.first_height
        prev_hash = self._hash_before_first if is_first else self.facts_at(height - 1).hash
        body = self._body(height)
        header = mine_header(prev_hash, body.merkle_root, self.time_at(height))
        facts = BlockFacts(
            header=header,
            hash=double_sha256(header),
            size=HEADER_SIZE + len(body.raw),
            weight=weight_of(len(body.raw), body.stripped_size),
            tx_count=body.tx_count,
            sample=body.sample,
        )
        self._facts.append(facts)
        self._heights[facts.hash] = height
        self._cache.keep(facts.hash, header + body.raw)

    def _body(self, height: int) -> Body:
        """Return the body of one of the chain's own blocks."""
        label, price = f"{self._label}/{height}", self.price_at(height)
        if self._funding:
            return build_regtest_body(
                self._funding, label, height, price, lambda one: self.facts_at(one).sample
            )
        before = range(max(self.first_height, height - REACH), height)
        return build_body(
            label,
            height,
            mean=self.options.transactions,
            price=price,
            noise=self.options.noise,
            samples=[self.facts_at(one).sample for one in reversed(before)],
        )

    def _made_height(self, wanted: bytes) -> int | None:
        """Return the height of a block, or None where none with this hash was made yet."""
        if wanted == self._genesis_hash:
            return 0
        owner, last = self, self.tip_height
        while True:
            height = owner._heights.get(wanted)
            if height is not None and height <= last:
                return height
            if owner._trunk is None:
                return None
            owner, last = owner._trunk, owner._own_height - 1

    def _owner(self, height: int) -> "SimulatedChain":
        """Return the chain whose own block stands at `height`: this one, or one below it.

        Raises:
            BlockNotFound: There is none.
        """
        if not self.first_height <= height <= self.tip_height:
            raise BlockNotFound(
                f"the simulated chain has no block at height {height}; it has 0 and "
                f"{self.first_height} to {self.tip_height}"
            )
        owner = self
        while owner._trunk and height < owner._own_height:
            owner = owner._trunk
        return owner
