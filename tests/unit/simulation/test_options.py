from math import inf, nan

import pytest

from utxoracle.errors import UsageError
from utxoracle.simulation.options import SimulationOptions


def test_an_empty_text_means_the_defaults():
    assert SimulationOptions.parse("") == SimulationOptions()


def test_options_are_read_from_keys_and_values():
    options = SimulationOptions.parse("seed=7, days=2,price=16000.5,start=2024-02-29")
    assert options == SimulationOptions(seed=7, days=2, price=16_000.5, start="2024-02-29")


def test_options_are_written_as_they_are_read():
    options = SimulationOptions(seed=3, volatility=0.05, start="2024-05-01")
    assert SimulationOptions.parse(str(options)) == options


def test_regtest_is_read_from_1_and_0_and_begins_at_height_1():
    options = SimulationOptions.parse("regtest=1,days=2")
    assert options == SimulationOptions(regtest=True, days=2, start_height=1)
    assert SimulationOptions.parse(str(options)) == options
    assert SimulationOptions.parse("regtest=0") == SimulationOptions()


def test_regtest_is_not_written_where_it_is_off():
    assert "regtest" not in str(SimulationOptions())
    assert str(SimulationOptions(regtest=True)).endswith(",noise=0.6,regtest=1")


def test_another_first_height_than_1_is_refused_with_regtest():
    with pytest.raises(UsageError, match=r"start_height must be 1 with regtest, .* not 500"):
        SimulationOptions(regtest=True, start_height=500)


def test_equal_options_are_written_the_same():
    assert str(SimulationOptions(price=70_000, start="20250101")) == str(
        SimulationOptions(price=70_000.0, start="2025-01-01")
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("day=3", "'day=3' is not a simulation option"),
        ("seed", "'seed' is not a simulation option"),
        ("seed=1,seed=2", "seed is given twice"),
        ("seed=one", "seed must be a whole number"),
        ("days=1.5", "days must be a whole number"),
        ("price=cheap", "price must be a number"),
        ("regtest=yes", "regtest must be 1 or 0, not 'yes'"),
    ],
)
def test_a_text_that_is_no_options_is_refused_with_the_valid_keys(text, named):
    with pytest.raises(UsageError, match=named) as caught:
        SimulationOptions.parse(text)
    assert "seed, days, transactions, price" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1),
        ("days", 0),
        ("transactions", 3001),
        ("price", nan),
        ("price", inf),
        ("volatility", -0.01),
        ("start", "yesterday"),
        ("start", "1999-01-01"),
        ("start_height", 0),
        ("blocks_per_day", 3),
        ("noise", 1.01),
    ],
)
def test_an_option_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(UsageError, match=f"simulation option {name} "):
        SimulationOptions(**{name: value})


def test_the_start_is_a_utc_midnight():
    assert SimulationOptions(start="2025-01-01").start_time == 1_735_689_600
