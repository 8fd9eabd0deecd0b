"""Chains that a real node on regtest takes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.unit.simulation.consensus import Node, Refused
from tests.unit.simulation.test_chain import heights_of, scan_at
from utxoracle.errors import UsageError
from utxoracle.price.estimate import estimate
from utxoracle.price.window import gather, link
from utxoracle.settings import Settings
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions

OPTIONS = SimulationOptions(days=1, transactions=180, blocks_per_day=12, regtest=True)
COIN_BLOCKS = (549, 550)
FIRST_PAYMENT = 695
FORKS = (550, 720, 780)
TIP_HASH = "6779cb2ff664641218d4fd4c930fe3a6ee00c9309b89d9030c138a806d605ae2"
SMALL = SimulationOptions(days=1, transactions=20, blocks_per_day=12, regtest=True)
WINDOW = 144
DAY = 86_400


@pytest.fixture(scope="module")
def chain():
    return SimulatedChain(OPTIONS)


@pytest.fixture(scope="module")
def nodes(chain):
    """Return a node that took all blocks up to some heights, by height."""
    node = Node()
    nodes = {}
    for height in (*(fork - 1 for fork in FORKS), chain.tip_height):
        let_take(node, chain, height)
        nodes[height] = node.fork()
    return nodes


def let_take(node, chain, last):
    """Give a node the blocks of a chain that it hasn't got, up to a height."""
    for height in range(node.height + 1, last + 1):
        node.take(chain.raw_block(height))


def found_in(chain, heights):
    return estimate(gather(link([scan_at(chain, height) for height in heights])))


def test_a_node_takes_every_block_from_the_first_on(chain, nodes):
    assert chain.first_height == 1
    node = nodes[chain.tip_height]
    assert node.hash[::-1].hex() == chain.hash_at(node.height)


def test_without_the_option_a_node_refuses_the_chain():
    with pytest.raises(Refused, match="missingorspent"):
        let_take(Node(), SimulatedChain(replace(SMALL, regtest=False, start_height=1)), 1)


def let_take_branches(node, chain):
    """Give a node four blocks of a branch, then all of a branch of that."""
    branch = chain.branch(node.height + 1)
    let_take(node, branch, node.height + 4)
    twice = branch.branch(node.height + 1)
    let_take(node, twice, twice.tip_height)
    assert branch.hash_at(branch.tip_height) != twice.hash_at(twice.tip_height)
    assert chain.tip_height <= branch.tip_height <= twice.tip_height


@pytest.mark.parametrize("fork", FORKS)
def test_a_node_takes_branches(chain, nodes, fork):
    let_take_branches(nodes[fork - 1].fork(), chain)


@pytest.mark.parametrize("fork", [1, 300, 449, 450, 549, 694])
def test_a_node_takes_branches_from_below_the_first_payment(fork):
    chain = SimulatedChain(SMALL)
    node = Node()
    let_take(node, chain, fork - 1)
    let_take_branches(node, chain)


def test_a_branch_pays_for_the_same_at_prices_that_are_not_lower(chain):
    branch = chain.branch(FIRST_PAYMENT + 30)
    heights = range(FIRST_PAYMENT + 30, chain.tip_height + 1)
    ratios = np.array([branch.price_at(one) / chain.price_at(one) for one in heights])
    assert ratios.min() >= 1
    assert ratios.max() > 1.005
    own, trunk = scan_at(branch, heights[-1]), scan_at(chain, heights[-1])
    assert own.tx_count == trunk.tx_count
    assert (own.values <= trunk.values).all()
    assert (own.values < trunk.values).sum() > len(own.values) / 2


def test_a_branch_that_is_longer_ends_in_blocks_without_payments(chain):
    branch = chain.branch(chain.tip_height - 2)
    counts = [
        branch.facts_at(one).tx_count for one in range(chain.tip_height, branch.tip_height + 1)
    ]
    assert counts[0] > 150
    assert counts[1:] == [1] * (branch.tip_height - chain.tip_height)
    assert len(counts) > 2


