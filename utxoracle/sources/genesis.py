"""Which network a source follows, told by its first block."""

from utxoracle.bitcoin.network import NETWORKS, Network
from utxoracle.errors import BlockNotFound, WrongNetwork
from utxoracle.sources.base import Source


def verify_network(source: Source, network: Network) -> None:
    """Check that `source` follows `network`; a folder need not hold the block that tells.

    Raises:
        WrongNetwork: Its block 0 is another network's.
        SourceError: The source can't be asked, or has no block 0 though every node has it.
    """
    try:
        genesis = source.hash_at(0)
    except BlockNotFound:
        if source.may_lack_genesis:
            return
        raise
    if genesis == network.genesis_hash:
        return
    found = next((one.name for one in NETWORKS.values() if one.genesis_hash == genesis), None)
    raise WrongNetwork(
        f"{source.name} follows {found or 'a chain that begins with ' + genesis}, not "
        f"{network.name}; use another source or set UTXORACLE_NETWORK"
    )
