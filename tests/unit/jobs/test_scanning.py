import multiprocessing
import os
import signal

import pytest

from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import BlockCorrupt, BlockNotFound, SourceError
from utxoracle.jobs.scanning import scan_blocks
from utxoracle.settings import Settings
from utxoracle.sources.factory import open_source

HEIGHTS = range(900, 930)


class Wrapped:
    """A real source some of whose answers are spoiled on the way."""

    def __init__(self, source):
        self.source = source
        self.name = source.name
        self.asked = []

    def hash_at(self, height):
        return self.source.hash_at(height)

    def raw_block(self, block_hash):
        self.asked.append(block_hash)
        return self.source.raw_block(block_hash)


class SpoiledOnce(Wrapped):
    """Cuts each block short the first time it's asked for."""

    def raw_block(self, block_hash):
        again = block_hash in self.asked
        raw = super().raw_block(block_hash)
        return raw if again else raw[:-1]


class Spoiled(Wrapped):
    def raw_block(self, block_hash):
        return super().raw_block(block_hash)[:-1]


class Reorganised(Wrapped):
    """Follows another chain from some height on."""

    def __init__(self, source, other):
        super().__init__(source)
        self.other = other

    def hash_at(self, height):
        return (self.other if height > 910 else self.source).hash_at(height)

    def raw_block(self, block_hash):
        try:
            return self.source.raw_block(block_hash)
        except BlockNotFound:
            return self.other.raw_block(block_hash)


def hashes(scans):
    return [scan.hash for scan in scans]


def test_blocks_are_scanned_in_order_and_each_is_fetched_once(source):
    wrapped = Wrapped(source)
    scans = scan_blocks(wrapped, HEIGHTS, network=REGTEST)
    assert [scan.height for scan in scans] == list(HEIGHTS)
    assert hashes(scans) == [source.hash_at(height) for height in HEIGHTS] == wrapped.asked


def test_processes_give_the_same_scans_as_a_thread(source):
    alone = scan_blocks(source, HEIGHTS, network=REGTEST, workers=1)
    together = scan_blocks(source, HEIGHTS, network=REGTEST, workers=2)
    assert hashes(alone) == hashes(together)
    for one, other in zip(alone, together, strict=True):
        assert (one.txids == other.txids).all()
        assert (one.values == other.values).all()
        assert (one.prev_txids == other.prev_txids).all()


def test_progress_counts_every_block(source):
    seen = []
    scan_blocks(
        source, HEIGHTS, network=REGTEST, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(done, len(HEIGHTS)) for done in range(1, len(HEIGHTS) + 1)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_corrupt_block_is_asked_for_again(source, workers):
    wrapped = SpoiledOnce(source)
    scans = scan_blocks(wrapped, HEIGHTS, network=REGTEST, workers=workers)
    assert hashes(scans) == [source.hash_at(height) for height in HEIGHTS]
    assert len(wrapped.asked) == 2 * len(HEIGHTS)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_block_that_is_corrupt_twice_ends_the_run(source, workers):
    with pytest.raises(BlockCorrupt, match=r"block 900 .* ends too early"):
        scan_blocks(Spoiled(source), HEIGHTS, network=REGTEST, workers=workers)


def test_a_chain_that_changes_in_the_middle_is_noticed(source):
    other = open_source("sim:seed=8,days=2,transactions=60", Settings())
    with pytest.raises(SourceError, match="block 911 does not follow block 910"):
        scan_blocks(Reorganised(source, other), HEIGHTS, network=REGTEST)


class KillsAScanner(Wrapped):
    """Kills one of the scanning processes after some blocks, as the kernel does without memory."""

    def raw_block(self, block_hash):
        raw = super().raw_block(block_hash)
        if len(self.asked) == 10:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        return raw


def test_the_work_goes_on_when_a_process_is_killed(source):
    wrapped = KillsAScanner(source)
    scans = scan_blocks(wrapped, HEIGHTS, network=REGTEST, workers=2)
    assert hashes(scans) == [source.hash_at(height) for height in HEIGHTS]
    assert len(wrapped.asked) > len(HEIGHTS)


def test_a_missing_block_ends_the_run(source):
    with pytest.raises(BlockNotFound):
        scan_blocks(source, range(1, 4), network=REGTEST)
