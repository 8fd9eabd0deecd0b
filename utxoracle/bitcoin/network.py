"""The networks and the consensus constants that verification needs (Bitcoin Core, chainparams)."""

from dataclasses import dataclass

from utxoracle.errors import UsageError


@dataclass(frozen=True)
class Network:
    """One Bitcoin network.

    Attributes:
        name: Bitcoin Core's name of the chain (`getblockchaininfo.chain`).
        genesis_hash: Hash of block 0, 64 hex digits.
        pow_limit_bits: The easiest target a header may claim, in compact form.
        bip34_height: First height whose coinbase must begin with the height.
        segwit_height: First height at which BIP141 is enforced.
        allows_min_difficulty: Whether a block may claim the easiest target at any height.
    """

    name: str
    genesis_hash: str
    pow_limit_bits: int
    bip34_height: int
    segwit_height: int
    allows_min_difficulty: bool


MAIN = Network(
    name="main",
    genesis_hash="000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    pow_limit_bits=0x1D00FFFF,
    bip34_height=227_931,
    segwit_height=481_824,
    allows_min_difficulty=False,
)
TEST = Network(
    name="test",
    genesis_hash="000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
    pow_limit_bits=0x1D00FFFF,
    bip34_height=21_111,
    segwit_height=834_624,
    allows_min_difficulty=True,
)
TESTNET4 = Network(
    name="testnet4",
    genesis_hash="00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
    pow_limit_bits=0x1D00FFFF,
    bip34_height=1,
    segwit_height=1,
    allows_min_difficulty=True,
)
SIGNET = Network(
    name="signet",
    genesis_hash="00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
    pow_limit_bits=0x1E0377AE,
    bip34_height=1,
    segwit_height=1,
    allows_min_difficulty=False,
)
REGTEST = Network(
    name="regtest",
    genesis_hash="0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
    pow_limit_bits=0x207FFFFF,
    bip34_height=1,
    segwit_height=0,
    allows_min_difficulty=True,
)

NETWORKS = {network.name: network for network in (MAIN, TEST, TESTNET4, SIGNET, REGTEST)}


def network_named(name: str) -> Network:
    """Return the network that is called `name`.

    Raises:
        UsageError: There is none.
    """
    if name not in NETWORKS:
        raise UsageError(f"UTXORACLE_NETWORK is {name!r}, but must be one of {', '.join(NETWORKS)}")
    return NETWORKS[name]
