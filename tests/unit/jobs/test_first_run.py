import pytest

from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import BlockNotFound, SourceError
from utxoracle.jobs.first_run import FIRST_BLOCKS, first_run_height
from utxoracle.jobs.price import Question, price
from utxoracle.settings import Settings
from utxoracle.sources.factory import open_source


class Pruned:
    """A real source that has lost the blocks below some height, but not their headers."""

    def __init__(self, source, height: int) -> None:
        self.name = source.name
        self.tip = source.tip
        self.hash_at = source.hash_at
        self.header = source.header
        self.tried: list[int] = []
        self._source = source
        self._height = height
        self._heights = {source.hash_at(one): one for one in range(800, source.tip()[0] + 1)}

    def raw_block(self, block_hash: str) -> bytes:
        height = self._heights[block_hash]
        self.tried.append(height)
        if height < self._height:
            raise BlockNotFound(f"{self.name} has pruned block {height}")
        return self._source.raw_block(block_hash)


def test_a_first_run_reaches_back_to_the_block_before_the_last_finished_day(source):
    tip, _ = source.tip()
    day = price(source, Question(), network=REGTEST).estimate
    assert first_run_height(source, tip) == min(tip - FIRST_BLOCKS + 1, day.first_height - 1)


@pytest.mark.parametrize("kept", [5, 100, 250])
def test_a_first_run_begins_with_the_first_block_that_a_pruned_node_has(source, kept):
    tip, _ = source.tip()
    pruned = Pruned(source, tip - kept)
    assert first_run_height(pruned, tip) == tip - kept
    assert len(pruned.tried) < 12


def test_a_first_run_does_not_reach_below_block_0():
    source = open_source("sim:days=1,transactions=3,start_height=1", Settings())
    assert first_run_height(source, 40) == 0


def test_a_source_that_fails_is_not_taken_for_one_that_lacks_blocks(source):
    class Failing(Pruned):
        def raw_block(self, block_hash):
            raise SourceError("the node hangs")

    with pytest.raises(SourceError, match="hangs"):
        first_run_height(Failing(source, 0), source.tip()[0])
