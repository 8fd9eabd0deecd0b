"""A chain of blocks with a known price, made on demand and kept in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from threading import RLock

from utxoracle.bitcoin.encoding import double_sha256, hash_to_hex, hex_to_hash
from utxoracle.bitcoin.header import HEADER_SIZE
from utxoracle.errors import BlockNotFound
from utxoracle.simulation.block import REACH, Body, build_body, mine_header, weight_of
from utxoracle.simulation.genesis import GENESIS_TIME, genesis_block
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.timeline import draw_timeline

CACHE_BYTES = 256 * 1024 * 1024

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

    Blocks are made when they are first asked for, with all those before them. Their facts are
    kept; their bytes only up to `cache_bytes`, and made again when needed. Safe to use from
    several threads. Hashes are 64 lower-case hex digits.

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
        self.first_height = options.start_height
        self.tip_height = options.start_height + len(self._timeline.times) - 1
        self._cache_bytes = cache_bytes
        self._cached: OrderedDict[int, bytes] = OrderedDict()
        self._cached_bytes = 0
        self._genesis = genesis_block()
        self._genesis_hash = double_sha256(self._genesis[:HEADER_SIZE])
        self._facts: list[BlockFacts] = []
        self._heights: dict[bytes, int] = {self._genesis_hash: 0}
        self._lock = RLock()

    def hash_at(self, height: int) -> str:
        """Return the hash of the block at `height`.

        Raises:
            BlockNotFound: The chain has no block there.
        """
        return hash_to_hex(self._genesis_hash if height == 0 else self.facts_at(height).hash)

    def height_of(self, block_hash: str) -> int:
        """Return the height of the block with this hash, making all blocks if need be.

        Raises:
            BlockNotFound: The chain has no such block.
        """
        try:
            wanted = hex_to_hash(block_hash)
        except ValueError as error:
            raise BlockNotFound(f"{block_hash!r} is not a block hash: {error}") from None
        if wanted not in self._heights:
            self.generate()
        if wanted not in self._heights:
            raise BlockNotFound(f"the simulated chain has no block {block_hash}")
        return self._heights[wanted]

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
            if height in self._cached:
                self._cached.move_to_end(height)
                return self._cached[height]
            return self._keep(height, facts.header + self._body(height).raw)

    def time_at(self, height: int) -> int:
        """Return the block's time, seconds since 1970 UTC.

        Raises:
            BlockNotFound: The chain has no block there.
        """
        return GENESIS_TIME if height == 0 else int(self._timeline.times[self._index(height)])

    def price_at(self, height: int) -> float:
        """Return the true price in USD at the time of a block; block 0 has none.

        Raises:
            BlockNotFound: The chain has no priced block there.
        """
        return float(self._timeline.prices[self._index(height)])

    def facts_at(self, height: int) -> BlockFacts:
        """Return what is kept of the block at `height`, from first_height on.

        Raises:
            BlockNotFound: The chain has no block there.
        """
        index = self._index(height)
        if index >= len(self._facts):
            self.generate(height)
        return self._facts[index]

    def generate(self, height: int | None = None, progress: Progress | None = None) -> None:
        """Make all blocks up to `height` (the tip when not given) that weren't made yet."""
        last = self.tip_height if height is None else height
        with self._lock:
            while (made := len(self._facts)) <= last - self.first_height:
                self._append(self.first_height + made)
                if progress:
                    progress(made + 1, last - self.first_height + 1)

    def _append(self, height: int) -> None:
        prev_hash = self._facts[-1].hash if self._facts else self._hash_before_first()
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
        self._keep(height, header + body.raw)

    def _body(self, height: int) -> Body:
        index = height - self.first_height
        before = self._facts[max(0, index - REACH) : index]
        return build_body(
            f"{self._label}/{height}",
            height,
            mean=self.options.transactions,
            price=self.price_at(height),
            noise=self.options.noise,
            samples=[facts.sample for facts in reversed(before)],
        )

    def _keep(self, height: int, raw: bytes) -> bytes:
        self._cached[height] = raw
        self._cached_bytes += len(raw)
        while self._cached_bytes > self._cache_bytes and len(self._cached) > 1:
            _, oldest = self._cached.popitem(last=False)
            self._cached_bytes -= len(oldest)
        return raw

    def _hash_before_first(self) -> bytes:
        """Return what the first block links to: a stand-in unless that is block 0."""
        return (
            self._genesis_hash if self.first_height == 1 else sha256(self._label.encode()).digest()
        )

    def _index(self, height: int) -> int:
        index = height - self.first_height
        if not 0 <= index < len(self._timeline.times):
            raise BlockNotFound(
                f"the simulated chain has no block at height {height}; it has 0 and "
                f"{self.first_height} to {self.tip_height}"
            )
        return index
