import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chains import some_btc
from tests.reference import method
from utxoracle.price.histogram import EDGES, bin_of, clean, count
from utxoracle.price.rough import (
    FIRST_SLIDE,
    LAST_SLIDE,
    SMOOTH_END,
    SMOOTH_WEIGHT,
    rough_price,
    smooth_scores,
    spike_scores,
)
from utxoracle.price.stencil import PLACES, SMOOTH, SPIKE_WEIGHTS

SLIDES = np.arange(-141, 201)


def shares_of(amounts: list[float]) -> np.ndarray:
    return clean(count(bin_of(np.array(amounts))))


def shares_holding(held: dict[int, float]) -> np.ndarray:
    shares = np.zeros(len(EDGES))
    for place, share in held.items():
        shares[place] = share
    return shares


def all_scores(shares: np.ndarray) -> list[float]:
    scores = spike_scores(shares, SLIDES)
    smooth = smooth_scores(shares, SLIDES)
    return [
        float(spike + hill * SMOOTH_WEIGHT) if slide < SMOOTH_END else float(spike)
        for slide, spike, hill in zip(SLIDES.tolist(), scores, smooth, strict=True)
    ]


def weighted_price(shares: list[float], best: int, neighbour: int, score: float) -> float:
    """Return the price before it is truncated, if the neighbour has this score."""
    scores = method.slide_scores(shares)
    average = sum(scores) / 342
    a1, a2 = scores[best + 141] - average, abs(score - average)
    first, second = (100 / method.EDGES[601 + best + step] for step in (0, neighbour))
    return (a1 * first + a2 * second) / (a1 + a2)


def test_the_stencils_are_those_of_the_reference():
    assert SMOOTH.tolist() == method.SMOOTH
    assert SPIKE_WEIGHTS == method.SPIKES
    assert list(SPIKE_WEIGHTS) == sorted(SPIKE_WEIGHTS)
    assert len(SPIKE_WEIGHTS) == 29
    assert PLACES == len(method.SMOOTH) == 803
    assert len(SLIDES) == 342
    assert (FIRST_SLIDE, LAST_SLIDE) == (-141, 200)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 2000), st.floats(5_000, 600_000))
def test_scores_and_rough_price_equal_the_reference(seed, number, price):
    shares = shares_of(some_btc(seed, number, price))
    scores = method.slide_scores(shares.tolist())
    assert all_scores(shares) == scores
    best, best_score = method.best_slide(scores)
    try:
        expected = method.rough_price(shares.tolist())
    except method.NoPrice:
        assert rough_price(shares) is None
        return
    rough = rough_price(shares)
    assert rough is not None
    assert (rough.price, rough.slide, rough.score) == (expected, best, best_score)
    assert type(rough.price) is int
    far = [score for slide, score in zip(SLIDES, scores, strict=True) if abs(slide - best) >= 9]
    assert rough.rival_score == max(far)


@settings(max_examples=40)
@given(
    st.dictionaries(st.integers(201, 1600), st.floats(0, 0.008), max_size=40),
)
def test_the_rough_price_of_any_shares_equals_the_reference(held):
    shares = shares_holding(held)
    rough = rough_price(shares)
    try:
        expected = method.rough_price(shares.tolist())
    except method.NoPrice:
        assert rough is None
    else:
        assert rough is not None
        assert rough.price == expected
        assert (rough.slide, rough.score) == method.best_slide(method.slide_scores(shares.tolist()))


def test_the_hundred_dollar_place_meets_bin_601_at_slide_0():
    shares = shares_holding({601: 0.008})
    spikes = spike_scores(shares, SLIDES)
    assert spikes[141] == 0.008 * SPIKE_WEIGHTS[402]
    assert spikes[142] == 0.008 * SPIKE_WEIGHTS[401]


@pytest.mark.parametrize("slide", [149, 150])
def test_from_slide_150_on_only_the_spikes_count(slide):
    shares = shares_holding({601 + slide: 0.008})
    scores = all_scores(shares)
    assert scores == method.slide_scores(shares.tolist())
    hill = smooth_scores(shares, np.array([slide]))[0]
    assert hill > 0
    spike = 0.008 * SPIKE_WEIGHTS[402]
    assert scores[slide + 141] == (spike + hill * 0.65 if slide < 150 else spike)


