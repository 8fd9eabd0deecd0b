"""Where a stored chain and a source's part."""

from utxoracle.bitcoin.network import Network
from utxoracle.errors import DataError, SourceBehind
from utxoracle.sources.base import Source
from utxoracle.sources.genesis import verify_network
from utxoracle.store.folder import DataFolder
from utxoracle.store.rows import BlockRow
from utxoracle.store.scans import KEPT_SCANS

DEEPEST = KEPT_SCANS
"""Blocks; a reorganisation that goes deeper is not followed."""


def common_block(
    source: Source,
    tip_height: int,
    newest: list[BlockRow],
    *,
    network: Network,
    folder: DataFolder,
) -> BlockRow:
    """Return the newest stored block that the source's chain has too, looked for from the top.

    Args:
        source: What the stored chain is compared with.
        tip_height: Height of its newest block.
        newest: Up to DEEPEST blocks of the stored chain, ascending, the top last.
        network: The network that both should follow.
        folder: Where the chain is stored, for the message of a failure.

    Raises:
        SourceError: The source can't be asked (SourceBehind: it lags far behind).
        WrongNetwork: They have nothing in common since the source follows another network.
        DataError: They have nothing in common in these blocks.
    """
    for block in reversed(newest):
        if block.height <= tip_height and source.hash_at(block.height) == block.hash:
            return block
    verify_network(source, network)
    if tip_height < newest[0].height:
        raise SourceBehind(
            f"{source.name} ends at block {tip_height}, below the {len(newest)} newest blocks that "
            f"{folder.path} stores, up to {newest[-1].height}: wait until it has caught up"
        )
    raise DataError(
        f"{source.name} has none of the {len(newest)} newest blocks that {folder.path} stores, "
        f"{newest[0].height} to {newest[-1].height}: a reorganisation that deep is not followed. "
        f"Check that the source is right; to start over with it, {folder.how_to_start_over}"
    )
