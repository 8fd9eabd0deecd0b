"""Blocks from a mempool back end, or from the front end before it."""

from collections.abc import Callable, Iterator
from time import sleep

from utxoracle.errors import BlockNotFound, SourceError
from utxoracle.settings import Settings
from utxoracle.sources.answers import (
    WRONG_ADDRESS,
    checked_hash,
    checked_header,
    checked_height,
    checked_hex,
)
from utxoracle.sources.http import (
    BLOCK_LIMIT,
    SMALL_LIMIT,
    Answer,
    ClientSettings,
    Endpoint,
    HttpClient,
)

_BASES = ("/api/v1", "/api", "")
_TIP_HASH = "/blocks/tip/hash"
_TIP_ATTEMPTS = 4
_PAUSE = 0.2

_FAILURES = (
    "Failed to get block at height",
    "Failed to get block header",
    "Failed to get raw block",
)
"""What a back end says of blocks that it doesn't have, but also of a node that it can't reach."""


class MempoolSource:
    """A mempool back end, or a front end that passes requests on to it.

    Only routes that ask the node itself are used: the tip's height and the list of blocks are
    kept in the back end's memory, and stay as they were when the node is gone.
    """

    may_lack_genesis = False

    def __init__(self, endpoint: Endpoint, settings: Settings) -> None:
        self._client = HttpClient("mempool", endpoint, ClientSettings.for_blocks(settings))
        self._credentials = endpoint.credentials
        self._base: str | None = None
        self._likely_base: str | None = None
        self.name = self._client.name

    @property
    def route(self) -> str | None:
        """The path below the given address where the back end's routes are; see `Source`."""
        return self._likely_base if self._base is None else self._base

    @route.setter
    def route(self, base: str | None) -> None:
        self._base = None
        self._likely_base = base if base in _BASES else None

    def tip(self) -> tuple[int, str]:
        """Return height and hash of the node's newest block.

        The hash comes from the node, its height from the block, and the node must still have that
        hash at that height. While blocks arrive this can fail, so it is asked a few times.
        """
        for _ in range(_TIP_ATTEMPTS):
            tip_hash = self.tip_hash()
            height = self._height_of(tip_hash)
            confirmed = self._get(f"/block-height/{height}")
            if confirmed.status == 200 and confirmed.text == tip_hash:
                return height, tip_hash
        raise SourceError(
            f"{self.name} named {_TIP_ATTEMPTS} newest blocks one after the other that it did not "
            "have at their height: its chain is changing, try again in a minute"
        )

    def tip_hash(self) -> str:
        """Return the hash of the node's newest block, whose height may not be known yet."""
        if self._base is None:
            return self._find_base()
        return self._tip_hash_of(self._ask(self._base + _TIP_HASH))

    def hash_at(self, height: int) -> str:
        """Return the hash of the block at `height`; see `Source.hash_at`."""
        answer = self._get(f"/block-height/{height}")
        if answer.status != 200:
            # The tip fails when the node can't be reached, so what is left means: no such block.
            tip_height, _ = self.tip()
            missing = BlockNotFound(
                f"{self.name} has no block {height}; its newest is {tip_height}"
            )
            if height > tip_height:
                raise missing
            if _names_a_missing_block(answer):
                # It says the same when its node was busy for a moment.
                sleep(_PAUSE)
                answer = self._get(f"/block-height/{height}")
            if _names_a_missing_block(answer):
                raise missing
        if answer.status == 200:
            return checked_hash(answer.text, self.name)
        raise answer.refused()

    def header(self, block_hash: str) -> bytes:
        """Return a block's header; see `Source.header`."""
        answer = self._get_block(f"/block/{block_hash}/header", block_hash, SMALL_LIMIT)
        return checked_header(checked_hex(answer.text, self.name), block_hash, self.name)

    def raw_block(self, block_hash: str) -> bytes:
        """Return a block's bytes; see `Source.raw_block`."""
        answer = self._get_block(f"/block/{block_hash}/raw", block_hash, BLOCK_LIMIT)
        if answer.content_type != "application/octet-stream":
            raise SourceError(
                f"{self.name} answered {answer.request} with {answer.content_type or 'no type'}, "
                f"not with a block; {WRONG_ADDRESS}"
            )
        return answer.body

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _height_of(self, block_hash: str) -> int:
        answer = self._get(f"/block/{block_hash}")
        if answer.status != 200:
            raise answer.refused()
        block = answer.json()
        if not isinstance(block, dict) or block.get("id") != block_hash:
            raise SourceError(f"{self.name} answered {answer.request} with another block")
        return checked_height(block.get("height"), self.name)

    def _get_block(self, path: str, block_hash: str, limit: int) -> Answer:
        answer = self._get(path, limit)
        if answer.status == 200:
            return answer
        if answer.status == 404 or _names_a_missing_block(answer):
            self.tip()
            raise BlockNotFound(
                f"{self.name} has no block {block_hash} ({answer.reason}); its node may have "
                "pruned it"
            )
        raise answer.refused()

    def _get(self, path: str, limit: int = SMALL_LIMIT) -> Answer:
        if self._base is None:
            self._find_base()
        return self._ask(f"{self._base}{path}", limit)

    def _ask(self, path: str, limit: int = SMALL_LIMIT) -> Answer:
        return self._client.get(path, limit=limit, auth=self._credentials)

    def _find_base(self) -> str:
        """Find the base by the hash of the newest block, and return that hash."""
        failure: SourceError | None = None
        for base, answer in answers_below(lambda one: self._ask(one + _TIP_HASH), self.route):
            try:
                tip_hash = self._tip_hash_of(answer)
            except SourceError as error:
                failure = failure or error
            else:
                self._base = base
                return tip_hash
        raise failure or SourceError(
            f"{self.name} has no mempool API at /api/v1, /api or /: {WRONG_ADDRESS} "
            "A back end in esplora mode serves no blocks; name its node: bitcoind+http://"
        )

    def _tip_hash_of(self, answer: Answer) -> str:
        if answer.status >= 500:
            raise SourceError(
                f"{self.name} is up but can't reach its node ({answer.reason}): is bitcoind "
                "running, and ready?"
            )
        if answer.status != 200:
            raise answer.refused()
        return checked_hash(answer.text, self.name)


def answers_below(
    ask: Callable[[str], Answer], likely: str | None = None
) -> Iterator[tuple[str, Answer]]:
    """Yield the paths where a back end's routes may be, and what is answered there.

    Args:
        ask: Asks for a route below the path that it is given.
        likely: The path to begin with.

    Where there is no such route, nothing is yielded: a back end answers 404, but a front end 200
    with its page.
    """
    for base in sorted(_BASES, key=lambda one: one != likely):
        answer = ask(base)
        is_page = answer.status == 200 and answer.content_type == "text/html"
        if answer.status != 404 and not is_page:
            yield base, answer


def _names_a_missing_block(answer: Answer) -> bool:
    return any(failure in answer.text for failure in _FAILURES)
