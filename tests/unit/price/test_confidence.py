import pytest
from hypothesis import given
from hypothesis import strategies as st

from utxoracle.price.confidence import confidence

GOOD = {
    "deviation": 300.0,
    "price": 60_000.0,
    "points": 5000,
    "spike_score": 0.02,
    "rival_spike_score": 0.015,
}


def with_changed(**changed) -> float:
    return confidence(**(GOOD | changed))


@given(
    st.floats(0, 5_000),
    st.floats(5_000, 600_000),
    st.integers(1, 10**6),
    st.floats(1e-6, 1),
    st.floats(0, 1),
)
def test_confidence_lies_between_0_and_1(deviation, price, points, score, share):
    assert (
        0
        <= with_changed(
            deviation=deviation,
            price=price,
            points=points,
            spike_score=score,
            rival_spike_score=share * score,
        )
        <= 1
    )


@pytest.mark.parametrize(
    ("name", "better_to_worse"),
    [
        ("deviation", [0.0, 100.0, 300.0, 900.0, 1400.0]),
        ("points", [100_000, 5_000, 500, 50, 5, 1]),
        ("rival_spike_score", [0.0, 0.01, 0.015, 0.019, 0.0199]),
    ],
)
def test_confidence_falls_with_scatter_with_few_points_and_with_a_close_rival(
    name, better_to_worse
):
    values = [with_changed(**{name: value}) for value in better_to_worse]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == len(values)


def test_points_spread_evenly_over_the_band_deserve_no_confidence():
    assert with_changed(deviation=0.025 * 60_000) == 0
    assert with_changed(deviation=0.04 * 60_000) == 0


def test_a_rival_as_good_as_the_best_leaves_no_confidence():
    assert with_changed(rival_spike_score=GOOD["spike_score"]) == 0


def test_spikes_that_fit_nowhere_leave_no_confidence():
    assert with_changed(spike_score=0.0, rival_spike_score=0.0) == 0
