"""Rows of text as CSV and as JSON."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

from utxoracle.store.series import Column, TextRow


def csv_text(rows: Iterable[Sequence[str | None]]) -> str:
    """Return rows as RFC 4180 has them: lines end with CR LF, None is nothing."""
    text = StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def json_objects(columns: Sequence[Column], rows: Sequence[TextRow]) -> Iterator[str]:
    """Yield each row as a JSON object of one line."""
    if not rows:
        return iter(())
    entry = "{" + ",".join(f'"{column.name}":%s' for column in columns) + "}"
    values = map(_json_values, columns, zip(*rows, strict=True))
    return map(entry.__mod__, zip(*values, strict=True))


def _json_values(column: Column, values: Sequence[str | None]) -> Sequence[str | None]:
    if column.is_text:
        # All at once is several times as fast as one by one; a line break within them is escaped.
        return json.dumps(values, separators=("\n", ":"))[1:-1].split("\n")
    if None not in values:
        return values
    return ["null" if value is None else value for value in values]
