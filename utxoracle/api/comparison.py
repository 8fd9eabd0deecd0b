"""`/api/prices/comparison`: how far on-chain and exchange prices were apart."""

import time
from collections.abc import Callable
from dataclasses import asdict

from falcon import MEDIA_JSON, Request, Response

from utxoracle.api.answers import Answers
from utxoracle.api.entry import as_json
from utxoracle.api.parameters import only
from utxoracle.api.ranges import RANGE, TimeRange, time_range
from utxoracle.store.queries import Reader

DEFAULT_DAYS = 7


class Comparison:
    """Statistics of the differences between the window prices of a range and the exchange's."""

    def __init__(self, answers: Answers, clock: Callable[[], float] = time.time) -> None:
        self._answers = answers
        self._clock = clock

    def on_get(self, request: Request, response: Response) -> None:
        """Answer with one object, whose numbers are null where there is nothing to compare."""
        only(request, RANGE)
        asked = time_range(request, self._clock(), days=DEFAULT_DAYS)
        response.content_type = MEDIA_JSON
        self._answers.give(
            request, response, ("comparison", asked), lambda reader: _comparison(reader, asked)
        )

    on_head = on_get


def _comparison(reader: Reader, asked: TimeRange) -> bytes:
    found = reader.differences(*asked.bounds)
    return as_json({"timeframe_days": asked.days, **asdict(found)})
