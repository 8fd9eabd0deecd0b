from math import inf, nan, nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utxoracle.price.validity import Limits, diverges, invalid_reason

LIMITS = Limits(
    min_price=10_000,
    max_price=500_000,
    min_outputs=1_000,
    min_points=500,
    min_confidence=0.25,
    max_jump=10,
)
GOOD = {
    "price": 60_000.0,
    "outputs": 400_000,
    "points": 300_000,
    "confidence": 0.8,
    "before": 61_000.0,
}


def reason(**changed) -> str | None:
    return invalid_reason(**(GOOD | changed), limits=LIMITS)


def test_a_price_within_all_limits_is_valid():
    assert reason() is None


@pytest.mark.parametrize("price", [None, nan, inf, -inf, 0.0, -1.0])
def test_what_is_no_price_is_not_valid(price):
    assert reason(price=price) == "no price"


REASONS = {
    "price $9,000 is below $10,000": {"price": 9_000.0},
    "price $612,345 is above $500,000": {"price": 612_345.4},
    "12 outputs are fewer than 1,000": {"outputs": 12},
    "499 points are fewer than 500": {"points": 499},
    "confidence 0.1234 is below 0.25": {"confidence": 0.12341},
    "price $60,000 is 20.00 % away from $50,000 before, more than 10 %": {"before": 50_000.0},
    "price $60,000 is 25.00 % away from $80,000 before, more than 10 %": {"before": 80_000.0},
}


@pytest.mark.parametrize("phrase", REASONS)
def test_each_reason_names_its_numbers(phrase):
    assert reason(**REASONS[phrase]) == phrase


def test_the_first_figure_that_fails_is_the_reason():
    figures = {"price": 9_000.0, "outputs": 9, "points": 9, "confidence": 0.1, "before": 9e4}
    begins = []
    for name in list(figures):
        begins.append(" ".join(str(reason(**figures)).split()[:2]))
        figures[name] = GOOD[name]
    assert begins == ["price $9,000", "9 outputs", "9 points", "confidence 0.1000", "price $60,000"]
    assert reason(**figures) is None


BORDERS = [
    ({"price": 10_000.0, "before": None}, {"price": nextafter(10_000, 0), "before": None}),
    ({"price": 500_000.0, "before": None}, {"price": nextafter(500_000, inf), "before": None}),
    ({"outputs": 1_000}, {"outputs": 999}),
    ({"points": 500}, {"points": 499}),
    ({"confidence": 0.25}, {"confidence": nextafter(0.25, 0)}),
    ({"price": 66_000.0, "before": 60_000.0}, {"price": 66_000.1, "before": 60_000.0}),
    ({"price": 54_000.0, "before": 60_000.0}, {"price": 53_999.9, "before": 60_000.0}),
]


@pytest.mark.parametrize(("at_the_limit", "beyond"), BORDERS)
def test_a_figure_at_its_limit_is_valid_and_one_beyond_is_not(at_the_limit, beyond):
    assert reason(**at_the_limit) is None
    assert reason(**beyond) is not None


def test_a_confidence_that_is_not_a_number_is_not_valid():
    assert reason(confidence=nan) == "confidence nan is below 0.25"


@pytest.mark.parametrize("before", [None, nan, 0.0])
def test_without_a_price_before_there_is_no_jump(before):
    assert reason(before=before) is None


def test_without_limits_any_price_is_valid():
    nothing = Limits(0, inf, 0, 0, 0, inf)
    assert (
        invalid_reason(price=1e-9, outputs=0, points=0, confidence=0, before=1e9, limits=nothing)
        is None
    )


@given(st.floats(5_000, 600_000), st.none() | st.floats(5_000, 600_000))
def test_a_reason_is_one_short_line(price, before):
    found = reason(price=price, before=before)
    assert found is None or ("\n" not in found and len(found) < 90)


# The gap to the exchange price.


@pytest.mark.parametrize(
    ("price", "exchange", "expected"),
    [
        (100_000.0, 103_000.0, True),
        (100_000.0, nextafter(103_000, 0), False),
        (100_000.0, 97_000.0, True),
        (100_000.0, nextafter(97_000, inf), False),
        (100_000.0, 100_000.0, False),
        # Percent of the on-chain price: of the exchange price it would be 2.95.
        (97_000.0, 99_950.0, True),
    ],
)
def test_a_gap_of_so_many_percent_or_more_diverges(price, exchange, expected):
    assert diverges(price, exchange, 3) is expected


@pytest.mark.parametrize("missing", [None, nan, inf, 0.0, -5.0])
def test_without_both_prices_nothing_is_said(missing):
    assert diverges(missing, 60_000.0, 3) is None
    assert diverges(60_000.0, missing, 3) is None
