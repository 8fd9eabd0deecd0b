import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import Block, build_block, pay
from tests.chains import some_btc, some_chain
from tests.reference import method
from utxoracle.errors import DataError, PriceImpossible
from utxoracle.price.confidence import confidence
from utxoracle.price.estimate import MIN_DAY_BLOCKS, Estimate, estimate, estimate_day
from utxoracle.price.histogram import clean
from utxoracle.price.rough import rough_price
from utxoracle.price.window import NO_PARENT, LinkedBlock, Window, gather, link


def window_of(amounts: list[float], blocks: int = 144) -> Window:
    """Return a window of transactions that pay one amount each, spread over its blocks."""
    sats = np.array([round(btc * 1e8) for btc in amounts], np.int64)
    assert (sats / 1e8).tolist() == amounts
    values = np.stack([sats, np.zeros_like(sats)], axis=1)
    block_values = np.split(
        values, np.searchsorted(block_indices(amounts, blocks), range(1, blocks))
    )
    return gather(
        [
            LinkedBlock(
                height=1000 + index,
                hash="",
                prev_hash="",
                time=0,
                size=0,
                txids=np.empty(0, np.uint64),
                values=inside,
                parents=np.full(len(inside), NO_PARENT),
                known_from=1000,
            )
            for index, inside in enumerate(block_values)
        ]
    )


def block_indices(amounts: list[float], blocks: int = 144) -> list[int]:
    return sorted(number % blocks for number in range(len(amounts)))


def chain_window(chain: list[Block]) -> Window:
    return gather(link([block.scan() for block in chain]))


def check_estimate(window: Window, expected: method.Result) -> Estimate:
    found = estimate(window)
    assert found.price == expected.price
    assert found.rough_price == expected.rough
    assert found.deviation == expected.deviation
    assert (found.slide, found.slide_score) == (expected.best, expected.best_score)
    assert found.tx_count == expected.amounts.tx_count
    assert found.outputs == len(expected.amounts.btc)
    assert found.points == len(expected.points)
    assert found.point_prices.tolist() == expected.points
    indices = [height - window.first_height for height in found.point_heights.tolist()]
    assert indices == expected.point_blocks
    assert (found.first_height, found.last_height) == (window.first_height, window.last_height)
    assert found.blocks == window.blocks
    far = [
        score
        for slide, score in enumerate(method.slide_scores(expected.histogram), -141)
        if abs(slide - expected.best) >= 9
    ]
    assert found.rival_score == max(far)
    assert 0 <= found.confidence <= 1
    return found


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(0, 40), st.floats(12_000, 450_000))
def test_the_price_of_any_chain_equals_the_reference(seed, blocks, transactions, price):
    chain = some_chain(seed, blocks=blocks, transactions=transactions, price=price)
    try:
        expected = method.estimate([block.raw for block in chain])
    except method.NoPrice:
        with pytest.raises(PriceImpossible):
            estimate(chain_window(chain))
    else:
        check_estimate(chain_window(chain), expected)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 1500), st.floats(5_000, 550_000))
def test_the_price_of_any_amounts_equals_the_reference(seed, number, price):
    amounts = some_btc(seed, number, price)
    window = window_of(amounts)
    try:
        expected = method.estimate_amounts(
            method.Amounts(amounts, block_indices(amounts), len(amounts))
        )
    except method.NoPrice:
        with pytest.raises(PriceImpossible):
            estimate(window)
    else:
        check_estimate(window, expected)


@pytest.mark.parametrize("price", [20_000, 42_000, 97_531, 180_000, 400_000])
def test_the_price_that_was_put_in_is_found(price):
    found = estimate(window_of(some_btc(price, 4000, price)))
    assert found.price == pytest.approx(price, rel=0.01)
    assert found.rough_price == pytest.approx(price, rel=0.03)
    assert found.deviation < 0.02 * price


