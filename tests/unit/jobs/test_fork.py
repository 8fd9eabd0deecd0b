import pytest

from utxoracle.bitcoin.network import MAIN, REGTEST
from utxoracle.errors import DataError, SourceError, WrongNetwork
from utxoracle.jobs.fork import common_block
from utxoracle.store.folder import DataFolder
from utxoracle.store.rows import BlockRow


def rows_of(source, first: int, last: int) -> list[BlockRow]:
    return [
        BlockRow(height, source.hash_at(height), "", 0, 0, 0, 0, "")
        for height in range(first, last + 1)
    ]


@pytest.fixture
def common(source, tmp_path):
    def find(rows, *, tip=1100, network=REGTEST):
        return common_block(source, tip, rows, network=network, folder=DataFolder(tmp_path)).height

    return find


def test_the_newest_block_that_both_have_is_found_from_the_top(source, common):
    stale = [BlockRow(height, "00" * 32, "", 0, 0, 0, 0, "") for height in range(1001, 1007)]
    rows = rows_of(source, 990, 1000)
    assert common(rows) == 1000
    assert common(rows + stale) == 1000
    assert common(rows, tip=995) == 995


def test_a_chain_without_a_common_block_is_another_one_or_another_networks(common):
    stale = [BlockRow(height, "00" * 32, "", 0, 0, 0, 0, "") for height in range(1001, 1007)]
    with pytest.raises(DataError, match=r"none of the 6 newest blocks .* 1001 to 1006"):
        common(stale)
    with pytest.raises(WrongNetwork, match="follows regtest, not main"):
        common(stale, network=MAIN)


def test_a_source_that_ends_below_all_of_them_is_waited_for(source, common):
    with pytest.raises(SourceError, match=r"ends at block 950, below the 11 newest .* wait until"):
        common(rows_of(source, 990, 1000), tip=950)
