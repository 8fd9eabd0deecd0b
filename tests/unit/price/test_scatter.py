import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chains import some_btc
from tests.reference import method
from tests.unit.price.test_estimate import window_of
from utxoracle.price.estimate import Estimate, estimate
from utxoracle.price.scatter import MOST_SHOWN, shown_range, thinned_points

PRICE = 100_000.0


def spread_points(spread: float) -> np.ndarray:
    """Return points whose deviation within 10 % is `spread` of the whole band."""
    return np.array([PRICE, PRICE - spread * 0.2 * PRICE, PRICE + spread * 0.2 * PRICE])


def shares_of(points: np.ndarray) -> tuple[float, float]:
    low, high = shown_range(points, PRICE)
    return 1 - low / PRICE, high / PRICE - 1


@pytest.mark.parametrize(
    ("spread", "share"),
    [(0.0, 0.05), (0.1, 0.05), (0.17, 0.05), (0.185, 0.10), (0.2, 0.15), (0.215, 0.2), (0.4, 0.2)],
)
def test_the_range_follows_the_spread_of_the_points(spread, share):
    assert shares_of(spread_points(spread)) == pytest.approx((share, share), rel=1e-9)


def test_without_points_the_range_is_the_narrowest():
    assert shares_of(np.empty(0)) == pytest.approx((0.05, 0.05))


@given(st.lists(st.floats(80_000, 120_000), min_size=1, max_size=80))
def test_the_range_is_the_formula_of_the_method(points):
    low, high = PRICE - 0.1 * PRICE, PRICE + 0.1 * PRICE
    if not any(low < point < high for point in points):
        return
    deviation = method.central(points, low, high)[1]
    share = 0.05 + (deviation / (high - low) - 0.17) * ((0.15 - 0.05) / (0.20 - 0.17))
    share = min(max(share, 0.05), 0.2)
    assert shown_range(np.array(points), PRICE) == (PRICE * (1 - share), PRICE * (1 + share))


def estimate_of(count: int) -> Estimate:
    """Return the estimate of as many amounts, spread over the blocks of a window."""
    return estimate(window_of(some_btc(3, count, PRICE)))


def in_range(found: Estimate) -> set[tuple[int, float]]:
    low, high = shown_range(found.point_prices, found.price)
    points = zip(found.point_heights.tolist(), found.point_prices.tolist(), strict=True)
    return {(height, price) for height, price in points if low < price < high}


def test_a_plot_gets_all_points_in_its_range_when_they_are_few():
    found = estimate_of(3000)
    heights, prices = thinned_points(found)
    assert set(zip(heights.tolist(), prices.tolist(), strict=True)) == in_range(found)
    assert (np.diff(heights) >= 0).all()


def test_many_points_are_thinned_evenly_and_the_same_way_every_time():
    found = estimate_of(40_000)
    heights, prices = thinned_points(found)
    assert len(heights) == len(prices) == MOST_SHOWN
    every = in_range(found)
    assert set(zip(heights.tolist(), prices.tolist(), strict=True)) < every
    # Every tenth of the blocks, and each side of the price, keeps its share.
    for kept, share in (
        (np.histogram(heights, 10)[0], np.histogram([height for height, _ in every], 10)[0]),
        (np.histogram(prices, 4)[0], np.histogram([price for _, price in every], 4)[0]),
    ):
        assert kept / len(prices) == pytest.approx(share / len(every), abs=0.01)
    again = thinned_points(found)
    assert (again[0] == heights).all()
    assert (again[1] == prices).all()
