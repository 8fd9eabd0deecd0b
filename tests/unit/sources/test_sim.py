import pytest

from tests.unit.sources.conftest import OPTIONS
from utxoracle.errors import BlockNotFound, UsageError
from utxoracle.sources.sim import SimSource


def test_a_simulated_source_is_the_chain_of_its_options(chain):
    source = SimSource(OPTIONS)
    assert source.name == f"sim {OPTIONS}"
    assert source.tip() == (chain.tip_height, chain.hash_at(chain.tip_height))
    for height in (0, chain.first_height, chain.tip_height):
        block_hash = source.hash_at(height)
        assert block_hash == chain.hash_at(height)
        assert source.header(block_hash) == chain.header(height)
        assert source.raw_block(block_hash) == chain.raw_block(height)
    source.close()


def test_what_the_chain_does_not_have_is_not_found(chain):
    source = SimSource(OPTIONS)
    for height in (1, chain.first_height - 1, chain.tip_height + 1):
        with pytest.raises(BlockNotFound):
            source.hash_at(height)
    for ask in (source.header, source.raw_block):
        with pytest.raises(BlockNotFound):
            ask("ab" * 32)


def test_no_options_mean_the_defaults_and_wrong_ones_are_refused():
    assert SimSource("").name == "sim"
    with pytest.raises(UsageError):
        SimSource("days=0")
