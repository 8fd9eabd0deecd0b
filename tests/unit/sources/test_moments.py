import pytest

from utxoracle.sources.moments import LATEST_MOMENT, read_moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1769860800", 1769860800),
        (str(LATEST_MOMENT), LATEST_MOMENT),
        ("2026-01-31", 1769817600),
        ("2026-01-31T12:00", 1769860800),
        ("2026-01-31 12:00:00", 1769860800),
        ("2026-01-31T12:00:00Z", 1769860800),
        ("2026-01-31T13:00:00+01:00", 1769860800),
    ],
)
def test_a_moment_is_read_in_every_spelling(text, seconds):
    assert read_moment(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "-1", str(LATEST_MOMENT + 1), "9" * 16, "2026-02-30", "31.01.2026", "1969-12-31", "²",
     "2026-01-31T25:00", "0001-01-01T00:00+23:00", "yesterday"],
)  # fmt: skip
def test_what_is_no_moment_is_none(text):
    assert read_moment(text) is None
