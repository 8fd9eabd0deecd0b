"""The parts of bitcoind's REST that clients use, answered as it does."""

import re
from typing import ClassVar

from utxoracle.errors import BlockNotFound
from utxoracle.simulation.answers import OCTETS, TEXT, Answer, Request
from utxoracle.simulation.bitcoind import (
    HTML,
    LOADING,
    chain_info,
    header_facts,
    json_line,
)
from utxoracle.simulation.facts import txids_of
from utxoracle.simulation.faults import Step
from utxoracle.simulation.routes import BLOCK_HASH, Route, find_route, route, step_of
from utxoracle.simulation.view import BlockPlace, ChainView, ReadBlock

REST_PREFIX = "/rest/"
NO_SUCH_ROUTE = Answer(404, HTML, b"")
MOST_HEADERS = 2000
DEFAULT_HEADERS = "5"


class RestRoutes:
    """Answers for `/rest/…`.

    Args:
        view: The chain as it is known when the request comes.
        read_block: Gives a raw block to send.
    """

    def __init__(self, view: ChainView, read_block: ReadBlock) -> None:
        self._view = view
        self._read_block = read_block

    def step_of(self, request: Request) -> Step | None:
        """Return the step of the route that is asked for, if it is at one."""
        return step_of(self._ROUTES, request.path.removeprefix(REST_PREFIX))

    def answer(self, request: Request) -> Answer:
        """Return the answer to a GET."""
        found = find_route(self._ROUTES, request.path.removeprefix(REST_PREFIX))
        if found is None:
            return NO_SUCH_ROUTE
        if self._view.node.loading:
            return _text(503, f"Service temporarily unavailable: {LOADING}")
        one, groups = found
        return one.handler(self, request, *groups)

    def _block(self, _: Request, block_hash: str, form: str) -> Answer:
        place = self._find(block_hash)
        if isinstance(place, Answer):
            return place
        if self._view.is_pruned(place):
            return _text(404, f"{block_hash} not available (pruned data)")
        return _binary_or_hex(self._read_block(place), form)

    def _block_summary(self, _: Request, block_hash: str) -> Answer:
        place = self._find(block_hash)
        if isinstance(place, Answer):
            return place
        raw = place.chain.raw_block(place.height)
        return json_line(
            header_facts(self._view, place) | {"size": len(raw), "tx": txids_of(place)}
        )

    def _hash(self, _: Request, height: str, form: str) -> Answer:
        if not re.fullmatch(r"[0-9]{1,9}", height):
            return _text(400, f"Invalid height: {height}")
        try:
            block_hash = self._view.hash_at(int(height))
        except BlockNotFound:
            return _text(404, "Block height out of range")
        if form == "json":
            return json_line({"blockhash": block_hash})
        if form == "hex":
            return Answer(200, TEXT, block_hash.encode() + b"\n")
        return _binary_or_hex(bytes.fromhex(block_hash)[::-1], form)

    def _headers(self, request: Request, block_hash: str, form: str) -> Answer:
        return self._counted_headers(
            request, request.query.get("count", DEFAULT_HEADERS), block_hash, form
        )

    def _counted_headers(self, _: Request, count: str, block_hash: str, form: str) -> Answer:
        if not count.isdecimal() or not 1 <= int(count) <= MOST_HEADERS:
            message = f"Header count is invalid or out of acceptable range (1-{MOST_HEADERS}): "
            return _text(400, message + count)
        if not BLOCK_HASH.fullmatch(block_hash):
            return _text(400, f"Invalid hash: {block_hash}")
        places = self._places_from(block_hash.lower(), int(count))
        if form == "json":
            return json_line([header_facts(self._view, place) for place in places])
        return _binary_or_hex(b"".join(place.header for place in places), form)

    def _chain_info(self, _: Request) -> Answer:
        return json_line(chain_info(self._view))

    def _find(self, block_hash: str) -> BlockPlace | Answer:
        """Return where a block stands, or what is answered where there is none."""
        if not BLOCK_HASH.fullmatch(block_hash):
            return _text(400, f"Invalid hash: {block_hash}")
        try:
            return self._view.find(block_hash.lower())
        except BlockNotFound:
            return _text(404, f"{block_hash} not found")

    def _places_from(self, block_hash: str, count: int) -> list[BlockPlace]:
        """Return a block of the best chain and those after it; none if it isn't of that chain."""
        view = self._view
        try:
            first = view.locate(block_hash)
        except BlockNotFound:
            return []
        if first.is_stale:
            return []
        heights = range(first.height, first.height + count)
        return [view.place_at(height) for height in heights if view.has(height)]

    _ROUTES: ClassVar[tuple[Route, ...]] = (
        route(r"block/([^/]*)\.([^/.]*)", Step.BLOCK, _block),
        route(r"block/notxdetails/([^/]*)\.json", None, _block_summary),
        route(r"blockhashbyheight/([^/]*)\.([^/.]*)", Step.HASH, _hash),
        route(r"headers/([^/]*)\.([^/.]*)", Step.HEADER, _headers),
        route(r"headers/([^/]*)/([^/]*)\.([^/.]*)", Step.HEADER, _counted_headers),
        route(r"chaininfo\.json", Step.TIP, _chain_info),
    )


def _text(status: int, message: str) -> Answer:
    return Answer(status, TEXT, message.encode() + b"\r\n")


def _binary_or_hex(content: bytes, form: str) -> Answer:
    if form == "bin":
        return Answer(200, OCTETS, content)
    if form == "hex":
        return Answer(200, TEXT, content.hex().encode() + b"\n")
    return _text(404, "output format not found (available: .bin, .hex)")
