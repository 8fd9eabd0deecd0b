from statistics import correlation, fmean

import pytest

from tests.unit.api.conftest import NOW, window
from tests.unit.store.samples import FIRST_TIME
from utxoracle.api.entry import difference
from utxoracle.sources.days import DAY

NAMES = [
    "timeframe_days", "total_entries", "valid_entries", "avg_diff", "max_diff", "min_diff",
    "avg_diff_percent", "max_diff_percent", "min_diff_percent", "avg_abs_diff_percent",
    "correlation",
]  # fmt: skip
OLD_NAMES = [
    "avg_diff", "max_diff", "min_diff", "avg_diff_percent", "total_entries", "valid_entries",
    "timeframe_days",
]  # fmt: skip
"""What clients of the predecessor read."""

PAIRS = [(60_000.0, 61_000.0), (62_000.0, 61_500.0), (50_000.0, 50_000.0), (70_000.1, 69_999.9)]


@pytest.fixture(scope="module")
def filled(new_service):
    rows = [
        window(height, NOW - 600 * height, price, exchange)
        for height, (price, exchange) in enumerate(PAIRS)
    ]
    rows += [
        window(10, NOW, 60_000.0, None),
        window(11, NOW, 10.0, 60_000.0, reason="below the least price"),
        window(12, NOW, None, 60_000.0, reason="no price"),
        window(13, NOW - 3 * DAY, 30_000.0, 60_000.0),
    ]
    return new_service().store(rows)


def test_valid_prices_with_an_exchange_price_are_compared(filled):
    found = filled.get("/comparison?days=1").json
    assert [*found] == NAMES
    amounts, percents = zip(*(difference(*pair) for pair in PAIRS), strict=True)
    expected = {
        "timeframe_days": 1,
        "total_entries": len(PAIRS) + 3,
        "valid_entries": len(PAIRS),
        "avg_diff": fmean(amounts),
        "max_diff": max(amounts),
        "min_diff": min(amounts),
        "avg_diff_percent": fmean(percents),
        "max_diff_percent": max(percents),
        "min_diff_percent": min(percents),
        "avg_abs_diff_percent": fmean(map(abs, percents)),
        "correlation": correlation(*zip(*PAIRS, strict=True)),
    }
    assert found == pytest.approx(expected, rel=1e-12)


def test_clients_of_the_predecessor_find_what_they_read(filled):
    for days in (1, 7, 365):
        found = filled.get(f"/comparison?days={days}").json
        assert set(OLD_NAMES) <= set(found)
        assert found["timeframe_days"] == days
    assert filled.get("/comparison").json == filled.get("/comparison?days=7").json


def test_a_range_is_told_by_its_days_and_takes_its_beginning_in(filled):
    first = NOW - 600
    found = filled.get(f"/comparison?from={first}&to={NOW + 1}").json
    assert found["total_entries"] == 2 + 3
    assert found["timeframe_days"] == pytest.approx(601 / DAY)
    assert filled.get(f"/comparison?from={first + 1}&to={NOW}").json["total_entries"] == 0
    assert filled.get("/comparison?from=2025-11-20&to=2025-11-22").json["timeframe_days"] == 2
    for query in (f"from={first}", f"to={NOW + 1}"):
        assert filled.get(f"/comparison?{query}").json["timeframe_days"] is None


def test_where_nothing_is_to_compare_all_is_null(service):
    nothing = dict.fromkeys(NAMES) | {"timeframe_days": 7, "total_entries": 0, "valid_entries": 0}
    assert service.get("/comparison").json == nothing
    service.store([window(1, NOW, 60_000.0, None), window(2, NOW, 60_000.0, reason="it jumps")])
    assert service.get("/comparison").json == nothing | {"total_entries": 2}


def test_one_price_correlates_with_nothing(service):
    service.store([window(1, NOW)])
    found = service.get("/comparison").json
    assert found["valid_entries"] == 1
    assert found["avg_diff"] == found["max_diff"] == found["min_diff"] == 1000.0
    assert found["correlation"] is None


def test_an_answer_stays_the_same_for_ten_minutes(service):
    service.now = FIRST_TIME
    seen = service.get("/comparison").headers["ETag"]
    service.now += 599
    assert service.get("/comparison", If_None_Match=seen).status_code == 304
    service.now += 1
    assert service.get("/comparison", If_None_Match=seen).status_code == 200


@pytest.mark.parametrize(
    "query",
    ["days=0", "days=36501", "days=x", "days=1&from=2025-01-01", "from=2025-01-02&to=2025-01-01",
     "from=never", "interval=day", "format=json", "days=1%27%20OR%201=1", "to=" + "9" * 3000],
)  # fmt: skip
def test_what_can_not_be_answered_is_400_and_says_why(filled, query):
    answer = filled.get(f"/comparison?{query}")
    assert answer.status_code == 400
    assert 0 < len(answer.json["error"]["detail"]) < 250
