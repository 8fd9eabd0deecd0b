from datetime import date, datetime
from decimal import Decimal

import pytest

from utxoracle.jobs.migration.old_values import boolean, day, decimal, integer, moment


def test_a_day_may_be_written_as_its_midnight():
    assert day("date", "2025-11-01") == day("date", "2025-11-01 00:00:00") == date(2025, 11, 1)
    with pytest.raises(ValueError, match="date is '2025-11-01 03:00:00', not a date"):
        day("date", "2025-11-01 03:00:00")


@pytest.mark.parametrize("text", ["9999999999.99", "-9999999999.99", "0.10", "1e5", "3.1400"])
def test_a_number_that_fits_is_taken_exactly(text):
    assert decimal("price", text, digits=12, places=2) == Decimal(text)


@pytest.mark.parametrize(
    "text", ["10000000000", "-10000000000", "0.001", "nan", "inf", "-inf", "1e400", "", "1,5"]
)
def test_a_number_is_never_rounded(text):
    with pytest.raises(ValueError, match=r"not a DECIMAL\(12, 2\)"):
        decimal("price", text, digits=12, places=2)


def test_a_whole_number_has_32_bits():
    assert [integer("n", text) for text in ("-2147483648", "2147483647")] == [-(2**31), 2**31 - 1]
    for text in ("-2147483649", "2147483648"):
        with pytest.raises(ValueError, match="not an INTEGER"):
            integer("n", text)


def test_true_and_false_are_told_apart():
    assert [boolean("b", text) for text in ("true", "1", "false", "0")] == [
        True,
        True,
        False,
        False,
    ]
    with pytest.raises(ValueError, match="b is '', not a BOOLEAN"):
        boolean("b", "")


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("2025-11-01 03:00:00", datetime(2025, 11, 1, 3)),
        ("2025-11-01 03:00:00.5", datetime(2025, 11, 1, 3, 0, 0, 500_000)),
        ("2025-11-01 03:00:00.123456", datetime(2025, 11, 1, 3, 0, 0, 123_456)),
        ("2025-11-01 03:00:00+02", datetime(2025, 11, 1, 1)),
        ("2025-11-01 03:00:00.5-05:30", datetime(2025, 11, 1, 8, 30, 0, 500_000)),
        ("2025-11-01", datetime(2025, 11, 1)),
    ],
)
def test_a_time_is_taken_as_it_stands_or_in_utc(text, stamp):
    assert moment("created_at", text) == stamp


def test_what_is_refused_is_shown_in_part():
    with pytest.raises(ValueError, match="not a TIMESTAMP") as caught:
        moment("created_at", "x" * 10_000)
    assert len(str(caught.value)) < 200
