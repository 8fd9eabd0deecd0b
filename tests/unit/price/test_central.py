from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import method
from utxoracle.price.central import central

PRICES = st.floats(50_000, 70_000)


def check_central(points: list[float], low: float, high: float) -> float:
    found = central(np.array(points), low, high)
    price, deviation = method.central(points, low, high)
    assert found is not None
    assert (found.price, found.deviation) == (price, deviation)
    assert found.points == sum(low < point < high for point in points)
    return found.price


@given(st.lists(PRICES, min_size=1, max_size=200))
def test_any_points_have_the_centre_of_the_reference(points):
    check_central(points, 49_000, 71_000)


@given(st.lists(PRICES, max_size=60), PRICES, PRICES)
def test_only_points_between_the_bounds_count(points, one, other):
    low, high = min(one, other), max(one, other)
    if any(low < point < high for point in points):
        check_central(points, low, high)
    else:
        assert central(np.array(points), low, high) is None


@given(st.lists(st.sampled_from([60_000.1, 60_000.2, 61_000.3]), min_size=1, max_size=30))
def test_repeated_points_have_the_centre_of_the_reference(points):
    check_central(points, 0, 100_000)


def test_for_an_even_number_float_noise_decides_between_the_middle_two():
    random = Random(7)
    upper = 0
    for _ in range(600):
        size = 2 * random.randint(1, 60)
        points = [random.gauss(97_000, 1500) for _ in range(size)]
        ordered = sorted(points)
        price = check_central(points, 90_000, 104_000)
        assert price in ordered[size // 2 - 1 : size // 2 + 1]
        upper += price == ordered[size // 2]
    # Neither always the lower nor always the upper one: it has to be computed.
    assert 10 < upper < 590


@pytest.mark.parametrize("size", [9_999, 10_000, 50_000])
def test_many_points_add_up_from_left_to_right(size):
    random = Random(size)
    check_central([random.gauss(61_000, 900) for _ in range(size)], 58_000, 64_000)


def test_an_odd_number_has_its_median():
    assert check_central([3.0, 1.0, 2.0], 0, 10) == 2.0


def test_the_bounds_are_open():
    assert check_central([1.0, 2.0, 3.0], 1.0, 3.0) == 2.0
    assert central(np.array([1.0, 3.0]), 1.0, 3.0) is None


def test_no_points_have_no_centre():
    assert central(np.empty(0), 0, 10) is None


@pytest.mark.parametrize(
    ("points", "deviation"),
    [([5.0], 0.0), ([1.0, 2.0, 4.0], 1.0), ([1.0, 2.0, 4.0, 9.0, 10.0], 3.0)],
)
def test_the_deviation_is_the_median_distance(points, deviation):
    found = central(np.array(points), 0, 100)
    assert found is not None
    assert found.deviation == deviation


def test_for_an_even_number_the_deviation_is_the_mean_of_the_middle_distances():
    found = central(np.array([10.0, 11.0, 14.0, 20.0]), 0, 100)
    assert found is not None
    distances = sorted(abs(point - found.price) for point in (10.0, 11.0, 14.0, 20.0))
    assert found.deviation == (distances[1] + distances[2]) / 2
