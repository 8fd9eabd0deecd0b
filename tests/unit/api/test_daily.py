import csv
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest

from tests.unit.api.conftest import block
from tests.unit.store.samples import NO_EXCHANGE, NO_PRICE, day_row, facts
from utxoracle.api.entry import price_entry
from utxoracle.jobs.price import DAY_LABEL
from utxoracle.sources.days import DAY, midnight, rfc3339

TODAY = date(2026, 3, 10)
FIRST = 800_000

DOUBTFUL = replace(facts(59_000.1), is_valid=False, invalid_reason='it "jumps", as it seems')


def row_of(age, **changes):
    """The price of the day that was so many days ago."""
    last = FIRST + 144 * (100 - age)
    return replace(day_row(0, last_height=last), date=TODAY - timedelta(days=age), **changes)


def blocks_of(row, before=100):
    """The blocks of a day and some before, in order."""
    first, start = row.first_height, midnight(row.date)
    return [
        block(height, start + 300 + 595 * (height - first))
        for height in range(first - before, row.last_height + 1)
    ]


@pytest.fixture(scope="module")
def filled(new_service):
    rows = [
        row_of(40),
        row_of(30),
        row_of(7, facts=NO_PRICE, exchange=NO_EXCHANGE, diverges=None),
        row_of(2, facts=DOUBTFUL, diverges=True),
        row_of(1, exchange=NO_EXCHANGE, diverges=None),
    ]
    service = new_service()
    service.now = midnight(TODAY) + 12345
    service.store(days=rows, blocks=blocks_of(rows[3]) + blocks_of(rows[4], before=0))
    return service, rows


def test_each_day_has_its_blocks_its_price_and_its_name(filled):
    service, rows = filled
    found = service.get("/daily?days=100").json
    assert found == [
        {
            "date": str(row.date),
            "timestamp": rfc3339(midnight(row.date) + DAY // 2),
            "first_height": row.first_height,
            "last_height": row.last_height,
            "blocks": row.blocks,
            **price_entry(row.facts, row.exchange, diverges=row.diverges),
            "label": DAY_LABEL if row.date > TODAY - timedelta(days=3) else None,
        }
        for row in rows
    ]
    keys = [*price_entry(rows[0].facts, rows[0].exchange, diverges=None)]
    assert [*found[0]][5:-1] == keys


def dates(service, query):
    return [date.fromisoformat(entry["date"]) for entry in service.get(f"/daily?{query}").json]


@pytest.mark.parametrize(
    ("query", "ages"),
    [
        ("", [30, 7, 2, 1]),
        ("days=1", [1]),
        ("days=2", [2, 1]),
        ("days=29", [7, 2, 1]),
        ("days=36500", [40, 30, 7, 2, 1]),
        ("from=2026-03-03&to=2026-03-09", [7, 2]),
        ("from=2026-03-03T12:00:00Z&to=2026-03-08T12:00:01Z", [7, 2]),
        ("from=2026-03-03T12:00:01Z&to=2026-03-08T12:00:00Z", []),
        ("from=2026-03-09", [1]),
        ("to=2026-03-03", [40, 30]),
    ],
)
def test_a_day_is_in_a_range_when_its_noon_is(filled, query, ages):
    service, _ = filled
    assert dates(service, query) == [TODAY - timedelta(days=age) for age in ages]


def test_days_are_those_of_the_calendar(filled):
    service, _ = filled
    answers = set()
    for seconds in (0, 1, DAY // 2, DAY - 1):
        service.now = midnight(TODAY) + seconds
        answers.add(service.get("/daily?days=1").headers["ETag"])
        assert dates(service, "days=1") == [TODAY - timedelta(days=1)]
    assert len(answers) == 1
    service.now = midnight(TODAY) + DAY
    assert dates(service, "days=1") == []
    service.now = midnight(TODAY) + 12345


def test_csv_holds_what_json_holds(filled):
    service, _ = filled
    answer = service.get("/daily", Accept="text/csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Vary"] == "Accept"
    name = 'attachment; filename="utxoracle_daily.csv"'
    assert answer.headers["Content-Disposition"] == name
    assert service.get("/daily?format=csv").text == answer.text
    entries = service.get("/daily?format=json", Accept="text/csv").json
    rows = [*csv.DictReader(StringIO(answer.text, newline=""))]
    for row, entry in zip(rows, entries, strict=True):
        assert [*row] == [*entry]
        for text, value in zip(row.values(), entry.values(), strict=True):
            if value is None or isinstance(value, str):
                assert text == (value or "")
            else:
                assert json.loads(text) == value


def test_nothing_stored_is_an_empty_list(service):
    assert service.get("/daily").text == "[]"
    header = service.get("/daily?format=csv").text
    assert header.startswith("date,timestamp,first_height,last_height,blocks,utxoracle_price,")
    assert header.endswith(",label\r\n")
    assert header.count("\r\n") == 1


def test_who_has_the_answer_is_told_so_until_another_day_is_stored(service):
    service.now = midnight(TODAY) + 100
    seen = service.store(days=[row_of(2)]).get("/daily").headers["ETag"]
    assert service.get("/daily", If_None_Match=seen).status_code == 304
    newer = service.store(days=[row_of(1)]).get("/daily", If_None_Match=seen)
    assert newer.status_code == 200
    assert datetime.fromisoformat(newer.json[-1]["timestamp"]) == datetime(
        2026, 3, 9, 12, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "query",
    ["days=0", "days=36501", "days=", "days=1&to=2026-01-01", "from=2026-01-02&to=2026-01-01",
     "from=2026-13-01", "interval=day", "format=xml", "date=2026-01-01", "from=%00",
     "days=2&days=2", "to=" + "2" * 3000],
)  # fmt: skip
def test_what_can_not_be_answered_is_400_and_says_why(filled, query):
    answer = filled[0].get(f"/daily?{query}")
    assert answer.status_code == 400
    assert 0 < len(answer.json["error"]["detail"]) < 250
