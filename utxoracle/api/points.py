"""`/api/prices/points`: what the newest window price was found in."""

from falcon import MEDIA_JSON, Request, Response

from utxoracle.api.answers import Answers
from utxoracle.api.entry import as_json, window_entry
from utxoracle.api.parameters import only
from utxoracle.api.problems import NoData
from utxoracle.sources.days import WINDOW, rfc3339
from utxoracle.store.queries import Reader


class Points:
    """The price points of the newest window, at most 5,000 of them, for a scatter."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def on_get(self, request: Request, response: Response) -> None:
        """Answer with one object, 404 before the first price."""
        only(request, ())
        response.content_type = MEDIA_JSON
        self._answers.give(request, response, ("points",), _points)

    on_head = on_get


def _points(reader: Reader) -> bytes:
    points = reader.points()
    row = reader.window(points.height) if points else None
    if points is None or row is None:
        raise NoData("there are no price points yet: they come with the first price")
    entry = window_entry(row)
    blocks = reader.block_times(row.height - WINDOW, row.height - 1)
    return as_json(
        {
            **{name: entry[name] for name in ("height", "timestamp", "utxoracle_price", "label")},
            "blocks": [{"height": height, "timestamp": rfc3339(time)} for height, time in blocks],
            "heights": points.heights.tolist(),
            "prices": points.prices.tolist(),
        }
    )
