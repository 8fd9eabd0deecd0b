import pytest
from falcon import HTTPBadRequest, Request, RequestOptions
from falcon.testing import create_environ

from utxoracle.api.parameters import choice, moment, only, whole


def request(query):
    options = RequestOptions()
    options.keep_blank_qs_values = True
    return Request(create_environ("/", query_string=query), options=options)


def refused(read, *arguments):
    with pytest.raises(HTTPBadRequest) as caught:
        read(*arguments)
    detail = caught.value.description
    assert "\n" not in detail
    assert len(detail) < 250
    return detail


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("36500", 36500), ("007", 7)])
def test_a_whole_number_is_read(text, number):
    assert whole(request(f"days={text}"), "days", 1, 36500) == number


def test_what_is_not_given_is_none():
    assert whole(request(""), "days", 1, 2) is None
    assert choice(request(""), "interval", ("hour",)) is None
    assert moment(request(""), "from") is None


@pytest.mark.parametrize(
    "text",
    ["", "0", "36501", "-1", "%2B1", "1.0", "1e3", "0x10", "seven", "1_0", "%201", "1%00",
     "%D9%A3", "9" * 5000, "1;DROP TABLE blocks", "NaN", "1%0A", "²", "%FF"],
)  # fmt: skip
def test_what_is_no_whole_number_in_range_is_refused(text):
    detail = refused(whole, request(f"days={text}"), "days", 1, 36500)
    assert detail.startswith("days must be a whole number from 1 to 36500, not ")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1769860800", 1_769_860_800),
        ("2026-01-31", 1_769_817_600),
        ("2026-01-31T12:00:00Z", 1_769_860_800),
        ("2026-01-31T12:00", 1_769_860_800),
        ("2026-01-31%2012:00:00", 1_769_860_800),
        ("2026-01-31T13:30:00%2B01:30", 1_769_860_800),
        ("2026-01-31T13:30:00+01:30", 1_769_860_800),
        ("2026-01-31T10:00:00-02:00", 1_769_860_800),
    ],
)
def test_a_moment_is_read(text, seconds):
    assert moment(request(f"time={text}"), "time") == seconds


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-02-30", "2026-13-01", "2026-01-31T25:00:00Z", "1969-12-31", "-1",
     "4294967297", "2107-01-01", "2026-1-1", "2026-01-31T12:00:00.5Z", "0001-01-01T00:00+23:59",
     "2026-01-31Z", "9999-12-31", "2026-01-31T12:00:00%2B99:99", "%D9%A2026-01-31", "' OR 1=1 --",
     "x" * 10_000],
)  # fmt: skip
def test_what_is_no_moment_is_refused(text):
    assert refused(moment, request(f"time={text}"), "time").startswith("time must be a moment")


def test_a_choice_is_one_of_those_there_are():
    assert choice(request("interval=hour"), "interval", ("block", "hour")) == "hour"
    for text in ("", "Hour", "hours", "block,hour"):
        detail = refused(choice, request(f"interval={text}"), "interval", ("block", "hour"))
        assert detail.startswith("interval must be one of block, hour, not ")


def test_a_misspelt_parameter_is_told_with_those_there_are():
    only(request("days=1"), ("days", "interval"))
    detail = refused(only, request("dayz=1"), ("days", "interval"))
    assert detail == "there is no parameter 'dayz' here; there are: days, interval"
    assert refused(only, request("a=1"), ()) == "there is no parameter 'a' here; there are: none"
    assert "more than once" in refused(only, request("days=1&days=2"), ("days",))
