from datetime import date

import pytest

from tests.reference import method
from tests.unit.jobs.conftest import CHAIN
from utxoracle.bitcoin.network import MAIN, REGTEST
from utxoracle.errors import DayUnavailable, PriceImpossible, UsageError, WrongNetwork
from utxoracle.jobs.price import DAY_LABEL, V91, WINDOW_LABEL, Question, price
from utxoracle.settings import Settings
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions
from utxoracle.sources.days import day_heights
from utxoracle.sources.factory import open_source

DAY = date(2025, 1, 2)


def true_average(heights):
    chain = SimulatedChain(SimulationOptions.parse(CHAIN.removeprefix("sim:")))
    return sum(map(chain.price_at, heights)) / len(heights)


def test_the_last_finished_day_is_priced_near_its_true_price(source):
    answer = price(source, Question(), network=REGTEST)
    heights = day_heights(source, DAY)
    assert answer.day == DAY
    assert answer.label == DAY_LABEL
    assert (answer.estimate.first_height, answer.estimate.last_height) == (heights[0], heights[-1])
    assert answer.estimate.price == pytest.approx(true_average(heights), rel=0.02)


def test_both_selections_agree_where_times_are_in_order(source):
    tiled = price(source, Question(day=DAY), network=REGTEST)
    searched = price(source, Question(day=DAY, selection=V91), network=REGTEST)
    assert tiled.estimate.price == searched.estimate.price
    assert tiled.label == searched.label == DAY_LABEL


def test_the_window_is_the_144_blocks_before_the_tip(source):
    answer = price(source, Question(window=True), network=REGTEST)
    tip, _ = source.tip()
    assert answer.label == WINDOW_LABEL
    assert answer.day is None
    assert (answer.estimate.first_height, answer.estimate.last_height) == (tip - 144, tip - 1)


def test_a_run_of_blocks_includes_both_ends_and_has_no_label(source):
    answer = price(source, Question(heights=(900, 960)), network=REGTEST)
    assert answer.label is None
    assert answer.estimate.blocks == 61


def test_a_window_equals_the_plain_implementation_to_the_last_bit(source):
    found = price(source, Question(heights=(900, 1043)), network=REGTEST, workers=2).estimate
    raws = [source.raw_block(source.hash_at(height)) for height in range(900, 1044)]
    plain = method.estimate(raws)
    assert (found.price, found.rough_price, found.deviation) == (
        plain.price,
        plain.rough,
        plain.deviation,
    )


def test_a_day_without_a_canonical_price_has_no_label():
    old = open_source("sim:seed=7,days=1,transactions=60,start=2023-12-14", Settings())
    answer = price(old, Question(), network=REGTEST)
    assert answer.day == date(2023, 12, 14)
    assert answer.label is None


def test_a_day_that_is_not_finished_is_refused(source):
    with pytest.raises(DayUnavailable, match="2025-01-03 isn't finished"):
        price(source, Question(day=date(2025, 1, 3)), network=REGTEST)


def test_a_day_of_too_few_blocks_has_no_price():
    slow = open_source("sim:seed=7,days=1,blocks_per_day=20,transactions=60", Settings())
    with pytest.raises(PriceImpossible, match="at least 36 blocks"):
        price(slow, Question(), network=REGTEST)


@pytest.mark.parametrize(
    ("heights", "message"), [((960, 900), "swap them"), ((900, 99_999), "there is no block 99999")]
)
def test_an_impossible_run_of_blocks_is_refused(source, heights, message):
    with pytest.raises(UsageError, match=message):
        price(source, Question(heights=heights), network=REGTEST)


def test_a_source_of_another_network_is_refused(source):
    with pytest.raises(WrongNetwork, match="follows regtest, not main"):
        price(source, Question(), network=MAIN)


def test_a_chain_without_payments_has_no_price():
    empty = open_source("sim:days=1,transactions=0", Settings())
    with pytest.raises(PriceImpossible, match=r"no output of 0.00001 to 100 BTC passes"):
        price(empty, Question(window=True), network=REGTEST)
