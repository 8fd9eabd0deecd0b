"""What every source of blocks can do."""

from typing import Protocol


class Source(Protocol):
    """A place that confirmed blocks come from.

    Nothing that a source says is believed before `bitcoin.scan` has verified it. Hashes are 64
    lower-case hex digits. All methods raise SourceError when the source can't be reached or gives
    an answer that isn't one; `name` never holds credentials.

    Attributes:
        name: Kind and place, for people and logs, such as `bitcoind 127.0.0.1:8332`.
        may_lack_genesis: Whether block 0, which tells the network, need not be there.
        route: How the server is to be asked, as far as that was found out (a path, a kind of
            interface): worth keeping for the next run. What is set is tried first, and looked up
            again when it doesn't serve. None where there is nothing to find out.
    """

    name: str
    may_lack_genesis: bool
    route: str | None

    def tip(self) -> tuple[int, str]:
        """Return height and hash of the newest block of the best chain."""

    def tip_hash(self) -> str:
        """Return the hash of that block: one request, once the route is known."""

    def hash_at(self, height: int) -> str:
        """Return the hash of the block at `height` on the best chain.

        Raises:
            BlockNotFound: The source has no block there.
        """

    def header(self, block_hash: str) -> bytes:
        """Return the 80 bytes of a block's header, whose hash the source has checked.

        Raises:
            BlockNotFound: The source doesn't know the block.
            BlockCorrupt: The bytes are not the header of that hash.
        """

    def raw_block(self, block_hash: str) -> bytes:
        """Return a block's bytes as they were served; verifying them is the scan's work.

        Raises:
            BlockNotFound: The source doesn't know the block or has pruned it.
        """

    def close(self) -> None:
        """Give up connections and files."""
