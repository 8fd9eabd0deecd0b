"""Blocks of a simulated chain."""

from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions
from utxoracle.sources.answers import checked_header


class SimSource:
    """A simulated chain, made block by block as it's asked for; the same options, the same chain.

    Raises:
        UsageError: An option is unknown or can't be used as given.
    """

    may_lack_genesis = False
    route: str | None = None

    def __init__(self, options: str) -> None:
        self.name = f"sim {options}".strip()
        self._chain = SimulatedChain(SimulationOptions.parse(options))

    def tip(self) -> tuple[int, str]:
        """Return height and hash of the chain's last block."""
        height = self._chain.tip_height
        return height, self._chain.hash_at(height)

    def tip_hash(self) -> str:
        """Return the hash of that block."""
        return self.tip()[1]

    def hash_at(self, height: int) -> str:
        """Return the hash of the block at `height`; see `Source.hash_at`."""
        return self._chain.hash_at(height)

    def header(self, block_hash: str) -> bytes:
        """Return a block's header; see `Source.header`."""
        raw = self._chain.header(self._chain.height_of(block_hash))
        return checked_header(raw, block_hash, self.name)

    def raw_block(self, block_hash: str) -> bytes:
        """Return a block's bytes; see `Source.raw_block`."""
        return self._chain.raw_block(self._chain.height_of(block_hash))

    def close(self) -> None:
        """Do nothing: the chain is in memory."""
