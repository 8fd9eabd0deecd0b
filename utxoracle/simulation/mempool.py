"""The routes of a mempool back end that clients use, answered as the real one does."""

import re
from typing import ClassVar

from utxoracle.errors import BlockNotFound
from utxoracle.simulation.answers import JSON, OCTETS, TEXT, Answer, Request, compact_json
from utxoracle.simulation.bitcoind import chain_tips
from utxoracle.simulation.exchange import RATES, ExchangePrices
from utxoracle.simulation.facts import block_facts, txids_of
from utxoracle.simulation.faults import Step
from utxoracle.simulation.routes import (
    BLOCK_HASH,
    NUMBER,
    Route,
    RouteFailed,
    find_route,
    route,
    step_of,
)
from utxoracle.simulation.transactions import summary_of, transactions_of
from utxoracle.simulation.view import BlockPlace, ChainView, ReadBlock

PREFIX = "/api/v1"
FRONT_END_PREFIX = "/api"
UTF8 = "; charset=utf-8"
HTML = "text/html" + UTF8

BLOCKS_PER_PAGE = 15
TRANSACTIONS_PER_PAGE = 10


BACKEND_INFO = {
    "hostname": "simulation",
    "version": "3.4-dev",
    "gitCommit": "?",
    "lightning": False,
    "backend": "none",
    "coreVersion": "/Simulation:1.0.0/",
    "osVersion": "simulated",
}
NOT_FOUND_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Error</title>
</head>
<body>
<pre>Cannot {method} {path}</pre>
</body>
</html>
"""


class MempoolRoutes:
    """Answers for everything below `/api/v1`, as the back end does.

    The true price plays the exchanges', as on mainnet: a back end of a test network has none.

    Args:
        view: The chain as it is known when the request comes.
        read_block: Gives a raw block to send.
        has_front_end: Whether `/api/X` is taken for `/api/v1/X`, as the front end does.
        is_esplora: Whether it leaves blocks to electrs (`BACKEND=esplora`).
    """

    def __init__(
        self,
        view: ChainView,
        read_block: ReadBlock,
        *,
        has_front_end: bool = False,
        is_esplora: bool = False,
    ) -> None:
        self._view = view
        self._read_block = read_block
        self._has_front_end = has_front_end
        self._is_esplora = is_esplora

    def step_of(self, request: Request) -> Step | None:
        """Return the step of the route that is asked for, if it is at one."""
        return step_of(self._routes, self._path_of(request).removeprefix(PREFIX))

    def answer(self, request: Request) -> Answer:
        """Return the answer to a GET."""
        path = self._path_of(request)
        found = find_route(self._routes, path.removeprefix(PREFIX))
        if found is None:
            return no_such_route(request.method, path)
        one, groups = found
        try:
            return one.handler(self, request, *groups)
        except RouteFailed as error:
            return _error(request, error.status, str(error))

    @property
    def _routes(self) -> tuple[Route, ...]:
        return self._OWN_ROUTES if self._is_esplora else self._OWN_ROUTES + self._NODE_ROUTES

    def _path_of(self, request: Request) -> str:
        """Return the path as the back end gets to see it."""
        path = request.path
        if self._has_front_end and not path.startswith(PREFIX + "/"):
            return PREFIX + path.removeprefix(FRONT_END_PREFIX)
        return path

    def _tip_height(self, _: Request) -> Answer:
        return Answer(200, TEXT + UTF8, str(self._view.tip).encode())

    def _tip_hash(self, _: Request) -> Answer:
        self._ask_node("Failed to get hash at tip")
        return Answer(200, TEXT + UTF8, self._view.tip_hash.encode())

    def _block_height(self, _: Request, height: str) -> Answer:
        message = "Failed to get block at height"
        self._ask_node(message)
        if not NUMBER.fullmatch(height):
            raise RouteFailed(500, message)
        try:
            return Answer(200, HTML, self._view.hash_at(int(height)).encode())
        except BlockNotFound:
            raise RouteFailed(500, message) from None

    def _block(self, _: Request, block_hash: str) -> Answer:
        return _json(self._block_of(self._find(block_hash, "Failed to get block")))

    def _blocks(self, _: Request, height: str | None = None) -> Answer:
        if height is None:
            newest = self._view.tip
        elif NUMBER.fullmatch(height) and int(height) <= self._view.tip:
            newest = int(height)
        else:
            return _json([])
        heights = range(newest, max(newest - BLOCKS_PER_PAGE, -1), -1)
        places = [self._view.place_at(one) for one in heights if self._view.has(one)]
        return _json([self._block_of(place) for place in places])

    def _block_of(self, place: BlockPlace) -> dict[str, object]:
        extras = {"extras": {"header": place.header.hex()}}
        return block_facts(place) | self._standing(place) | extras

    def _standing(self, place: BlockPlace) -> dict[str, object]:
        """Return what tells a stale block, and the best chain's block at its height."""
        if not place.is_stale:
            return {"stale": False}
        # The back end takes a number for True once its database holds both blocks.
        if not self._view.has(place.height):
            return {"stale": 1}
        return {"stale": 1, "canonical": self._view.hash_at(place.height)}

    def _header(self, _: Request, block_hash: str) -> Answer:
        place = self._find_at_node(block_hash, "Failed to get block header")
        return Answer(200, TEXT + UTF8, place.header.hex().encode())

    def _raw(self, _: Request, block_hash: str) -> Answer:
        message = "Failed to get raw block"
        place = self._find_at_node(block_hash, message)
        if self._view.is_pruned(place):
            raise RouteFailed(500, message)
        return Answer(200, OCTETS, self._read_block(place))

    def _txids(self, _: Request, block_hash: str) -> Answer:
        return _json(txids_of(self._find_at_node(block_hash, "Failed to get txids for block")))

    def _txs(self, _: Request, block_hash: str, start: str = "0") -> Answer:
        place = self._find_at_node(block_hash, "Failed to get block transactions")
        first = int(start) if NUMBER.fullmatch(start) else 0
        return _json(transactions_of(place, first, TRANSACTIONS_PER_PAGE))

    def _summary(self, _: Request, block_hash: str) -> Answer:
        return _json(summary_of(self._find(block_hash, "Failed to get block summary")))

    def _chain_tips(self, _: Request) -> Answer:
        return _json(chain_tips(self._view))

    def _prices(self, _: Request) -> Answer:
        return _json(ExchangePrices(self._view).latest())

    def _historical_price(self, request: Request) -> Answer:
        currency = request.query.get("currency")
        if currency is not None and currency != "USD" and currency not in RATES:
            return Answer(200, None, b"")
        exchange = ExchangePrices(self._view)
        timestamp = request.query.get("timestamp", "")
        # The back end reads what isn't a number as no time at all, and then gives every row.
        prices = (
            [exchange.at(int(timestamp), currency)]
            if re.fullmatch(r"[0-9]{1,12}", timestamp)
            else exchange.all(currency)
        )
        rates = {f"USD{name}": rate for name, rate in RATES.items()}
        return _json({"prices": prices, "exchangeRates": rates})

    def _backend_info(self, _: Request) -> Answer:
        return _json(BACKEND_INFO | {"backend": "esplora" if self._is_esplora else "none"})

    def _ask_node(self, failure: str) -> None:
        """Do nothing, unless the node is still loading.

        Raises:
            RouteFailed: It is.
        """
        if self._view.node.loading:
            raise RouteFailed(500, failure)

    def _find_at_node(self, block_hash: str, failure: str) -> BlockPlace:
        """Return where a block stands that the back end asks its node for; see `_find`."""
        self._ask_node(failure)
        return self._find(block_hash, failure)

    def _find(self, block_hash: str, failure: str) -> BlockPlace:
        """Return where a block stands.

        Raises:
            RouteFailed: The hash isn't one (400), or no block has it (500 with `failure`).
        """
        if not BLOCK_HASH.fullmatch(block_hash):
            raise RouteFailed(400, "Invalid block hash")
        try:
            return self._view.find(block_hash.lower())
        except BlockNotFound:
            raise RouteFailed(500, failure) from None

    # What the back end answers in every mode, and what it leaves to electrs in one.
    _OWN_ROUTES: ClassVar[tuple[Route, ...]] = (
        route(r"/blocks/tip/height", Step.TIP, _tip_height),
        route(r"/block/([^/]+)", Step.TIP, _block),
        route(r"/block/([^/]+)/summary", None, _summary),
        route(r"/blocks", None, _blocks),
        route(r"/blocks/([^/]+)", None, _blocks),
        route(r"/chain-tips", None, _chain_tips),
        route(r"/prices", Step.PRICE, _prices),
        route(r"/historical-price", Step.PRICE, _historical_price),
        route(r"/backend-info", None, _backend_info),
    )
    _NODE_ROUTES: ClassVar[tuple[Route, ...]] = (
        route(r"/blocks/tip/hash", Step.TIP, _tip_hash),
        route(r"/block-height/([^/]+)", Step.HASH, _block_height),
        route(r"/block/([^/]+)/header", Step.HEADER, _header),
        route(r"/block/([^/]+)/raw", Step.BLOCK, _raw),
        route(r"/block/([^/]+)/txids", None, _txids),
        route(r"/block/([^/]+)/txs", None, _txs),
        route(r"/block/([^/]+)/txs/([^/]+)", None, _txs),
    )


def no_such_route(method: str, path: str) -> Answer:
    """Return the page with which Express says that it has no such route."""
    safe = path.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    page = NOT_FOUND_PAGE.format(method=method, path=safe)
    return Answer(404, HTML, page.encode())


def _json(value: object) -> Answer:
    return Answer(200, JSON + UTF8, compact_json(value))


def _error(request: Request, status: int, message: str) -> Answer:
    """Return an error as JSON where the client takes that, otherwise as bare text."""
    if not request.accept or re.search(r"json|\*/\*|application/\*", request.accept):
        return Answer(status, JSON + UTF8, compact_json({"error": message}))
    return Answer(status, HTML, message.encode())
