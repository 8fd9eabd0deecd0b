"""`/api/prices/latest`: the newest window price."""

from falcon import MEDIA_JSON, Request, Response

from utxoracle.api.answers import Answers
from utxoracle.api.entry import as_json, window_entry
from utxoracle.api.parameters import only
from utxoracle.api.problems import NoData
from utxoracle.store.queries import Reader


class Latest:
    """The newest window price, valid or not."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def on_get(self, request: Request, response: Response) -> None:
        """Answer with one entry, 404 before the first one."""
        only(request, ())
        response.content_type = MEDIA_JSON
        self._answers.give(request, response, ("latest",), _latest)

    on_head = on_get


def _latest(reader: Reader) -> bytes:
    row = reader.latest_window()
    if row is None:
        raise NoData("there is no price yet: the first comes with the 145th stored block")
    return as_json(window_entry(row))
