import pytest
from falcon import HTTPBadRequest, Request, RequestOptions
from falcon.testing import create_environ

from utxoracle.api.ranges import TimeRange, time_range
from utxoracle.sources.days import DAY

NOW = 1_763_769_700.9
START = 1_763_769_600


def asked(query, **others):
    options = RequestOptions()
    options.keep_blank_qs_values = True
    request = Request(create_environ("/", query_string=query), options=options)
    return time_range(request, NOW, days=7, **others)


@pytest.mark.parametrize(("query", "days"), [("", 7), ("days=1", 1), ("days=36500", 36_500)])
def test_days_end_with_now_and_are_open_to_blocks_stamped_ahead(query, days):
    assert asked(query) == TimeRange(START - days * DAY, None, days)


def test_days_begin_at_a_multiple_of_what_is_wanted():
    assert asked("days=1", step=DAY) == TimeRange(1_763_683_200 - 1_763_683_200 % DAY, None, 1)
    assert asked("days=36500", step=DAY).start % DAY == 0


@pytest.mark.parametrize(
    ("query", "expected", "bounds"),
    [
        ("from=86400&to=259200", TimeRange(DAY, 3 * DAY, 2), (DAY, 3 * DAY)),
        ("from=0&to=43200", TimeRange(0, DAY // 2, 0.5), (0, DAY // 2)),
        ("from=0", TimeRange(0, None, None), (0, 2**32)),
        ("to=0", TimeRange(None, 0, None), (0, 0)),
        ("from=4294967296", TimeRange(2**32, None, None), (2**32, 2**32)),
    ],
)
def test_moments_are_taken_as_they_are_given(query, expected, bounds):
    found = asked(query)
    assert found == expected
    assert found.bounds == bounds


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("days=7&from=0", "give either days, or from and to"),
        ("days=7&to=0", "give either days, or from and to"),
        ("from=1&to=1", "from must be a moment before to"),
        ("from=2&to=1", "from must be a moment before to"),
        ("days=0", "days must be a whole number from 1 to 36500, not '0'"),
    ],
)
def test_what_does_not_go_together_is_refused(query, detail):
    with pytest.raises(HTTPBadRequest) as caught:
        asked(query)
    assert caught.value.description == detail
