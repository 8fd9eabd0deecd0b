from dataclasses import replace

import pytest

from utxoracle.bitcoin.network import REGTEST
from utxoracle.jobs.recent import load_recent
from utxoracle.jobs.scanning import scan_blocks
from utxoracle.price.window import link
from utxoracle.store.folder import DataFolder
from utxoracle.store.rows import BlockRow
from utxoracle.store.scans import ScanCache

HEIGHTS = range(900, 930)


class Counting:
    """A real source that counts what is asked of it."""

    def __init__(self, source) -> None:
        self.name = source.name
        self.asked: list[str] = []
        self._source = source

    def raw_block(self, block_hash: str) -> bytes:
        self.asked.append(block_hash)
        return self._source.raw_block(block_hash)


@pytest.fixture(scope="module")
def linked(source):
    return link(scan_blocks(source, HEIGHTS, network=REGTEST))


@pytest.fixture
def cache(tmp_path):
    return ScanCache(DataFolder(tmp_path), REGTEST)


@pytest.fixture
def load(source, linked, cache):
    """Load all blocks, and return them with the hashes that were fetched."""
    rows = [
        BlockRow(one.height, one.hash, one.prev_hash, one.time, one.size, one.tx_count, 0, "")
        for one in linked
    ]

    def load(*, keep: bool = True):
        counting = Counting(source)
        found = load_recent(rows, cache, counting, network=REGTEST, processes=0, keep=keep)
        return found, counting.asked

    return load


def assert_equal(found, linked):
    for one, other in zip(found, linked, strict=True):
        assert one.hash == other.hash
        assert (one.parents == other.parents).all()
        assert (one.values == other.values).all()


def test_cached_blocks_are_not_fetched_and_missing_ones_are(load, cache, linked):
    for block in linked[::2]:
        cache.store(block)
    found, asked = load()
    assert asked == [block.hash for block in linked[1::2]]
    assert_equal(found, linked)


def test_what_was_fetched_is_kept(load, linked):
    load()
    found, asked = load()
    assert asked == []
    assert_equal(found, linked)


def test_nothing_is_kept_where_nothing_may_be_written(load, linked):
    load(keep=False)
    assert len(load(keep=False)[1]) == len(linked)


def test_a_block_that_was_linked_behind_the_first_one_is_fetched_again(load, cache, linked):
    """Its parents were not looked for far enough back: it would count where it must not."""
    for block in linked:
        cache.store(block)
    cache.store(replace(linked[20], known_from=linked[10].height, parents=linked[20].parents * 0))
    found, asked = load()
    assert asked == [linked[20].hash]
    assert_equal(found, linked)
