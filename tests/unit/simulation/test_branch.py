"""Branches of a chain: what a reorganisation leads to."""

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.simulation.conftest import SMALL
from tests.unit.simulation.test_chain import TINY, heights_of, scan_at
from utxoracle.bitcoin.header import parse_header
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import BlockNotFound
from utxoracle.simulation.chain import SimulatedChain

FORK = 900
TINY_FORK = 830
TINY_BRANCH_TIP_HASH = "47af9b0f2c2a75e3f436b4bfaa7d368362e12619d64ca6771d249e98d0cdb0ae"


def times_of(chain):
    return np.array([chain.time_at(height) for height in heights_of(chain)])


@pytest.fixture(scope="module")
def branch(small_chain):
    return small_chain.branch(FORK)


def test_a_branch_has_the_same_blocks_below_the_fork_and_others_from_there_on(small_chain, branch):
    for height in range(branch.first_height, FORK):
        # The very same facts: the blocks that are shared are made once.
        assert branch.facts_at(height) is small_chain.facts_at(height)
        assert branch.time_at(height) == small_chain.time_at(height)
        assert branch.price_at(height) == small_chain.price_at(height)
    assert branch.raw_block(FORK - 1) is small_chain.raw_block(FORK - 1)
    for height in range(FORK, small_chain.tip_height + 1):
        assert branch.hash_at(height) != small_chain.hash_at(height)
        assert branch.raw_block(height)[80:] != small_chain.raw_block(height)[80:]
        assert branch.time_at(height) != small_chain.time_at(height)
        assert branch.price_at(height) != small_chain.price_at(height)


def test_every_block_of_a_branch_passes_the_scan_and_links_to_the_one_before(branch):
    before = None
    for height in heights_of(branch):
        scan = scan_at(branch, height)
        assert before is None or scan.prev_hash == before.hash
        assert scan.time == branch.time_at(height)
        before = scan


def test_a_branch_spends_the_blocks_that_it_shares():
    chain = SimulatedChain(replace(SMALL, transactions=200))
    branch = chain.branch(FORK)
    shared = np.concatenate([scan_at(branch, height).txids for height in range(FORK - 20, FORK)])
    spent = np.concatenate([scan_at(branch, FORK + ahead).prev_txids for ahead in range(5)])
    assert np.isin(spent, shared).any()


def test_the_same_branch_is_the_same_chain_and_one_of_a_branch_is_another(small_chain, branch):
    again = SimulatedChain(SMALL).branch(FORK)
    assert again.raw_block(again.tip_height) == branch.raw_block(branch.tip_height)
    hashes = {
        chain.hash_at(FORK)
        for chain in (
            small_chain,
            branch,
            branch.branch(FORK),
            branch.branch(FORK).branch(FORK),
            small_chain.branch(FORK - 1),
            small_chain.branch(FORK - 1).branch(FORK),
        )
    }
    assert len(hashes) == 6


def test_the_tip_hash_of_a_tiny_branch_never_changes():
    branch = SimulatedChain(TINY).branch(TINY_FORK).branch(TINY_FORK + 5)
    assert branch.hash_at(branch.tip_height) == TINY_BRANCH_TIP_HASH


@pytest.mark.parametrize("fork", [TINY.start_height, 801, 850, -1])
@pytest.mark.parametrize("seed", [5, 6])
def test_the_days_of_a_branch_are_whole_and_the_last_one_is_final(fork, seed):
    options = replace(TINY, days=3, seed=seed)
    chain = SimulatedChain(options)
    branch = chain.branch(chain.tip_height if fork < 0 else fork)
    times = times_of(branch)
    assert (np.diff(times) >= 1).all()
    assert times[0] < options.start_time
    next_day = options.start_time + options.days * 86_400
    first_after = branch.first_height + int((times < next_day).sum())
    assert branch.tip_height >= max(chain.tip_height, first_after + 6)
    scan_at(branch, branch.tip_height)


def test_the_median_time_of_a_branch_spans_the_fork(branch):
    times = [branch.time_at(height) for height in range(FORK - 8, FORK + 3)]
    assert branch.median_time_at(FORK + 2) == times[5]


def test_a_branch_at_the_first_block_begins_where_the_chain_begins(small_chain):
    first = small_chain.first_height
    branch = small_chain.branch(first).branch(first)
    before, after = (parse_header(chain.header(first)) for chain in (small_chain, branch))
    assert after.prev_hash == before.prev_hash
    assert after.hash != before.hash
    assert branch.hash_at(0) == REGTEST.genesis_hash
    assert branch.height_of(REGTEST.genesis_hash) == 0


def test_a_hash_is_found_on_the_chain_that_has_it_only(small_chain, branch):
    twice = branch.branch(FORK + 10)
    for height in (FORK - 1, FORK + 9, FORK + 10):
        assert twice.height_of(twice.hash_at(height)) == height
    for other in (small_chain.hash_at(FORK), branch.hash_at(FORK + 10)):
        with pytest.raises(BlockNotFound):
            twice.height_of(other)


def test_a_hash_is_looked_for_up_to_a_height(branch):
    for height in (FORK - 1, FORK + 1):
        assert branch.height_of(branch.hash_at(height), height) == height
        with pytest.raises(BlockNotFound):
            branch.height_of(branch.hash_at(height), height - 1)


def test_the_newest_block_at_a_time_is_found_across_forks(small_chain):
    chain = small_chain.branch(FORK).branch(FORK + 10)
    times = times_of(chain)
    for height in (chain.first_height, FORK - 1, FORK, FORK + 9, FORK + 10, chain.tip_height):
        time = chain.time_at(height)
        for moment in (time - 1, time, time + 1):
            newest = chain.first_height + int((times <= moment).sum()) - 1
            assert chain.newest_at(moment) == max(chain.first_height, newest)


def test_a_branch_block_that_left_the_cache_is_made_again_the_same(branch):
    forgetful = SimulatedChain(SMALL, cache_bytes=1).branch(FORK)
    for height in (branch.tip_height, FORK, FORK - 1, branch.tip_height - 5):
        assert forgetful.raw_block(height) == branch.raw_block(height)


def test_only_the_blocks_that_are_asked_for_are_made():
    def made_next(chain, height):
        done = []
        chain.generate(height, progress=lambda one, _: done.append(one))
        return done

    chain = SimulatedChain(TINY)
    branch = chain.branch(TINY_FORK)
    assert branch.hash_at(TINY_FORK + 2)
    assert made_next(branch, TINY_FORK + 3) == [4]
    assert made_next(chain, TINY_FORK) == [TINY_FORK - chain.first_height + 1]


@pytest.mark.parametrize("height", [-1, 0, 1, 799, 10_000])
def test_where_there_is_no_block_there_is_no_branch(small_chain, height):
    with pytest.raises(BlockNotFound, match=f"no block at height {height}"):
        small_chain.branch(height)
