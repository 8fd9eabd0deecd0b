import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import method
from utxoracle.price.scatter import shown_range

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