def test_the_estimate_carries_its_confidence():
    window = window_of(some_btc(3, 4000, 60_000))
    found = estimate(window)
    points = found.point_prices
    inside = np.abs(points - found.rough_price) < 0.05 * found.rough_price
    rough = rough_price(clean(window.counts))
    assert found.confidence == confidence(
        deviation=found.deviation,
        price=found.price,
        points=int(inside.sum()),
        spike_score=rough.spike_score,
        rival_spike_score=rough.rival_spike_score,
    )
    assert found.points > inside.sum()


def test_at_6200_dollars_the_method_locks_on_ten_times_the_price():
    amounts = some_btc(5, 6000, 6_200)
    found = estimate(window_of(amounts))
    assert found.price == pytest.approx(62_000, rel=0.02)
    assert found.price == method.estimate_amounts(method.Amounts(amounts, [0] * 6000)).price


def test_a_tip_excluded_from_its_window_changes_nothing():
    assert method.window_heights(1000) == list(range(856, 1000))
    chain = some_chain(11, blocks=4, transactions=60, price=70_000)
    linked = link([block.scan() for block in chain])
    before_tip = estimate(gather(linked[:-1]))
    assert before_tip.last_height == chain[-1].height - 1
    assert before_tip.price == method.estimate([block.raw for block in chain[:-1]]).price
    assert before_tip.outputs < gather(linked).outputs


# What can't be priced.


def refused(window: Window, match: str) -> str:
    with pytest.raises(PriceImpossible, match=match) as caught:
        estimate(window)
    assert isinstance(caught.value, DataError)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_empty_blocks_have_no_price():
    chain = [build_block(height=100), build_block(height=101)]
    assert "blocks 100 to 101" in refused(
        chain_window(chain), r"no output of 0.00001 to 100 BTC passes"
    )


@pytest.mark.parametrize("values", [(1000, 999), (10**13, 2**64 - 1)])
def test_blocks_whose_outputs_dont_count_have_no_price(values):
    chain = [build_block(pay(*values), height=100)]
    assert "block 100:" in refused(chain_window(chain), r"no output of 0.00001 to 100 BTC passes")


@pytest.mark.parametrize("btc", [100.5, 5_000.0])
def test_outputs_above_100_btc_alone_have_no_price(btc):
    refused(window_of([btc] * 50), "no output")
    with pytest.raises(method.NoPrice):
        method.estimate_amounts(method.Amounts([btc] * 50, [0] * 50))


def test_outputs_where_no_stencil_reaches_have_no_price():
    refused(window_of([5.5, 20.1, 37.0]), "no round dollar amounts stand out")


WITHOUT_POINTS = {
    "only the stencil's $10,000 meets them": ([0.9123] * 20, 0),
    "round amounts of bitcoin": ([0.0007, 0.0014] * 20, 0),
    "a point 12 % away": ([0.0007, 0.0014] * 20 + [0.001568], 1),
}


@pytest.mark.parametrize("kind", WITHOUT_POINTS)
def test_amounts_without_a_point_near_the_rough_price_have_no_price(kind):
    amounts, points = WITHOUT_POINTS[kind]
    with pytest.raises(method.NoPrice, match="no point"):
        method.estimate_amounts(method.Amounts(amounts, [0] * len(amounts)))
    refused(window_of(amounts), rf"no price point lies within 5 % .* of {points} in all")


def test_a_day_of_one_block_has_no_price():
    amounts = some_btc(3, 4000, 60_000)
    with pytest.raises(PriceImpossible, match=rf"at least {MIN_DAY_BLOCKS} blocks"):
        estimate_day(window_of(amounts, blocks=1))
    with pytest.raises(PriceImpossible, match="this one has 35"):
        estimate_day(window_of(amounts, blocks=MIN_DAY_BLOCKS - 1))
    assert estimate(window_of(amounts, blocks=1)).blocks == 1


def test_a_day_with_enough_blocks_is_priced_like_any_window():
    window = window_of(some_btc(3, 4000, 60_000), blocks=MIN_DAY_BLOCKS)
    assert estimate_day(window).price == estimate(window).price
