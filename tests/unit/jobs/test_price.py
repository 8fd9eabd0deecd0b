from datetime import date

import pytest

from tests.reference import method
from tests.unit.jobs.conftest import CHAIN
from utxoracle.bitcoin.encoding import hex_to_hash
from utxoracle.bitcoin.header import parse_header
from utxoracle.bitcoin.network import MAIN, REGTEST
from utxoracle.errors import (
    BlockCorrupt,
    BlockNotFound,
    DayUnavailable,
    PriceImpossible,
    SourceError,
    UsageError,
    WrongNetwork,
)
from utxoracle.jobs.price import DAY_LABEL, V91, WINDOW_LABEL, Question, price
from utxoracle.settings import Settings
from utxoracle.simulation.block import mine_header
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions
from utxoracle.sources.days import BlockTimes, day_heights
from utxoracle.sources.factory import open_source

DAY = date(2025, 1, 2)


def true_average(heights):
    chain = SimulatedChain(SimulationOptions.parse(CHAIN.removeprefix("sim:")))
    return sum(map(chain.price_at, heights)) / len(heights)


def test_the_last_finished_day_is_priced_near_its_true_price(source):
    answer = price(source, Question(), network=REGTEST)
    heights = day_heights(BlockTimes(source), DAY)
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


class Lying:
    """The real source, but for the headers of some heights, and perhaps for its end."""

    def __init__(self, source, headers, tip=None):
        self.may_lack_genesis = False
        self.end = tip or source.tip()[0]
        self.source = source
        self.name = source.name
        self.by_height = headers
        self.by_hash = {parse_header(header).hash: header for header in headers.values()}

    def tip(self):
        return self.end, self.hash_at(self.end)

    def hash_at(self, height):
        header = self.by_height.get(height)
        return parse_header(header).hash if header else self.source.hash_at(height)

    def header(self, block_hash):
        return self.by_hash.get(block_hash) or self.source.header(block_hash)

    def raw_block(self, block_hash):
        return self.source.raw_block(block_hash)


def chained(prev_hash, heights, time):
    """Headers with proof of work at regtest's target, one behind the other."""
    headers = {}
    for height in heights:
        headers[height] = mine_header(hex_to_hash(prev_hash), bytes(32), time)
        prev_hash = parse_header(headers[height]).hash
    return headers


def test_a_day_that_forged_headers_cut_short_is_refused(source):
    heights = day_heights(BlockTimes(source), DAY)
    next_day = parse_header(source.header(source.hash_at(heights.stop))).time
    stop = heights[60]
    for prev_hash in ("00" * 32, source.hash_at(stop - 2)):
        forged = chained(prev_hash, range(stop, stop + 12), next_day)
        with pytest.raises(SourceError, match="not of one chain"):
            price(Lying(source, forged, stop + 11), Question(day=DAY), network=REGTEST)


def test_a_forged_header_before_the_day_is_refused(source):
    before = day_heights(BlockTimes(source), DAY)[0] - 1
    early = parse_header(source.header(source.hash_at(before))).time
    forged = chained("00" * 32, [before], early)
    with pytest.raises(SourceError, match="not of one chain"):
        price(Lying(source, forged), Question(day=DAY), network=REGTEST)


@pytest.mark.parametrize("place", ["begin", "end", "behind"])
def test_forged_headers_move_no_day_of_the_original_search_either(source, place):
    heights = day_heights(BlockTimes(source), DAY)
    first, stop = heights[0], heights.stop
    where = {
        "begin": (range(first, first + 40), -80_000),
        "end": (range(stop - 40, stop), 80_000),
        "behind": (range(stop, stop + 7), -80_000),
    }
    forged = {}
    for height in where[place][0]:
        header = source.header(source.hash_at(height))
        time = parse_header(header).time + where[place][1]
        forged[height] = mine_header(header[4:36], header[36:68], time)
    with pytest.raises((SourceError, DayUnavailable)):
        price(Lying(source, forged), Question(day=DAY, selection=V91), network=REGTEST)


def test_headers_without_proof_of_work_end_no_day(source):
    heights = day_heights(BlockTimes(source), DAY)
    real = source.header(source.hash_at(heights.stop))
    easy = real[:72] + (0x03000001).to_bytes(4, "little") + real[76:]
    with pytest.raises(BlockCorrupt, match=f"header {heights.stop} .* no proof of work"):
        price(Lying(source, {heights.stop: easy}), Question(day=DAY), network=REGTEST)


def test_a_window_whose_tip_is_of_another_chain_is_refused(source):
    tip, _ = source.tip()
    forged = chained("00" * 32, [tip], 1)
    with pytest.raises(SourceError, match="not of one chain"):
        price(Lying(source, forged), Question(window=True), network=REGTEST)


class FailingOnce(Lying):
    """Says once that a block isn't there."""

    def __init__(self, source, height):
        super().__init__(source, {})
        self.height = height

    def hash_at(self, height):
        if height == self.height:
            self.height = None
            raise BlockNotFound(f"no block {height} for a moment")
        return super().hash_at(height)


@pytest.mark.parametrize("place", ["first", "stop"])
@pytest.mark.parametrize("offset", range(-2, 8))
def test_a_source_that_fails_once_never_moves_a_day(source, place, offset):
    heights = day_heights(BlockTimes(source), DAY)
    honest = price(source, Question(day=DAY), network=REGTEST).estimate
    failing = FailingOnce(source, (heights[0] if place == "first" else heights.stop) + offset)
    try:
        found = price(failing, Question(day=DAY), network=REGTEST).estimate
    except (DayUnavailable, SourceError):
        return
    assert (found.first_height, found.last_height) == (honest.first_height, honest.last_height)


def test_more_blocks_than_a_month_are_refused(source):
    long = Lying(source, chained("00" * 32, [10**6], 1), 10**6)
    with pytest.raises(UsageError, match="at most 4,320"):
        price(long, Question(heights=(0, 5000)), network=REGTEST)


class WithoutGenesis(Lying):
    def hash_at(self, height):
        if height == 0:
            raise BlockNotFound("no block 0")
        return super().hash_at(height)


def test_only_a_folder_may_lack_the_block_that_tells_its_network(source):
    hiding = WithoutGenesis(source, {})
    with pytest.raises(BlockNotFound):
        price(hiding, Question(), network=REGTEST)
    hiding.may_lack_genesis = True
    assert price(hiding, Question(), network=REGTEST).day == DAY
