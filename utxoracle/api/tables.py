"""Rows as JSON and as CSV, in pieces for what is long."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

from falcon import MEDIA_CSV, MEDIA_JSON, Request, Response

from utxoracle.api.parameters import choice
from utxoracle.store.series import Column, TextRow

JSON, CSV = FORMATS = ("json", "csv")

Rows = Sequence[TextRow]


def answer_format(request: Request, response: Response) -> str:
    """Return the format that is asked for, by `format` or else by Accept; JSON where none is.

    The answer is told of it.

    Raises:
        HTTPBadRequest: There is no such format.
    """
    asked = choice(request, "format", FORMATS)
    if asked is None:
        response.append_header("Vary", "Accept")
        prefers_csv = request.client_prefers((MEDIA_JSON, MEDIA_CSV)) == MEDIA_CSV
        asked = CSV if prefers_csv else JSON
    response.content_type = MEDIA_CSV if asked == CSV else MEDIA_JSON
    return asked


def table(asked: str, columns: Sequence[Column], parts: Iterable[Rows]) -> Iterator[bytes]:
    """Yield the text of rows that come part by part, as one document of the format `asked`."""
    return _csv(columns, parts) if asked == CSV else _json(columns, parts)


def _json(columns: Sequence[Column], parts: Iterable[Rows]) -> Iterator[bytes]:
    entry = "{" + ",".join(f'"{column.name}":%s' for column in columns) + "}"
    between = "["
    for rows in parts:
        if rows:
            values = map(_json_values, columns, zip(*rows, strict=True))
            yield (between + ",".join(map(entry.__mod__, zip(*values, strict=True)))).encode()
            between = ","
    yield b"]" if between == "," else b"[]"


def _json_values(column: Column, values: Sequence[str | None]) -> Sequence[str | None]:
    if column.is_text:
        # All at once is several times as fast as one by one; a line break within them is escaped.
        return json.dumps(values, separators=("\n", ":"))[1:-1].split("\n")
    if None not in values:
        return values
    return ["null" if value is None else value for value in values]


def _csv(columns: Sequence[Column], parts: Iterable[Rows]) -> Iterator[bytes]:
    yield _csv_text([[column.name for column in columns]])
    for rows in parts:
        if rows:
            yield _csv_text(rows)


def _csv_text(rows: Iterable[Sequence[str | None]]) -> bytes:
    # What the csv module writes by itself is RFC 4180: CRLF, and quotes where they are needed.
    text = StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
