"""`/api/prices/at`: the window price of one block, or at one moment."""

from functools import partial

from falcon import MEDIA_JSON, Request, Response

from utxoracle.api.answers import Answers
from utxoracle.api.entry import as_json, window_entry
from utxoracle.api.parameters import moment, only, refusal, whole
from utxoracle.api.problems import NoData
from utxoracle.sources.days import rfc3339
from utxoracle.store.queries import Reader

HIGHEST = 2**31 - 1
"""The greatest height that can be stored."""


class At:
    """The window price at a height, or of the newest block stamped at a moment or before."""

    def __init__(self, answers: Answers, stall_minutes: float) -> None:
        """Let the newest price stand for so many minutes behind its block, and no longer."""
        self._answers = answers
        self._patience = 60 * stall_minutes

    def on_get(self, request: Request, response: Response) -> None:
        """Answer with one entry, 404 where none is stored."""
        only(request, ("time", "height"))
        time, height = moment(request, "time"), whole(request, "height", 0, HIGHEST)
        if time is not None and height is None:
            make = partial(_at_time, time=time, patience=self._patience)
        elif height is not None and time is None:
            make = partial(_at_height, height=height)
        else:
            raise refusal("give either time or height")
        response.content_type = MEDIA_JSON
        self._answers.give(request, response, ("at", time, height), make)

    on_head = on_get


def _at_height(reader: Reader, height: int) -> bytes:
    row = reader.window(height)
    if row is None:
        raise NoData(f"no price is stored for block {height}")
    return as_json(window_entry(row))


def _at_time(reader: Reader, time: int, patience: float) -> bytes:
    row = reader.window_at(time)
    if row is None:
        raise NoData(f"no price is stored for {rfc3339(time)} or before")
    if time - row.time > patience and row == reader.latest_window():
        raise NoData(
            f"no price is stored for {rfc3339(time)} yet: the newest is of {rfc3339(row.time)}"
        )
    return as_json(window_entry(row))
