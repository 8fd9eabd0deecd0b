from math import isclose

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chains import some_btc
from tests.reference import method
from utxoracle.price.points import ROUND_BTC_AMOUNTS, USD_AMOUNTS, is_round_btc, price_points


def judged(sats: list[int]) -> list[bool]:
    return is_round_btc(np.array(sats) / 1e8).tolist()


def exact_round_list() -> list[float]:
    """Return the round amounts without the error that adding up brings."""
    ranges = [(5, 10, 10**5), (10, 100, 10**5), (10, 100, 10**4), (10, 100, 1000), (10, 100, 100)]
    return [number / unit for start, end, unit in ranges for number in range(start, end)]


def test_the_round_list_is_made_by_adding_up():
    assert ROUND_BTC_AMOUNTS.tolist() == method.ROUND_LIST
    assert len(ROUND_BTC_AMOUNTS) == 366
    sizes = (5, 90, 91, 90, 90)
    ends = np.cumsum(sizes)
    starts = ROUND_BTC_AMOUNTS[ends - sizes]
    assert starts.tolist() == [0.00005, 0.0001, 0.001, 0.01, 0.1]
    assert ROUND_BTC_AMOUNTS[ends[2] - 1] == 0.009999999999999995
    assert ROUND_BTC_AMOUNTS[ends[2]] == 0.01
    assert ROUND_BTC_AMOUNTS[-1] < 1


def test_amounts_round_every_border_are_judged_as_the_reference_does():
    sats = set()
    for number in method.ROUND_LIST:
        for border in (number - 0.0001 * number, number + 0.0001 * number):
            sats |= {round(border * 1e8) + off for off in range(-3, 4)}
    values = sorted(sats)
    assert judged(values) == [method.is_round(value / 1e8) for value in values]


def test_the_error_of_adding_up_decides_at_some_borders():
    exact = exact_round_list()

    def exactly_round(btc: float) -> bool:
        return any(r - 0.0001 * r < btc < r + 0.0001 * r for r in exact)

    for sats in (30_003, 130_013):
        assert judged([sats]) == [method.is_round(sats / 1e8)] == [not exactly_round(sats / 1e8)]

    borders = {round(r * 1e8 * (1 + side)) for r in exact for side in (-0.0001, 0.0001)}
    values = sorted({value + off for value in borders for off in range(-3, 4)})
    ours = judged(values)
    assert sum(one != exactly_round(v / 1e8) for one, v in zip(ours, values, strict=True)) == 257


@pytest.mark.parametrize(
    ("sats", "is_round"),
    [
        (4_000, False),
        (5_000, True),
        (10_000, True),
        (11_000, True),
        (11_500, False),
        (100_000, True),
        (105_000, False),
        (110_000, True),
        (1_000_000, True),
        (99_000_000, True),
        (100_000_000, False),
        (99_009_899, True),
        (99_009_901, False),
    ],
)
def test_round_amounts_are_recognised(sats, is_round):
    assert judged([sats]) == [method.is_round(sats / 1e8)] == [is_round]


@given(st.lists(st.integers(1001, 2 * 10**8), max_size=100))
def test_any_amounts_are_judged_as_the_reference_does(sats):
    assert judged(sats) == [method.is_round(value / 1e8) for value in sats]


def check_points(amounts: list[float], rough: int) -> list[float]:
    """Compare the points of those amounts that aren't round, in the order of the reference."""
    usable = sorted(btc for btc in amounts if not method.is_round(btc))
    which, prices = price_points(np.array(usable), rough)
    points, indices = method.price_points(method.Amounts(usable, list(range(len(usable)))), rough)
    order = np.argsort(which, kind="stable")
    assert prices[order].tolist() == points
    assert which[order].tolist() == indices
    return points


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(0, 400), st.integers(5_000, 600_000))
def test_points_equal_the_reference_in_order(seed, number, rough):
    check_points(some_btc(seed, number, rough * 1.01), rough)


@given(st.lists(st.integers(1001, 10**13 - 1), max_size=60), st.integers(9_999, 510_000))
def test_points_of_any_amounts_equal_the_reference(sats, rough):
    check_points([value / 1e8 for value in sats], rough)


@given(st.integers(9_999, 510_000))
def test_amounts_at_the_borders_of_every_dollar_amount_equal_the_reference(rough):
    amounts = []
    for usd in USD_AMOUNTS:
        c = usd / rough
        for border in (c - 0.25 * c, c + 0.25 * c):
            amounts += [border, float(np.nextafter(border, 0)), float(np.nextafter(border, 1))]
    check_points(amounts, rough)


def test_an_amount_between_two_dollar_amounts_gives_several_points():
    points = check_points([0.000123457], 100_000)
    assert [round(point * 0.000123457) for point in points] == [10, 15]
    points = check_points([0.000223457], 100_000)
    assert [round(point * 0.000223457) for point in points] == [20, 25]


def test_forty_and_twenty_five_dollars_give_points_though_no_stencil_has_them():
    assert any(isclose(point * 0.000253457, 25) for point in check_points([0.000253457], 100_000))
    assert any(isclose(point * 0.000403457, 40) for point in check_points([0.000403457], 100_000))


def test_a_window_of_25_percent_is_open_at_both_ends():
    c = 5 / 100_000
    low, high = c - 0.25 * c, c + 0.25 * c
    assert check_points([low], 100_000) == []
    assert len(check_points([float(np.nextafter(low, 1))], 100_000)) == 1
    assert 5 / high not in check_points([high], 100_000)


def test_points_come_dollar_amount_by_dollar_amount():
    amounts = np.array([0.000107, 0.000123, 0.000147])
    which, prices = price_points(amounts, 100_000)
    assert which.tolist() == [0, 1, 1, 2]
    assert prices.tolist() == [10 / 0.000107, 10 / 0.000123, 15 / 0.000123, 15 / 0.000147]


def test_no_amounts_give_no_points():
    which, prices = price_points(np.empty(0), 50_000)
    assert len(which) == len(prices) == 0
