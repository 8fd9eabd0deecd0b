"""Which network a source follows, told by its first block."""

from utxoracle.bitcoin.network import NETWORKS, Network
from utxoracle.errors import BlockNotFound, WrongNetwork
from utxoracle.sources.base import Source


def verify_network(source: Source, network: Network) -> None:
    """Check that `source` follows `network`, when it has a block at height 0 at all.

    Raises:
        WrongNetwork: Its block 0 is another network's.
    """
    try:
        genesis = source.hash_at(0)
    except BlockNotFound:
        return
    if genesis == network.genesis_hash:
        return
    found = next((one.name for one in NETWORKS.values() if one.genesis_hash == genesis), None)
    raise WrongNetwork(
        f"{source.name} follows {found or 'a chain that begins with ' + genesis}, not "
        f"{network.name}; use another source or set UTXORACLE_NETWORK"
    )
