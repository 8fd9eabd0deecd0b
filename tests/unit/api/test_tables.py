import json

import pytest

from utxoracle.api.tables import CSV, FORMATS, JSON, table
from utxoracle.store.series import Column

COLUMNS = (Column("name", "", is_text=True), Column("number", ""))
ROWS = [("plain", "1.5"), (None, None), ('with "quotes", a comma', "true"), ("two\nlines", "-1")]


def written(form, parts):
    return b"".join(table(form, COLUMNS, parts)).decode()


def test_json_is_one_list_of_objects():
    assert json.loads(written(JSON, [ROWS])) == [
        {"name": "plain", "number": 1.5},
        {"name": None, "number": None},
        {"name": 'with "quotes", a comma', "number": True},
        {"name": "two\nlines", "number": -1},
    ]


def test_csv_is_that_of_rfc_4180():
    assert written(CSV, [ROWS]) == (
        'name,number\r\nplain,1.5\r\n,\r\n"with ""quotes"", a comma",true\r\n"two\nlines",-1\r\n'
    )


@pytest.mark.parametrize("form", FORMATS)
def test_parts_and_empty_parts_make_no_difference(form):
    whole = written(form, [ROWS])
    assert written(form, [[row] for row in ROWS]) == whole
    assert written(form, [[], ROWS[:1], [], ROWS[1:], []]) == whole
    assert written(form, [[]]) == written(form, []) == {JSON: "[]", CSV: "name,number\r\n"}[form]


@pytest.mark.parametrize("form", FORMATS)
def test_parts_are_asked_for_one_by_one(form):
    asked = []

    def parts():
        for number in range(3):
            asked.append(number)
            yield ROWS

    pieces = table(form, COLUMNS, parts())
    assert asked == []
    next(pieces)
    assert len(asked) <= 1
