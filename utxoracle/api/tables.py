"""Rows as JSON and as CSV, in pieces for what is long."""

from collections.abc import Iterable, Iterator, Sequence

from falcon import MEDIA_CSV, MEDIA_JSON, Request, Response

from utxoracle.api.parameters import choice
from utxoracle.store.series import Column, TextRow
from utxoracle.store.text import csv_text, json_objects

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
    between = "["
    for rows in parts:
        if rows:
            yield (between + ",".join(json_objects(columns, rows))).encode()
            between = ","
    yield b"]" if between == "," else b"[]"


def _csv(columns: Sequence[Column], parts: Iterable[Rows]) -> Iterator[bytes]:
    yield csv_text([[column.name for column in columns]]).encode()
    for rows in parts:
        if rows:
            yield csv_text(rows).encode()
