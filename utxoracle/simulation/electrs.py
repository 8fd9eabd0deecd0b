"""The routes of electrs' REST that clients use, answered as mempool's electrs does."""

from typing import ClassVar

from utxoracle.errors import BlockNotFound
from utxoracle.simulation.answers import JSON, OCTETS, TEXT, Answer, Request, compact_json
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
from utxoracle.simulation.transactions import transactions_of
from utxoracle.simulation.view import BlockPlace, ChainView, ReadBlock

BLOCKS_PER_PAGE = 10
TRANSACTIONS_PER_PAGE = 25


class ElectrsRoutes:
    """Answers for everything: electrs has its routes at the root.

    It knows the blocks of the best chain only. Its errors are bare text.

    Args:
        view: The chain as it is known when the request comes.
        read_block: Gives a raw block to send.
    """

    def __init__(self, view: ChainView, read_block: ReadBlock) -> None:
        self._view = view
        self._read_block = read_block

    def step_of(self, request: Request) -> Step | None:
        """Return the step of the route that is asked for, if it is at one."""
        return step_of(self._ROUTES, request.path)

    def answer(self, request: Request) -> Answer:
        """Return the answer to a GET."""
        found = find_route(self._ROUTES, request.path)
        if found is None or request.method == "POST":
            return Answer(404, TEXT, f'endpoint does not exist "{request.path}"'.encode())
        one, groups = found
        try:
            return one.handler(self, request, *groups)
        except RouteFailed as error:
            return Answer(error.status, TEXT, str(error).encode())

    def _tip_height(self, _: Request) -> Answer:
        return Answer(200, TEXT, str(self._view.tip).encode())

    def _tip_hash(self, _: Request) -> Answer:
        return Answer(200, TEXT, self._view.tip_hash.encode())

    def _block_height(self, _: Request, height: str) -> Answer:
        if not NUMBER.fullmatch(height):
            raise RouteFailed(400, "Invalid number")
        return Answer(200, TEXT, self._place_at(int(height)).hash.encode())

    def _blocks(self, _: Request, height: str | None = None) -> Answer:
        # A height that is no number counts as none.
        is_number = height is not None and NUMBER.fullmatch(height)
        newest = int(height) if height and is_number else self._view.tip
        self._place_at(newest)
        heights = range(newest, max(newest - BLOCKS_PER_PAGE, -1), -1)
        return _json([block_facts(self._place_at(one)) for one in heights if self._view.has(one)])

    def _block(self, _: Request, block_hash: str) -> Answer:
        return _json(block_facts(self._find(block_hash)))

    def _status(self, _: Request, block_hash: str) -> Answer:
        try:
            place = self._find(block_hash)
        except RouteFailed as error:
            if error.status != 404:
                raise
            return _json({"in_best_chain": False, "height": None, "next_best": None})
        behind = place.height + 1
        next_best = self._view.hash_at(behind) if self._view.has(behind) else None
        return _json({"in_best_chain": True, "height": place.height, "next_best": next_best})

    def _header(self, _: Request, block_hash: str) -> Answer:
        return Answer(200, TEXT, self._find(block_hash).header.hex().encode())

    def _raw(self, _: Request, block_hash: str) -> Answer:
        return Answer(200, OCTETS, self._read_block(self._find(block_hash)))

    def _txids(self, _: Request, block_hash: str) -> Answer:
        return _json(txids_of(self._find(block_hash)))

    def _txs(self, _: Request, block_hash: str, start: str = "0") -> Answer:
        place = self._find(block_hash)
        first = int(start) if NUMBER.fullmatch(start) else 0
        if first >= len(txids_of(place)):
            raise RouteFailed(404, "start index out of range")
        if first % TRANSACTIONS_PER_PAGE:
            # Their wording.
            message = f"start index must be a multipication of {TRANSACTIONS_PER_PAGE}"
            raise RouteFailed(400, message)
        return _json(transactions_of(place, first, TRANSACTIONS_PER_PAGE))

    def _place_at(self, height: int) -> BlockPlace:
        try:
            return self._view.place_at(height)
        except BlockNotFound:
            raise RouteFailed(404, "Block not found") from None

    def _find(self, block_hash: str) -> BlockPlace:
        """Return what is served as a block of the best chain.

        Raises:
            RouteFailed: The hash isn't one (400), or no block of that chain has it (404).
        """
        if not BLOCK_HASH.fullmatch(block_hash):
            raise RouteFailed(400, "Invalid hex string")
        try:
            is_stale = self._view.locate(block_hash.lower()).is_stale
            place = self._view.find(block_hash.lower())
        except BlockNotFound:
            is_stale = True
        if is_stale:
            raise RouteFailed(404, "Block not found")
        return place

    _ROUTES: ClassVar[tuple[Route, ...]] = (
        route(r"/blocks/tip/height", Step.TIP, _tip_height),
        route(r"/blocks/tip/hash", Step.TIP, _tip_hash),
        route(r"/blocks", None, _blocks),
        route(r"/blocks/([^/]+)", None, _blocks),
        route(r"/block-height/([^/]+)", Step.HASH, _block_height),
        route(r"/block/([^/]+)", Step.TIP, _block),
        route(r"/block/([^/]+)/status", None, _status),
        route(r"/block/([^/]+)/header", Step.HEADER, _header),
        route(r"/block/([^/]+)/raw", Step.BLOCK, _raw),
        route(r"/block/([^/]+)/txids", None, _txids),
        route(r"/block/([^/]+)/txs", None, _txs),
        route(r"/block/([^/]+)/txs/([^/]+)", None, _txs),
    )


def _json(value: object) -> Answer:
    return Answer(200, JSON, compact_json(value))
