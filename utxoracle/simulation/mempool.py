"""The routes of a mempool back end that this program uses, answered as the real one does."""

import re
from collections.abc import Callable
from typing import ClassVar

from utxoracle.bitcoin.encoding import hash_to_hex
from utxoracle.bitcoin.header import parse_header
from utxoracle.bitcoin.scan import hash_transactions
from utxoracle.bitcoin.walk import walk
from utxoracle.errors import BlockNotFound
from utxoracle.simulation.answers import JSON, OCTETS, TEXT, Answer, Request, compact_json
from utxoracle.simulation.exchange import RATES, ExchangePrices
from utxoracle.simulation.view import BlockPlace, ChainView, ReadBlock

PREFIX = "/api/v1"
FRONT_END_PREFIX = "/api"
UTF8 = "; charset=utf-8"
HTML = "text/html" + UTF8

POW_LIMIT_DIFFICULTY = 4.656542373906925e-10

BLOCK_HASH = re.compile(r"[0-9a-fA-F]{64}")

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


class _Failed(Exception):
    """Raised when a route answers with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class MempoolRoutes:
    """Answers for everything below `/api`, both as the back end and as the front end does.

    The front end takes `/api/X` for `/api/v1/X`. The true price plays the exchanges', as on
    mainnet: a back end of a test network has none.

    Args:
        view: The chain as it is known when the request comes.
        read_block: Gives a raw block to send.
    """

    def __init__(self, view: ChainView, read_block: ReadBlock) -> None:
        self._view = view
        self._read_block = read_block

    def answer(self, request: Request) -> Answer:
        """Return the answer to a GET."""
        path = request.path
        if not path.startswith(PREFIX + "/") and path.startswith(FRONT_END_PREFIX + "/"):
            path = PREFIX + path.removeprefix(FRONT_END_PREFIX)
        route = path.removeprefix(PREFIX) if path.startswith(PREFIX + "/") else ""
        for pattern, handler in self._ROUTES:
            if found := pattern.fullmatch(route):
                try:
                    return handler(self, request, *found.groups())
                except _Failed as error:
                    return _error(request, error.status, str(error))
        return no_such_route("GET", path)

    def _tip_height(self, _: Request) -> Answer:
        return Answer(200, TEXT + UTF8, str(self._view.tip).encode())

    def _tip_hash(self, _: Request) -> Answer:
        return Answer(200, TEXT + UTF8, self._view.chain.hash_at(self._view.tip).encode())

    def _block_height(self, _: Request, height: str) -> Answer:
        failure = _Failed(500, "Failed to get block at height")
        if not re.fullmatch(r"[0-9]{1,10}", height):
            raise failure
        try:
            return Answer(200, HTML, self._view.hash_at(int(height)).encode())
        except BlockNotFound:
            raise failure from None

    def _block(self, _: Request, block_hash: str) -> Answer:
        place = self._find(block_hash, "Failed to get block")
        chain, height = place.chain, place.height
        header = parse_header(chain.header(height))
        raw = chain.raw_block(height)
        weight, tx_count = (
            (4 * len(raw), 1)
            if height == 0
            else (chain.facts_at(height).weight, chain.facts_at(height).tx_count)
        )
        facts = {
            "id": header.hash,
            "height": height,
            "version": int.from_bytes(raw[:4], "little"),
            "timestamp": header.time,
            "bits": header.bits,
            "nonce": int.from_bytes(raw[76:80], "little"),
            "difficulty": POW_LIMIT_DIFFICULTY,
            "merkle_root": hash_to_hex(header.merkle_root),
            "tx_count": tx_count,
            "size": len(raw),
            "weight": weight,
            "previousblockhash": header.prev_hash if height else None,
            "mediantime": chain.median_time_at(height),
            **self._standing(place),
            "extras": {"header": raw[:80].hex()},
        }
        return Answer(200, JSON + UTF8, compact_json(facts))

    def _standing(self, place: BlockPlace) -> dict[str, object]:
        """Return what tells a stale block, and the best chain's block at its height."""
        if not place.is_stale:
            return {"stale": False}
        # The back end takes a number for True once its database holds both blocks.
        if not self._view.has(place.height):
            return {"stale": 1}
        return {"stale": 1, "canonical": self._view.hash_at(place.height)}

    def _header(self, _: Request, block_hash: str) -> Answer:
        place = self._find(block_hash, "Failed to get block header")
        return Answer(200, TEXT + UTF8, place.chain.header(place.height).hex().encode())

    def _raw(self, _: Request, block_hash: str) -> Answer:
        place = self._find(block_hash, "Failed to get raw block")
        return Answer(200, OCTETS, self._read_block(place))

    def _txids(self, _: Request, block_hash: str) -> Answer:
        place = self._find(block_hash, "Failed to get txids for block")
        raw = place.chain.raw_block(place.height)
        txids = [hash_to_hex(txid) for txid in hash_transactions(raw, walk(raw))]
        return Answer(200, JSON + UTF8, compact_json(txids))

    def _prices(self, _: Request) -> Answer:
        return Answer(200, JSON + UTF8, compact_json(ExchangePrices(self._view).latest()))

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
        return Answer(200, JSON + UTF8, compact_json({"prices": prices, "exchangeRates": rates}))

    def _backend_info(self, _: Request) -> Answer:
        return Answer(200, JSON + UTF8, compact_json(BACKEND_INFO))

    def _find(self, block_hash: str, failure: str) -> BlockPlace:
        """Return where a block stands.

        Raises:
            _Failed: The hash isn't one (400), or no block has it (500 with `failure`).
        """
        if not BLOCK_HASH.fullmatch(block_hash):
            raise _Failed(400, "Invalid block hash")
        try:
            return self._view.find(block_hash.lower())
        except BlockNotFound:
            raise _Failed(500, failure) from None

    _ROUTES: ClassVar[tuple[tuple[re.Pattern[str], Callable[..., Answer]], ...]] = (
        (re.compile(r"/blocks/tip/height"), _tip_height),
        (re.compile(r"/blocks/tip/hash"), _tip_hash),
        (re.compile(r"/block-height/([^/]+)"), _block_height),
        (re.compile(r"/block/([^/]+)"), _block),
        (re.compile(r"/block/([^/]+)/header"), _header),
        (re.compile(r"/block/([^/]+)/raw"), _raw),
        (re.compile(r"/block/([^/]+)/txids"), _txids),
        (re.compile(r"/prices"), _prices),
        (re.compile(r"/historical-price"), _historical_price),
        (re.compile(r"/backend-info"), _backend_info),
    )


def no_such_route(method: str, path: str) -> Answer:
    """Return the page with which Express says that it has no such route."""
    safe = path.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    page = NOT_FOUND_PAGE.format(method=method, path=safe)
    return Answer(404, HTML, page.encode())


def _error(request: Request, status: int, message: str) -> Answer:
    """Return an error as JSON where the client takes that, otherwise as bare text."""
    if not request.accept or re.search(r"json|\*/\*|application/\*", request.accept):
        return Answer(status, JSON + UTF8, compact_json({"error": message}))
    return Answer(status, HTML, message.encode())
