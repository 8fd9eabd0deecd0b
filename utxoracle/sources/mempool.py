"""Blocks from a mempool back end, from the front end before it, or from the electrs beside it."""

import logging
from dataclasses import replace
from time import sleep

from utxoracle.errors import BlockNotFound, ChainReorganised, SourceError
from utxoracle.settings import Settings
from utxoracle.sources.answers import (
    WRONG_ADDRESS,
    asked_twice,
    checked_hash,
    checked_header,
    checked_height,
    checked_hex,
)
from utxoracle.sources.endpoint import Endpoint
from utxoracle.sources.http import (
    BLOCK_LIMIT,
    SMALL_LIMIT,
    Answer,
    ClientSettings,
    HttpClient,
)
from utxoracle.sources.mempool_base import (
    BASES,
    BlockRoutes,
    find_block_routes,
    is_page,
    tip_hash_of,
)

_log = logging.getLogger(__name__)

_NO_ENDPOINT = "endpoint does not exist"
"""What electrs says of a route that it doesn't have, with the status of a missing block."""

_TIP_ATTEMPTS = 4
_PAUSE = 0.2


class MempoolSource:
    """A mempool back end, or a front end that passes requests on to it.

    Only routes that ask the node itself are used: the tip's height and the list of blocks are
    kept in the back end's memory, and stay as they were when the node is gone.

    Args:
        endpoint: The back end or front end, or an electrs.
        settings: Limits of the connection.
        electrs: The electrs that is asked for blocks where the back end leaves them to it
            (`BACKEND=esplora`), and only there.
    """

    may_lack_genesis = False

    def __init__(
        self, endpoint: Endpoint, settings: Settings, electrs: Endpoint | None = None
    ) -> None:
        limits = ClientSettings.for_blocks(settings)
        client = HttpClient("mempool", endpoint, limits)
        self._back_end = BlockRoutes(client, endpoint.credentials, BASES[0])
        self._electrs = (
            BlockRoutes(HttpClient("electrs", electrs, limits), electrs.credentials, "/")
            if electrs
            else None
        )
        self._found: BlockRoutes | None = None
        self._likely_route: str | None = None
        self.name = client.name

    @property
    def route(self) -> str | None:
        """The path that the back end's routes are below, or the electrs in use; see `Source`.

        One of `/api/v1`, `/api` and `/`, or as in `electrs 127.0.0.1:3000`.
        """
        return self._likely_route if self._found is None else self._route_of(self._found)

    @route.setter
    def route(self, route: str | None) -> None:
        self._found = None
        possible = BASES if self._electrs is None else (*BASES, self._electrs.client.name)
        self._likely_route = route if route in possible else None

    def tip(self) -> tuple[int, str]:
        """Return height and hash of the node's newest block.

        The hash comes from the node, its height from the block, and the node must still have that
        hash at that height. While blocks arrive this can fail, so it is asked a few times.

        Raises:
            ChainReorganised: It never had.
        """
        for _ in range(_TIP_ATTEMPTS):
            tip_hash = self.tip_hash()
            answer = self._get(f"/block/{tip_hash}")
            if _may_mean_no_such_block(answer):
                continue
            height = _height_in(answer, tip_hash)
            confirmed = self._get(f"/block-height/{height}")
            if confirmed.status == 200 and confirmed.text == tip_hash:
                return height, tip_hash
        if answer.status != 200:
            raise answer.refused()
        raise ChainReorganised(
            f"{answer.source} named {_TIP_ATTEMPTS} newest blocks one after the other that it did "
            "not have at their height: its chain is changing, try again in a minute"
        )

    def tip_hash(self) -> str:
        """Return the hash of the node's newest block, whose height may not be known yet."""
        if self._found is None:
            return self._find()[1]
        return tip_hash_of(self._found.get_tip_hash())

    def hash_at(self, height: int) -> str:
        """Return the hash of the block at `height`; see `Source.hash_at`."""
        path = f"/block-height/{height}"
        answer = self._get(path)
        if answer.status != 200:
            # The tip fails when the node can't be reached, so what is left means: no such block.
            tip_height, _ = self.tip()
            missing = BlockNotFound(
                f"{answer.source} has no block {height}; its newest is {tip_height}"
            )
            if height > tip_height:
                raise missing
            answer = self._get_again(path, answer)
            if _may_mean_no_such_block(answer):
                raise missing
        if answer.status == 200:
            return checked_hash(answer.text, answer.source)
        raise answer.refused()

    def header(self, block_hash: str) -> bytes:
        """Return a block's header; see `Source.header`."""
        return asked_twice(lambda: self._header(block_hash))

    def raw_block(self, block_hash: str) -> bytes:
        """Return a block's bytes; see `Source.raw_block`."""
        answer = self._get_block(f"/block/{block_hash}/raw", block_hash, BLOCK_LIMIT)
        if answer.content_type != "application/octet-stream":
            raise SourceError(
                f"{answer.source} answered {answer.request} with "
                f"{answer.content_type or 'no type'}, not with a block; {WRONG_ADDRESS}"
            )
        return answer.body

    def close(self) -> None:
        """Close the connections."""
        self._back_end.client.close()
        if self._electrs:
            self._electrs.client.close()

    def _header(self, block_hash: str) -> bytes:
        answer = self._get_block(f"/block/{block_hash}/header", block_hash)
        return checked_header(checked_hex(answer.text, answer.source), block_hash, answer.source)

    def _get_block(self, path: str, block_hash: str, limit: int = SMALL_LIMIT) -> Answer:
        answer = self._get(path, limit)
        if _may_mean_no_such_block(answer):
            self.tip()
            answer = self._get_again(path, answer, limit)
        if _may_mean_no_such_block(answer):
            raise BlockNotFound(
                f"{answer.source} has no block {block_hash} ({answer.reason}); its node may have "
                "pruned it"
            )
        if answer.status != 200:
            raise answer.refused()
        return answer

    def _get_again(self, path: str, answer: Answer, limit: int = SMALL_LIMIT) -> Answer:
        """Return what is answered now, in place of an answer that may mean: no such block.

        A back end says the same when its node was busy or out of reach for a moment.
        """
        if not _may_mean_no_such_block(answer):
            return answer
        sleep(_PAUSE)
        return self._get(path, limit)

    def _get(self, path: str, limit: int = SMALL_LIMIT) -> Answer:
        routes = self._find()[0] if self._found is None else self._found
        answer = routes.get(path, limit)
        if answer.status == 404 and answer.text.startswith(_NO_ENDPOINT):
            raise SourceError(
                f"{answer.source} has no such route ({answer.request}): is it an old electrs? "
                "upgrade it, or use another source"
            )
        return answer

    def _find(self) -> tuple[BlockRoutes, str]:
        """Find the routes by the hash of the newest block, and return both."""
        likely = self._likely_route
        base = likely if likely in BASES else BASES[0]
        self._found, tip_hash = find_block_routes(
            replace(self._back_end, base=base),
            self._electrs,
            try_electrs_first=likely not in (None, *BASES),
        )
        _log.info("%s serves blocks at %s", self.name, self._route_of(self._found))
        return self._found, tip_hash

    def _route_of(self, routes: BlockRoutes) -> str:
        return routes.client.name if routes is self._electrs else routes.base


def _height_in(answer: Answer, block_hash: str) -> int:
    if answer.status != 200:
        raise answer.refused()
    block = answer.json()
    if not isinstance(block, dict) or block.get("id") != block_hash:
        raise SourceError(f"{answer.source} answered {answer.request} with another block")
    return checked_height(block.get("height"), answer.source)


def _may_mean_no_such_block(answer: Answer) -> bool:
    """Tell whether a server may say that it doesn't have the block that it was asked for.

    electrs answers 404, a back end 500 with a few words; 500 is also all that a back end says of a
    node that it can't reach. A page is from elsewhere, or says that there is no such route.
    """
    return answer.status in (404, 500) and not is_page(answer)