def test_a_branch_from_below_the_first_payment_keeps_times_and_prices(chain):
    branch = chain.branch(500)
    assert branch.tip_height == chain.tip_height
    for height in (500, FIRST_PAYMENT, chain.tip_height):
        assert branch.time_at(height) == chain.time_at(height)
        assert branch.price_at(height) == chain.price_at(height)
        assert branch.hash_at(height) != chain.hash_at(height)


def test_coins_lie_still_for_a_window_before_they_are_spent(chain):
    with_payments = [one for one in heights_of(chain) if chain.facts_at(one).tx_count > 1]
    assert with_payments == [*COIN_BLOCKS, *range(FIRST_PAYMENT, chain.tip_height + 1)]
    assert FIRST_PAYMENT - COIN_BLOCKS[-1] > WINDOW
    assert chain.time_at(FIRST_PAYMENT) < chain.options.start_time


def test_a_few_transactions_spend_one_of_the_block_before(chain):
    scans = [scan_at(chain, one) for one in range(FIRST_PAYMENT, chain.tip_height + 1)]
    for before, after in pairwise(scans):
        assert np.isin(after.prev_txids, before.txids).sum() <= 9
    transactions = gather(link(scans)).tx_count
    candidates = sum(len(one.candidates) for one in scans)
    assert 0.02 < 1 - transactions / candidates < 0.06


def test_the_prices_of_a_day_and_of_a_window_are_found():
    chain = SimulatedChain(SimulationOptions(days=1, transactions=40, regtest=True))
    begin, tip = chain.options.start_time, chain.tip_height
    day = [one for one in heights_of(chain) if begin <= chain.time_at(one) < begin + DAY]
    limits = Settings()
    for heights in (day, range(tip - WINDOW, tip)):
        found = found_in(chain, heights)
        true = np.mean([chain.price_at(height) for height in heights])
        assert found.price == pytest.approx(true, rel=0.01)
        assert found.confidence > limits.min_confidence
        assert found.outputs > limits.min_outputs
        assert found.points > limits.min_points


def test_blocks_that_left_the_cache_are_made_again_the_same(chain):
    forgetful = SimulatedChain(OPTIONS, cache_bytes=1)
    for height in (chain.tip_height, FIRST_PAYMENT, *COIN_BLOCKS, 1):
        assert forgetful.raw_block(height) == chain.raw_block(height)


def test_the_tip_hash_never_changes(chain):
    assert chain.hash_at(chain.tip_height) == TIP_HASH


def test_the_median_time_of_the_first_blocks_counts_block_0(chain):
    times = sorted(chain.time_at(height) for height in range(5))
    assert chain.median_time_at(4) == times[2]


def test_a_chain_can_be_without_payments():
    chain = SimulatedChain(replace(SMALL, transactions=0))
    let_take(Node(), chain, chain.tip_height)


def test_full_blocks_keep_within_the_limit_of_weight():
    chain = SimulatedChain(replace(OPTIONS, transactions=3000, price=1e6))
    weights = [chain.facts_at(height).weight for height in (549, 550, 551)]
    assert min(weights) > 2_500_000
    assert max(weights) <= 4_000_000


def test_windows_stay_whole_where_days_have_more_blocks_than_a_window():
    chain = SimulatedChain(replace(OPTIONS, transactions=1, blocks_per_day=300))
    counts = [chain.facts_at(one).tx_count for one in range(550, 851)]
    assert counts[:300] == [1] * 300


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"days": 5},
            r"13,075 BTC pay for \d+ of \d+ blocks of 300 transactions at 60000 USD; lower",
        ),
        ({"price": 10_000}, "or raise price"),
        ({"start": "2011-02-05", "transactions": 3}, "too early with regtest.* give a later day"),
    ],
)
def test_what_regtest_can_not_pay_for_is_one_line(changed, message):
    with pytest.raises(UsageError, match=message) as caught:
        SimulatedChain(SimulationOptions(regtest=True, **changed))
    assert "\n" not in str(caught.value)
