"""Where the routes of a mempool back end are, and what else may stand at its address."""

from dataclasses import dataclass, replace

from utxoracle.errors import SourceError
from utxoracle.settings import variable_of
from utxoracle.sources.answers import checked_hash
from utxoracle.sources.endpoint import Credentials
from utxoracle.sources.http import SMALL_LIMIT, Answer, HttpClient

BASES = ("/api/v1", "/api", "/")
"""Paths that the routes are below: a back end's, a front end's, and that of electrs."""

_TIP_HASH = "/blocks/tip/hash"
_BACKEND_INFO = "/backend-info"
_ESPLORA = "esplora"


@dataclass(frozen=True)
class BlockRoutes:
    """The routes for blocks, below a path of a server.

    Attributes:
        client: Asks the server.
        credentials: What the server is asked with, if anything.
        base: The path, one of BASES.
    """

    client: HttpClient
    credentials: Credentials | None
    base: str

    def get(self, path: str, limit: int = SMALL_LIMIT) -> Answer:
        """Return the answer to GET `path` below the base; see `HttpClient.get`."""
        return self.client.get(below(self.base, path), limit=limit, auth=self.credentials)

    def get_tip_hash(self) -> Answer:
        """Return the answer to the question for the newest block's hash."""
        # A node always has a newest block, so 500 can only mean that it's out of reach.
        path = below(self.base, _TIP_HASH)
        return self.client.get(path, auth=self.credentials, retry_500=True)


def below(base: str, path: str) -> str:
    """Return `path` below `base`."""
    return base.rstrip("/") + path


def is_page(answer: Answer) -> bool:
    """Tell whether an answer is a web page, whatever its status.

    Hashes and short errors are sent as text/html too.
    """
    return answer.content_type == "text/html" and (not answer.text or answer.text.startswith("<"))


def is_no_route(answer: Answer) -> bool:
    """Tell whether there is no route: a back end answers 404, but a front end 200 with its page."""
    return answer.status == 404 or (answer.status == 200 and is_page(answer))


def tip_hash_of(answer: Answer) -> str:
    """Return the hash of the newest block.

    Raises:
        SourceError: The answer tells none.
    """
    if answer.status in (502, 504) or (answer.status >= 500 and is_page(answer)):
        raise SourceError(
            f"{answer.source} is a front end or a proxy that can't reach its back end "
            f"({answer.reason}): is the back end running?"
        )
    if answer.status >= 500:
        raise SourceError(
            f"{answer.source} is up but can't reach its node ({answer.reason}): is bitcoind "
            "running, and ready?"
        )
    if answer.status != 200:
        raise answer.refused()
    return checked_hash(answer.text, answer.source)


def find_block_routes(
    back_end: BlockRoutes, electrs: BlockRoutes | None, *, try_electrs_first: bool
) -> tuple[BlockRoutes, str]:
    """Return the routes that serve blocks, and the hash of the newest block, which finds them.

    Args:
        back_end: The server; its base is tried first.
        electrs: What a back end in esplora mode leaves blocks to.
        try_electrs_first: Whether the server was found to be in that mode before.

    Raises:
        SourceError: None serves them; the message says what is there instead.
    """
    failure: SourceError | None = None
    if electrs and try_electrs_first:
        try:
            return electrs, tip_hash_of(electrs.get_tip_hash())
        except SourceError as error:
            failure = error
    found = _find_base(back_end)
    if found:
        return found
    if electrs is None:
        raise SourceError(
            f"{back_end.client.name} leaves blocks to electrs (BACKEND=esplora): set "
            f"{variable_of('electrs_url')} to the address of its REST server, such as "
            "http://127.0.0.1:3000"
        )
    if failure:
        raise failure
    return electrs, tip_hash_of(electrs.get_tip_hash())


def _find_base(back_end: BlockRoutes) -> tuple[BlockRoutes, str] | None:
    """Return where the back end serves blocks, and the newest one's hash; None in esplora mode.

    Raises:
        SourceError: It does neither.
    """
    no_hash: SourceError | None = None
    without: list[tuple[BlockRoutes, Answer]] = []
    for base in sorted(BASES, key=lambda one: one != back_end.base):
        routes = replace(back_end, base=base)
        answer = routes.get_tip_hash()
        if is_no_route(answer):
            without.append((routes, answer))
            continue
        try:
            return routes, tip_hash_of(answer)
        except SourceError as error:
            # A server in trouble is in it at every base, and would be waited for at each. But some
            # proxies answer 200 with a few words, or none, where they have no route.
            if answer.status != 200:
                raise
            no_hash = no_hash or error
    if no_hash:
        raise no_hash
    modes = (_mode_of(routes) for routes, answer in without if answer.status == 404)
    mode = next(filter(None, modes), None)
    if mode == _ESPLORA:
        return None
    name = back_end.client.name
    if mode:
        raise SourceError(
            f"{name} is a mempool back end (BACKEND={mode}) without its routes for blocks: is "
            "there a proxy that doesn't pass them on?"
        )
    raise _nothing_there(name, [answer for _, answer in without])


def _mode_of(routes: BlockRoutes) -> str | None:
    """Return how a back end gets at blocks, which it tells in every mode; None if there is none."""
    answer = routes.get(_BACKEND_INFO)
    if answer.status != 200 or answer.content_type != "application/json":
        return None
    info = answer.json()
    if not isinstance(info, dict) or "gitCommit" not in info:
        return None
    # Version 2.5 doesn't say, but serves blocks itself in all modes but this.
    return str(info.get("backend", _ESPLORA))


def _nothing_there(name: str, answers: list[Answer]) -> SourceError:
    if all(is_page(answer) and answer.status == 200 for answer in answers):
        return SourceError(
            f"{name} answers with web pages only, also below /api: it is a front end without its "
            "back end, or another web site; name the back end itself, as in "
            "mempool+http://127.0.0.1:8999"
        )
    return SourceError(
        f"{name} is not a mempool server: nothing at /api/v1, /api or / serves blocks; check host, "
        "port and path (a back end's port is 8999, a front end's 8080)"
    )