def test_a_tie_goes_to_the_first_slide():
    # One bin far to the right of where the hill ends: only the spike of place 801 meets it.
    held = {1000 + 199: 0.008, 1000 + 195: 0.008}
    shares = shares_holding(held)
    scores = method.slide_scores(shares.tolist())
    assert scores.count(max(scores)) == 2
    rough = rough_price(shares)
    assert rough is not None
    assert rough.slide == scores.index(max(scores)) - 141


def test_the_neighbours_score_has_no_smooth_part():
    shares = shares_of(some_btc(1, 2000, 61_803.0))
    plain = shares.tolist()
    rough = rough_price(shares)
    assert rough is not None
    up, down = (method.overlap(plain, method.SPIKE, rough.slide + step) for step in (1, -1))
    step, spike_only = (-1, down) if down > up else (1, up)
    whole = method.slide_scores(plain)[rough.slide + step + 141]
    assert rough.price == int(weighted_price(plain, rough.slide, step, spike_only))
    assert rough.price != int(weighted_price(plain, rough.slide, step, whole))


def test_the_rough_price_is_truncated_not_rounded():
    for seed in range(20):
        shares = shares_of(some_btc(seed, 500, 98_765.0))
        plain = shares.tolist()
        rough = rough_price(shares)
        assert rough is not None
        up, down = (method.overlap(plain, method.SPIKE, rough.slide + step) for step in (1, -1))
        step, score = (-1, down) if down > up else (1, up)
        exact = weighted_price(plain, rough.slide, step, score)
        assert rough.price == int(exact)
        if exact - rough.price > 0.5:
            return
    pytest.fail("no price with a large fraction came up")


@pytest.mark.parametrize(("best", "neighbour"), [(-141, -1), (200, 1)])
def test_the_neighbour_may_lie_outside_the_slides(best, neighbour):
    held = {601 + best + place - 402: weight for place, weight in SPIKE_WEIGHTS.items()}
    held = {place: weight for place, weight in held.items() if 201 <= place <= 1600}
    # Seen from the neighbour, the strongest place meets a bin as well.
    held[601 + best + neighbour + 401 - 402] = 0.008
    shares = shares_holding(held)
    rough = rough_price(shares)
    assert rough is not None
    assert rough.slide == best
    assert rough.price == method.rough_price(shares.tolist())
    one, other = (100 / method.EDGES[601 + best + step] for step in (0, neighbour))
    assert min(one, other) < rough.price < max(one, other)


def test_equal_neighbours_give_the_upper_one():
    shares = shares_holding({601 + 180 + 399: 0.008})
    rough = rough_price(shares)
    assert rough is not None
    spikes = spike_scores(shares, np.array([rough.slide - 1, rough.slide + 1]))
    assert spikes[0] == spikes[1] == 0
    assert rough.price == method.rough_price(shares.tolist())
    first, second = (100 / EDGES[601 + rough.slide + step] for step in (0, 1))
    assert second < rough.price < first


@pytest.mark.parametrize("held", [{}, {1300: 0.008}, {1202: 0.008, 1600: 0.001}])
def test_without_a_slide_that_stands_out_there_is_no_rough_price(held):
    shares = shares_holding(held)
    assert rough_price(shares) is None
    with pytest.raises(method.NoPrice):
        method.rough_price(shares.tolist())


@pytest.mark.parametrize(("distance", "is_rival"), [(8, False), (9, True), (30, True)])
def test_a_rival_is_at_least_nine_bins_away(distance, is_rival):
    shares = shares_holding({199 + 160 + 601: 0.008, 199 + 160 + 601 + distance: 0.0079})
    rough = rough_price(shares)
    assert rough is not None
    assert rough.slide == 160
    assert (rough.rival_score == 0.0079 * SPIKE_WEIGHTS[601]) is is_rival
