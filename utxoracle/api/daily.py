"""`/api/prices/daily`: the prices of days."""

import time
from collections.abc import Callable

from falcon import Request, Response

from utxoracle.api.answers import Answers
from utxoracle.api.parameters import only
from utxoracle.api.ranges import RANGE, time_range
from utxoracle.api.tables import CSV, answer_format, table
from utxoracle.jobs.price import DAY_LABEL
from utxoracle.sources.days import DAY
from utxoracle.store.series import DAILY

DEFAULT_DAYS = 30


class Daily:
    """A series of daily prices. A day is in a range when its noon is."""

    def __init__(self, answers: Answers, clock: Callable[[], float] = time.time) -> None:
        self._answers = answers
        self._clock = clock

    def on_get(self, request: Request, response: Response) -> None:
        """Answer with the series as JSON or CSV; it is empty where nothing is stored."""
        only(request, (*RANGE, "format"))
        start, stop = time_range(request, self._clock(), days=DEFAULT_DAYS, step=DAY).bounds
        form = answer_format(request, response)
        if form == CSV:
            response.downloadable_as = "utxoracle_daily.csv"
        self._answers.give(
            request,
            response,
            ("daily", start, stop, form),
            lambda reader: b"".join(table(form, DAILY, [reader.daily(start, stop, DAY_LABEL)])),
        )

    on_head = on_get
