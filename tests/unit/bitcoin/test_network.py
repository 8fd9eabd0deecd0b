import pytest

from utxoracle.bitcoin.header import target_of
from utxoracle.bitcoin.network import NETWORKS, REGTEST, network_named
from utxoracle.errors import UsageError


def test_each_network_knows_its_name_and_its_genesis_meets_its_limit():
    for name, network in NETWORKS.items():
        assert network.name == name
        assert network_named(name) is network
        assert int(network.genesis_hash, 16) <= target_of(network.pow_limit_bits)


def test_regtest_is_the_easiest():
    assert max(NETWORKS.values(), key=lambda one: target_of(one.pow_limit_bits)) is REGTEST


@pytest.mark.parametrize("name", ["", "mainnet", "Main", "testnet"])
def test_an_unknown_name_is_refused_with_the_known_ones(name):
    with pytest.raises(UsageError, match=f"'{name}', but must be one of main, test, "):
        network_named(name)
