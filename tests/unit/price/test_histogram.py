from itertools import pairwise
from math import log10

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chains import some_btc
from tests.reference import method
from utxoracle.price.histogram import (
    EDGES,
    FIRST_BIN,
    LAST_BIN,
    ROUND_BTC_BINS,
    bin_of,
    clean,
    count,
)

AMOUNTS = st.lists(
    st.one_of(
        st.integers(1001, 10**13 - 1),
        st.integers(1001, 10**6),
        st.sampled_from([round(edge * 1e8) for edge in method.EDGES[202:2200]]),
    ).map(lambda sats: sats / 1e8),
    min_size=1,
    max_size=300,
)


def bins_holding(held: dict[int, float]) -> np.ndarray:
    counts = np.zeros(len(EDGES))
    for place, number in held.items():
        counts[place] = number
    return counts


def walked_bin_of(btc: float) -> int:
    """Return the bin as the original finds it: a guess by logarithm, then upwards."""
    place = int((log10(btc) + 6) / 12 * 2401)
    while method.EDGES[place] <= btc:
        place += 1
    return place - 1


def test_the_edges_are_those_of_the_reference():
    assert EDGES.tolist() == method.EDGES
    assert len(EDGES) == 2401


FIRST_OF_DECADE = {0: 0.0, 1: 1e-6, 201: 1e-5, 401: 1e-4, 601: 1e-3, 801: 0.01, 1001: 0.1}
FIRST_OF_DECADE |= {1201: 1.0, 1401: 10.0, 1601: 100.0, 2201: 1e5, 2400: 10**5.995}


@pytest.mark.parametrize(("place", "edge"), FIRST_OF_DECADE.items())
def test_each_decade_begins_at_its_bin(place, edge):
    assert EDGES[place] == edge


def test_amounts_round_every_edge_fall_into_the_bin_of_the_reference():
    sats = {round(edge * 1e8) + off for edge in method.EDGES[1:2201] for off in range(-3, 4)}
    amounts = [value / 1e8 for value in sorted(sats) if 1000 < value < 10**13]
    assert len(amounts) > 13_000
    assert bin_of(np.array(amounts)).tolist() == [method.bin_of(btc) for btc in amounts]
    assert [walked_bin_of(btc) for btc in amounts] == [method.bin_of(btc) for btc in amounts]


def test_an_edge_itself_belongs_to_the_bin_above():
    assert bin_of(EDGES).tolist() == list(range(2401))
    assert bin_of(np.nextafter(EDGES[1:], 0)).tolist() == list(range(2400))


@given(AMOUNTS)
def test_every_step_equals_the_reference(amounts):
    check_cleaning(amounts)


def check_cleaning(amounts: list[float]) -> None:
    counted = method.count_amounts(amounts)
    assert count(bin_of(np.array(amounts))).tolist() == counted
    try:
        expected = method.cleaned(counted)
    except method.NoPrice:
        assert not clean(np.array(counted)).any()
    else:
        assert clean(np.array(counted)).tolist() == expected


@given(st.integers(0, 2**32), st.integers(1, 3000), st.floats(10_000, 500_000))
def test_the_histogram_of_priced_amounts_equals_the_reference(seed, number, price):
    amounts = some_btc(seed, number, price)
    check_cleaning(amounts)


def test_cleaning_leaves_the_counts_alone():
    counts = bins_holding({0: 5, 401: 1, 700: 3, 2000: 2})
    before = counts.copy()
    clean(counts)
    assert (counts == before).all()


def test_the_far_ends_count_for_nothing():
    many = dict.fromkeys(range(202, 401), 1.0)
    ends = {0: 9.0, 200: 9.0, 1601: 9.0, 2400: 9.0}
    assert (clean(bins_holding(many | ends)) == clean(bins_holding(many))).all()
    # The round bins 201 and 401 take half of a neighbour each.
    assert clean(bins_holding(many | {1600: 1.0}))[1600] == 1 / (199 + 1 + 0.5 + 0.5)


def test_bin_201_is_halved_because_its_lower_neighbour_is_nothing():
    spread = dict.fromkeys(range(800, 1000), 1.0)
    shares = clean(bins_holding(spread | {199: 50.0, 200: 50.0, 201: 70.0, 202: 1.0}))
    assert shares[201] == shares[202] / 2 > 0


@pytest.mark.parametrize("place", ROUND_BTC_BINS)
def test_a_round_bin_becomes_the_mean_of_its_neighbours(place):
    spread = dict.fromkeys(range(1300, 1600), 1.0)
    shares = clean(bins_holding(spread | {place - 1: 1.0, place: 500.0, place + 1: 2.0}))
    below = 0.0 if place == 201 else shares[place - 1]
    assert shares[place] == pytest.approx((below + shares[place + 1]) / 2, rel=1e-12)


def test_the_round_bins_are_the_documented_ones():
    assert list(ROUND_BTC_BINS) == method.ROUND_BINS
    assert all(other - one > 1 for one, other in pairwise(ROUND_BTC_BINS))
    assert not {402, 1202, 1261, 1401} & set(ROUND_BTC_BINS)


def test_the_cap_is_not_spread_over_the_others_and_the_sum_is_taken_before():
    shares = clean(bins_holding({300: 990.0, 310: 10.0 - 4, 320: 4.0}))
    assert shares[300] == 0.008
    assert shares[310] == 6 / 1000
    assert shares[320] == 4 / 1000


def test_a_share_of_exactly_the_cap_stays():
    shares = clean(bins_holding({300: 8.0, 310: 992.0}))
    assert shares[300] == 8 / 1000 == 0.008


def test_the_sum_is_taken_over_bins_201_to_1600():
    assert (FIRST_BIN, LAST_BIN) == (201, 1600)
    held = {202: 1.0, 1600: 1.0} | dict.fromkeys(range(1300, 1500), 1.0)
    # 202 gives the round bin 201 half as much again.
    assert clean(bins_holding(held))[1600] == 1 / (202 + 0.5)


def test_nothing_that_counts_leaves_nothing():
    assert not clean(bins_holding({0: 1.0, 1700: 5.0})).any()
    assert not clean(bins_holding({461: 5.0})).any()
