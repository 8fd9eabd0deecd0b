from dataclasses import replace
from threading import Thread

import numpy as np
import pytest

from tests.unit.simulation.conftest import SMALL
from utxoracle.bitcoin.header import parse_header
from utxoracle.bitcoin.network import REGTEST
from utxoracle.bitcoin.scan import hash_transactions, scan_block
from utxoracle.bitcoin.walk import walk
from utxoracle.errors import BlockNotFound
from utxoracle.price.estimate import estimate
from utxoracle.price.window import gather, link
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions

TINY = SimulationOptions(days=1, transactions=3, blocks_per_day=12)
TINY_TIP_HASH = "2d6da460537197ce32685b9dd692973311c6d086b85b04040f8d5bd811c998aa"


def heights_of(chain):
    return range(chain.first_height, chain.tip_height + 1)


def scan_at(chain, height):
    return scan_block(
        chain.raw_block(height),
        expected_hash=chain.hash_at(height),
        height=height,
        network=REGTEST,
    )


def test_every_block_passes_the_scan_and_links_to_the_one_before(small_chain):
    before = None
    for height in heights_of(small_chain):
        scan = scan_at(small_chain, height)
        assert before is None or scan.prev_hash == before.hash
        assert scan.time == small_chain.time_at(height)
        facts = small_chain.facts_at(height)
        assert (facts.size, facts.tx_count) == (scan.size, scan.tx_count)
        before = scan


def test_block_0_is_the_genesis_block_of_regtest(small_chain):
    assert small_chain.hash_at(0) == REGTEST.genesis_hash
    assert small_chain.height_of(REGTEST.genesis_hash) == 0
    assert parse_header(small_chain.header(0)).hash == REGTEST.genesis_hash
    assert len(small_chain.raw_block(0)) == 285
    assert scan_at(small_chain, 0).tx_count == 1
    assert small_chain.time_at(0) == parse_header(small_chain.header(0)).time


def test_a_chain_from_height_1_links_to_the_genesis_block():
    chain = SimulatedChain(replace(TINY, start_height=1))
    assert parse_header(chain.header(1)).prev_hash == REGTEST.genesis_hash
    for height in heights_of(chain):
        scan_at(chain, height)


def test_blocks_without_payments_hold_a_coinbase():
    chain = SimulatedChain(replace(TINY, transactions=0))
    assert {scan_at(chain, height).tx_count for height in heights_of(chain)} == {1}


def test_the_tip_hash_of_a_tiny_chain_never_changes():
    assert SimulatedChain(TINY).hash_at(SimulatedChain(TINY).tip_height) == TINY_TIP_HASH


def test_another_seed_gives_another_chain():
    other = SimulatedChain(replace(TINY, seed=2))
    assert other.hash_at(other.first_height) != SimulatedChain(TINY).hash_at(TINY.start_height)


def test_a_longer_chain_begins_with_the_blocks_of_a_shorter_one():
    short, long = SimulatedChain(TINY), SimulatedChain(replace(TINY, days=3))
    assert long.tip_height > short.tip_height
    assert long.hash_at(short.tip_height) == short.hash_at(short.tip_height)
    assert long.price_at(short.tip_height) == short.price_at(short.tip_height)


def test_a_block_that_left_the_cache_is_made_again_the_same(small_chain):
    forgetful = SimulatedChain(SMALL, cache_bytes=1)
    for height in (small_chain.tip_height, small_chain.first_height, small_chain.tip_height - 5):
        assert forgetful.raw_block(height) == small_chain.raw_block(height)


