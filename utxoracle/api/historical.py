"""`/api/prices/historical`: the window prices of a range of time."""

import time
from collections.abc import Callable, Iterator

from falcon import Request, Response

from utxoracle.api.answers import Answers
from utxoracle.api.parameters import choice, only
from utxoracle.api.ranges import RANGE, TimeRange, time_range
from utxoracle.api.tables import CSV, Rows, answer_format, table
from utxoracle.sources.days import DAY, rfc3339
from utxoracle.store.queries import Reader
from utxoracle.store.series import BY_BLOCK, BY_DAY, BY_HOUR, INTERVALS, SERIES, Extent

DEFAULT_DAYS = 7

BLOCK_DAYS, HOUR_DAYS = 7, 90
"""Days up to which every block is given, or one price an hour, when no interval is asked for."""

MOST_KEPT_ROWS = 20_000
"""Rows of an answer that is made as a whole; a longer one is made while it is sent."""

_PART = 10 * DAY
"""Seconds; an hour or a day never lies in two parts."""


class Historical:
    """A series of window prices: of every block, or one for each hour or day."""

    def __init__(self, answers: Answers, clock: Callable[[], float] = time.time) -> None:
        self._answers = answers
        self._clock = clock

    def on_get(self, request: Request, response: Response) -> None:
        """Answer with the series as JSON or CSV; it is empty where nothing is stored."""
        only(request, (*RANGE, "interval", "format"))
        now = self._clock()
        asked = time_range(request, now, days=DEFAULT_DAYS)
        interval = choice(request, "interval", INTERVALS)
        form = answer_format(request, response)

        start, stop = asked.bounds
        extent = self._answers.fact(
            ("extent", start, stop), lambda reader: reader.extent(start, stop)
        )
        interval = interval or _usual_interval(asked, extent, now)
        response.set_header("X-Interval", interval)
        if form == CSV:
            response.downloadable_as = _file_name(interval, extent)

        query = ("historical", start, stop, interval, form)
        if extent.most_rows(interval) > MOST_KEPT_ROWS:
            self._answers.stream(
                request,
                response,
                query,
                lambda reader: table(form, SERIES, _parts(reader, start, stop, interval)),
            )
        else:
            self._answers.give(
                request,
                response,
                query,
                lambda reader: b"".join(
                    table(form, SERIES, [reader.series(start, stop, interval)])
                ),
            )

    on_head = on_get


def _usual_interval(asked: TimeRange, extent: Extent, now: float) -> str:
    """Return the interval for what there is of a range: all of a young database is not much."""
    if extent.first is None:
        return BY_BLOCK
    start, stop = asked.bounds
    days = (min(stop, now) - max(start, extent.first)) / DAY
    return BY_BLOCK if days <= BLOCK_DAYS else BY_HOUR if days <= HOUR_DAYS else BY_DAY


def _parts(reader: Reader, start: int, stop: int, interval: str) -> Iterator[Rows]:
    extent = reader.extent(start, stop)
    if extent.first is None or extent.last is None:
        return
    for begin in range(extent.first // DAY * DAY, extent.last + 1, _PART):
        yield reader.series(max(begin, start), min(begin + _PART, stop), interval)


def _file_name(interval: str, extent: Extent) -> str:
    days = [rfc3339(one).split("T")[0] for one in (extent.first, extent.last) if one is not None]
    return "_".join(["utxoracle", interval, *days]) + ".csv"
