import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import method
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


def test_a_plot_gets_all_points_in_its_range_when_they_are_few():
    prices = np.linspace(80_000, 120_000, 4001)
    heights = np.arange(4001)
    shown_heights, shown = thinned_points(heights, prices, 100_000.0)
    low, high = shown_range(prices, 100_000.0)
    assert shown.tolist() == [price for price in prices if low < price < high]
    assert (prices[shown_heights] == shown).all()


def test_many_points_are_thinned_evenly_and_the_same_way_every_time():
    prices = np.random.default_rng(1).uniform(80_000, 120_000, 300_000)
    heights = np.arange(300_000)
    shown_heights, shown = thinned_points(heights, prices, 100_000.0)
    assert len(shown) == MOST_SHOWN
    assert (np.diff(shown_heights) > 0).all()
    # Every twentieth of the blocks keeps its share.
    counts, _ = np.histogram(shown_heights, 20, (0, 300_000))
    assert counts.min() > MOST_SHOWN / 20 * 0.9
    again = thinned_points(heights, prices, 100_000.0)
    assert (again[0] == shown_heights).all()
    assert (again[1] == shown).all()
