"""`/api/v1/prices`: the newest valid price, in the shape in which mempool gives its own."""

from falcon import Request, Response

from utxoracle.api.answers import Answers
from utxoracle.api.entry import as_json
from utxoracle.api.problems import NoData
from utxoracle.store.queries import Reader
from utxoracle.store.rows import WindowRow

_MOST_PASSED_OVER = 144
"""Windows; a price farther behind isn't today's any longer."""


class MempoolPrices:
    """The newest valid window price; like mempool, it takes any parameter and heeds none."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def on_get(self, request: Request, response: Response) -> None:
        """Answer with time and price, 404 where there is none.

        Mempool itself would say 200 and a price of -1, which wallets show.
        """
        self._answers.give(request, response, ("mempool prices",), _prices)

    on_head = on_get


def newest_valid(reader: Reader, row: WindowRow | None) -> WindowRow | None:
    """Return a window price, or in place of one that isn't valid the nearest before that is."""
    passed_over = 0
    while row and not row.facts.is_valid and passed_over < _MOST_PASSED_OVER:
        row = reader.window(row.height - 1)
        passed_over += 1
    return row if row and row.facts.is_valid else None


def _prices(reader: Reader) -> bytes:
    row = newest_valid(reader, reader.latest_window())
    if row is None:
        raise NoData("there is no valid price yet: /api/prices/latest says why")
    return as_json({"time": row.time, "USD": row.facts.price})
