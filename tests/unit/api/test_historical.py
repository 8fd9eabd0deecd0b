import csv
import json
from datetime import UTC, datetime
from io import StringIO
from random import Random

import pytest

from tests.unit.api.conftest import NOW, window
from tests.unit.store.samples import FIRST_TIME
from utxoracle.api import historical
from utxoracle.api.entry import window_entry
from utxoracle.sources.days import DAY
from utxoracle.store.series import INTERVALS
from utxoracle.store.snapshot import Snapshot

HOUR = 3600
NAMES = [
    "timestamp", "height", "utxoracle_price", "mempool_price", "diff_amount", "diff_percent",
    "confidence", "tx_count", "is_valid", "invalid_reason", "diverges",
]  # fmt: skip
OLD_NAMES = [
    "timestamp", "utxoracle_price", "mempool_price", "confidence", "tx_count", "diff_amount",
    "diff_percent", "is_valid",
]  # fmt: skip
"""What clients of the predecessor read."""


def ago(seconds, height=1, **facts):
    return window(height, NOW - seconds, **facts)


@pytest.fixture(scope="module")
def long(new_service):
    """More rows than are given at once, and the service that has them."""
    service, rows = new_service(), hundred_days()
    service.now = FIRST_TIME + 100 * DAY
    service.store(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(historical, "MOST_KEPT_ROWS", 50)
        yield service, sorted(rows, key=lambda row: (row.time, row.height))


@pytest.fixture(scope="module")
def few(new_service):
    return new_service().store([ago(8 * DAY, 1), ago(3 * DAY, 2), ago(0, 3)])


def hundred_days():
    """Six rows a day, not in the order of time."""
    draw = Random(2)
    return [
        window(height, FIRST_TIME + 4 * HOUR * height + draw.randrange(-8000, 8000),
               price=draw.uniform(1e4, 1e5),
               exchange=None if height % 5 == 0 else draw.uniform(1e4, 1e5),
               reason='so "odd", it is' if height % 7 == 0 else None)
        for height in range(600)
    ]  # fmt: skip


def test_entries_are_those_of_latest_to_the_last_bit(long):
    service, rows = long
    found = service.get("/historical?from=0&interval=block").json
    assert [list(entry) for entry in found] == [NAMES] * len(rows)
    expected = [window_entry(row) for row in rows]
    assert found == [{name: entry[name] for name in NAMES} for entry in expected]


def test_clients_of_the_predecessor_find_what_they_read(service):
    service.store([ago(600 * height, 10 - height) for height in range(6)])
    for days in (1, 7, 365):
        answer = service.get(f"/historical?days={days}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/json"
        entries = answer.json
        for entry in entries:
            assert set(OLD_NAMES) <= set(entry)
            assert entry["diff_amount"] == entry["mempool_price"] - entry["utxoracle_price"]
            assert datetime.fromisoformat(entry["timestamp"]).tzinfo == UTC
        assert entries == sorted(entries, key=lambda entry: entry["timestamp"])
        assert len(entries) == 6


def test_days_are_counted_from_now_and_begin_at_a_multiple_of_ten_minutes(service):
    start = (NOW - DAY) // 600 * 600
    service.store([window(1, start - 1), window(2, start), ago(0, 3), ago(-7000, 4)])
    assert service.heights("days=1") == [2, 3, 4]
    assert service.heights("days=2&interval=block") == [1, 2, 3, 4]
    assert service.heights("days=36500&interval=block") == [1, 2, 3, 4]
    assert service.heights("") == [1, 2, 3, 4]
    service.now += 6 * DAY - 600
    assert service.heights("") == [1, 2, 3, 4]
    service.now += 600
    assert service.heights("") == [2, 3, 4]


def test_from_is_within_and_to_is_not(service):
    service.store([window(height, FIRST_TIME + height) for height in range(5)])
    first, last = FIRST_TIME + 1, FIRST_TIME + 3
    assert service.heights(f"from={first}&to={last}") == [1, 2]
    assert service.heights(f"from={first}&to={first + 1}") == [1]
    assert service.heights(f"from={first}") == [1, 2, 3, 4]
    assert service.heights(f"to={last}&interval=block") == [0, 1, 2]
    assert service.heights("from=2025-11-22T00:00:03Z") == [3, 4]
    assert service.heights("from=2025-11-23") == []


def test_entries_are_in_the_order_of_time_and_then_of_height(service):
    times = {99: 30, 100: 30, 101: 10, 9: 20}
    service.store([window(height, FIRST_TIME + time) for height, time in times.items()])
    assert service.heights("") == [101, 9, 99, 100]


def test_of_an_hour_and_of_a_day_the_newest_valid_price_is_given(service):
    first = FIRST_TIME
    service.store(
        [
            window(1, first),
            window(2, first + HOUR - 1),
            window(3, first + HOUR),
            window(4, first + HOUR + 60),
            window(5, first + HOUR + 30, reason="too few points"),
            window(6, first + 3 * HOUR, reason="too few points"),
            window(7, first + 3 * HOUR + 9, reason="too few points", price=None),
            window(8, first + DAY - 1, reason="too few points"),
            window(9, first + 2 * DAY, reason="too few points"),
        ]
    )
    assert service.heights("from=0&interval=hour") == [2, 4, 7, 8, 9]
    assert service.heights("from=0&interval=day") == [4, 9]
    assert service.heights(f"from=0&to={first + HOUR + 60}&interval=day") == [3]


@pytest.mark.parametrize(
    ("query", "interval"),
    [
        ("", "block"),
        ("days=7", "block"),
        ("days=8", "hour"),
        ("days=90", "hour"),
        ("days=91", "day"),
        ("days=36500", "day"),
        ("days=36500&interval=hour", "hour"),
        (f"from={NOW - 7 * DAY}", "block"),
        (f"from={NOW - 8 * DAY}", "hour"),
        (f"from={NOW - 91 * DAY}", "day"),
        (f"from=0&to={NOW - 93 * DAY}", "block"),
        (f"from=0&to={NOW - 92 * DAY}", "hour"),
        ("from=2025-01-01&to=2025-04-02", "block"),
        (f"to={NOW}", "day"),
        (f"to={NOW + 10 * DAY}", "day"),
    ],
)
def test_the_interval_fits_the_range_and_is_told(new_service, query, interval):
    service = new_service().store([ago(DAY // 2 * (200 - one), one) for one in range(201)])
    assert service.get(f"/historical?{query}").headers["X-Interval"] == interval


@pytest.mark.parametrize("query", ["days=91", "days=36500", "from=0", f"to={NOW}"])
def test_the_interval_fits_what_is_stored_of_the_range(few, query):
    assert few.get(f"/historical?{query}").headers["X-Interval"] == "hour"


@pytest.mark.parametrize("query", ["days=7", "days=36500", "from=2020-01-01", "to=2020-01-01"])
def test_nothing_stored_is_an_empty_list(service, query):
    answer = service.get(f"/historical?{query}")
    assert (answer.status_code, answer.text) == (200, "[]")
    for interval in INTERVALS:
        path = f"/historical?{query}&interval={interval}"
        assert service.get(path).text == "[]"
        answer = service.get(f"{path}&format=csv")
        assert answer.text == ",".join(NAMES) + "\r\n"
        name = f"utxoracle_{interval}.csv"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'


def test_csv_holds_what_json_holds(long):
    service, _ = long
    for query in ("from=0&interval=block", "from=0&interval=hour", "days=20&interval=day"):
        entries = service.get(f"/historical?{query}").json
        answer = service.get(f"/historical?{query}&format=csv")
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        header, *rows = csv.reader(StringIO(answer.text, newline=""))
        assert header == NAMES
        assert answer.text.count("\r\n") == answer.text.count("\n") == len(entries) + 1
        for row, entry in zip(rows, entries, strict=True):
            for name, text in zip(header, row, strict=True):
                value = entry[name]
                if value is None or isinstance(value, str):
                    assert text == (value or "")
                else:
                    assert json.loads(text) == value


def test_a_download_has_a_name_that_tells_what_is_in_it(service):
    service.store([ago(40 * DAY, 1), ago(3 * DAY, 2), ago(0, 3)])
    answer = service.get("/historical?days=36500&format=csv")
    name = "utxoracle_hour_2025-10-13_2025-11-22.csv"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert "Content-Disposition" not in service.get("/historical?days=36500").headers


@pytest.mark.parametrize(
    ("query", "accept", "is_csv"),
    [
        ("", None, False),
        ("", "*/*", False),
        ("", "text/csv", True),
        ("", "text/*", True),
        ("", "text/csv;q=0.5, application/json", False),
        ("", "text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("", "image/png", False),
        ("", "neither", False),
        ("format=json", "text/csv", False),
        ("format=csv", "application/json", True),
    ],
)
def test_the_format_is_the_one_asked_for_and_caches_are_told(few, query, accept, is_csv):
    answer = few.get(f"/historical?{query}", **({"Accept": accept} if accept else {}))
    assert answer.headers["Content-Type"].startswith("text/csv" if is_csv else "application/json")
    assert answer.headers.get("Vary") == (None if query else "Accept")


def test_an_answer_stays_the_same_for_ten_minutes(service):
    service.now = NOW // 600 * 600
    service.store([ago(0)])
    seen = service.get("/historical").headers["ETag"]
    service.now += 599
    again = service.get("/historical", If_None_Match=seen)
    assert (again.status_code, again.text) == (304, "")
    service.now += 1
    later = service.get("/historical", If_None_Match=seen)
    assert later.status_code == 200
    assert later.headers["ETag"] != seen


def test_different_questions_have_different_etags(service):
    queries = ["", "days=8", "interval=hour", "format=csv", "from=2025-01-01", "to=2026-01-01",
               "from=2025-01-01&to=2025-01-03"]  # fmt: skip
    etags = {service.get(f"/historical?{query}").headers["ETag"] for query in queries}
    assert len(etags) == len(queries)
    assert service.get("/historical?days=7").headers["ETag"] in etags


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("interval", INTERVALS)
def test_what_is_long_comes_in_pieces_that_make_the_same_whole(long, monkeypatch, interval, form):
    service, _ = long
    for query in ("from=0", "days=95", f"from={FIRST_TIME + 12345}&to={FIRST_TIME + 80 * DAY + 7}"):
        path = f"/historical?{query}&interval={interval}&format={form}"
        streamed = service.get(path)
        assert "Content-Length" not in streamed.headers
        with monkeypatch.context() as patch:
            patch.setattr(historical, "MOST_KEPT_ROWS", 1000)
            whole = service.get(path)
        assert whole.headers["Content-Length"] == str(len(whole.content))
        assert streamed.content == whole.content
        for name in ("ETag", "X-Interval", "Content-Type"):
            assert streamed.headers[name] == whole.headers[name]
        again = service.get(path, If_None_Match=streamed.headers["ETag"])
        assert (again.status_code, again.text) == (304, "")


def test_pieces_are_small_and_a_gap_of_years_makes_none(service):
    rows = hundred_days()
    service.store([window(10_000, FIRST_TIME - 3000 * DAY), *rows])
    snapshot = Snapshot(service.folder)
    parts = [*map(len, historical._parts(snapshot.reader(), 0, 2**32, "block"))]
    snapshot.close()
    assert sum(parts) == len(rows) + 1
    assert max(parts) <= 10 * 6 + 3


def test_a_block_that_is_stamped_where_a_piece_ends_is_in_the_next_one(service):
    service.store([window(1, FIRST_TIME), window(2, FIRST_TIME + 10 * DAY)])
    snapshot = Snapshot(service.folder)
    parts = [*historical._parts(snapshot.reader(), 0, 2**32, "block")]
    snapshot.close()
    assert [[row[1] for row in part] for part in parts] == [["1"], ["2"]]


def test_head_tells_the_same_and_has_no_content(long):
    service, _ = long
    for query in ("", "interval=block&days=100", "format=csv"):
        head = service.client.simulate_head(f"/historical?{query}")
        got = service.get(f"/historical?{query}")
        assert (head.status_code, head.text) == (200, "")
        for name in ("ETag", "X-Interval", "Content-Type", "Cache-Control"):
            assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    "query",
    [
        "days=", "days=0", "days=36501", "days=-1", "days=1.5", "days=1e3", "days=seven",
        "days=%D9%A3", "days=1%00", "days=1&days=2", "days=" + "9" * 4000, "days=%FF",
        "days=1;DROP TABLE window_prices", "days=7&from=2025-01-01", "days=7&to=2025-01-01",
        "from=", "from=yesterday", "from=2025-02-30", "from=-1", "from=4294967297",
        "from=2025-01-02&to=2025-01-01", "from=2025-01-01&to=2025-01-01", "to=' OR 1=1 --",
        "from=2025-01-01%0D%0AX-Header:%201", "to=" + "x" * 4000, "from=2025-01-01&from=2025-01-02",
        "interval=", "interval=minute", "interval=Hour", "interval=hour'", "interval=hour,day",
        "interval=hour%00", "interval=%F0%9F%92%B0", "format=", "format=xml", "format=CSV",
        "format=csv&format=json", "limit=5", "Days=7", "%00=1", "day\u2028s=1",
    ],
)  # fmt: skip
def test_what_can_not_be_answered_is_400_and_says_why(few, query):
    answer = few.get(f"/historical?{query}")
    assert answer.status_code == 400
    error = answer.json["error"]
    assert list(error) == ["status", "title", "detail"]
    assert (error["status"], error["title"]) == (400, "Bad Request")
    assert 0 < len(error["detail"]) < 250
    assert "\n" not in error["detail"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert "X-Header" not in answer.headers
    assert few.heights("") == [2, 3]


def test_without_a_snapshot_it_is_said_when_to_ask_again(service):
    service.folder.snapshot.unlink()
    answer = service.get("/historical")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "60"


def test_json_is_valid_whatever_a_reason_says(service):
    odd = 'a "quoted" \\ reason, with \u20ac, \x1b[31m and \u2028'
    service.store([ago(0, reason=odd, price=None)])
    (entry,) = json.loads(service.get("/historical").text)
    assert entry["invalid_reason"] == " ".join(odd.split())
    text = service.get("/historical?format=csv").text
    assert [*csv.reader(StringIO(text, newline=""))][1][9] == " ".join(odd.split())