def test_several_threads_see_one_chain(small_chain):
    shared = SimulatedChain(SMALL, cache_bytes=1)
    seen = []

    def read(first):
        for height in range(first, shared.tip_height, 4):
            seen.append(shared.raw_block(height) == small_chain.raw_block(height))

    threads = [Thread(target=read, args=(shared.first_height + offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == shared.tip_height - shared.first_height
    assert all(seen)


@pytest.mark.parametrize("days", [1, 3])
def test_the_days_are_whole_and_the_last_one_is_final(days):
    options = replace(TINY, days=days, seed=5)
    chain = SimulatedChain(options)
    times = np.array([chain.time_at(height) for height in heights_of(chain)])
    assert (np.diff(times) >= 1).all()
    assert times[0] < options.start_time
    next_day = options.start_time + days * 86_400
    first_after = chain.first_height + int((times < next_day).sum())
    assert chain.tip_height >= first_after + 6


def test_blocks_per_day_vary_round_their_mean():
    chain = SimulatedChain(SimulationOptions(days=60))
    days = np.array([chain.time_at(height) // 86_400 for height in heights_of(chain)])
    counts = np.bincount(days - days[0])[1:61]
    assert counts.mean() == pytest.approx(144, abs=6)
    assert 6 < counts.std() < 20


@pytest.mark.parametrize("height", [-1, 1, 799, 10_000])
def test_a_height_without_a_block_is_named(small_chain, height):
    for ask in (small_chain.hash_at, small_chain.raw_block, small_chain.price_at):
        with pytest.raises(BlockNotFound, match=f"no block at height {height}; it has 0 and 800"):
            ask(height)


@pytest.mark.parametrize("block_hash", ["00" * 32, "xyz"])
def test_a_hash_without_a_block_is_not_found(small_chain, block_hash):
    with pytest.raises(BlockNotFound):
        small_chain.height_of(block_hash)


def test_transactions_are_of_many_kinds(small_chain):
    chain = SimulatedChain(replace(SMALL, transactions=200))
    raws = [
        chain.raw_block(height) for height in range(chain.first_height, chain.first_height + 20)
    ]
    layouts = [walk(raw) for raw in raws]
    scans = [scan_at(chain, chain.first_height + index) for index in range(20)]
    segwit = np.concatenate([layout.segwit for layout in layouts])
    assert 0.1 < 1 - segwit.mean() < 0.3
    candidates = sum(len(scan.candidates) for scan in scans)
    assert 0.6 < candidates / len(segwit) < 0.85
    known = set(np.concatenate([scan.txids for scan in scans]).tolist())
    spent = np.concatenate([scan.prev_txids for scan in scans]).tolist()
    assert 0.02 < sum(txid in known for txid in spent) / len(spent) < 0.5


def test_some_transactions_spend_earlier_ones_of_their_block():
    chain = SimulatedChain(replace(SMALL, transactions=200))
    raw = chain.raw_block(chain.first_height)
    layout = walk(raw)
    txids = hash_transactions(raw, layout)
    children = [
        (parent, child)
        for parent, txid in enumerate(txids)
        for child, (start, end) in enumerate(zip(layout.starts, layout.ends, strict=True))
        if raw.find(txid, start, end) >= 0
    ]
    assert children
    assert all(parent < child for parent, child in children)


def test_full_blocks_keep_within_the_weight_limit():
    chain = SimulatedChain(SimulationOptions(transactions=3000, seed=3))
    for height in range(chain.first_height, chain.first_height + 5):
        assert 2_500_000 < chain.facts_at(height).weight <= 4_000_000
        scan_at(chain, height)


def test_the_price_of_a_day_is_found_within_one_percent_of_the_true_one():
    chain = SimulatedChain(SimulationOptions(days=1))
    begin = chain.options.start_time
    heights = [one for one in heights_of(chain) if begin <= chain.time_at(one) < begin + 86_400]
    scans = [scan_at(chain, height) for height in heights]
    found = estimate(gather(link(scans)))
    true = np.mean([chain.price_at(height) for height in heights])
    assert found.price == pytest.approx(true, rel=0.01)


def test_progress_counts_every_block():
    calls = []
    chain = SimulatedChain(TINY)
    chain.generate(progress=lambda done, total: calls.append((done, total)))
    total = chain.tip_height - chain.first_height + 1
    assert calls == [(done, total) for done in range(1, total + 1)]
