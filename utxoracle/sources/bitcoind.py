"""Blocks from Bitcoin Core: over REST where it is on, else over JSON-RPC."""

from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from utxoracle.errors import BlockNotFound, SourceError, SourceSyncing, UsageError
from utxoracle.settings import Settings, variable_of
from utxoracle.sources.answers import (
    WRONG_ADDRESS,
    asked_twice,
    checked_hash,
    checked_header,
    checked_height,
    checked_hex,
    printable,
)
from utxoracle.sources.endpoint import Credentials, Endpoint
from utxoracle.sources.http import (
    BLOCK_LIMIT,
    RPC_LIMIT,
    SMALL_LIMIT,
    Answer,
    ClientSettings,
    HttpClient,
)

_MISC_ERROR, _NOT_FOUND, _OUT_OF_RANGE, _LOADING, _NO_METHOD = -1, -5, -8, -28, -32601
"""Codes of JSON-RPC errors (Bitcoin Core, rpc/protocol.h)."""

_LOADING_TEXT = "Service temporarily unavailable"
"""What REST says with 503 while bitcoind loads, before what it is at; not so when too busy."""

_CHAIN_INFO = "/rest/chaininfo.json"
_JSON = "application/json"


class _BlockPruned(BlockNotFound):
    """Raised when a node knows a block and has thrown its bytes away."""


class _TurnedAway(SourceError):
    """Raised when JSON-RPC isn't there, or not for us: REST may be, and wants no password."""


class _Interface(Protocol):
    """The four questions, as one of bitcoind's two interfaces asks them.

    Attributes:
        route: What a source calls it.
    """

    route: str

    def info(self) -> Any:
        """Return what `getblockchaininfo` tells."""

    def hash_at(self, height: int) -> object:
        """Return the hash at a height."""

    def header(self, block_hash: str) -> bytes:
        """Return a header."""

    def raw_block(self, block_hash: str) -> bytes:
        """Return a block."""


class BitcoindSource:
    """A Bitcoin Core node.

    REST needs no password and sends blocks as they are, which is several times faster; it is used
    when the node has it on (`rest=1`). JSON-RPC takes its credentials from, in this order: the
    cookie file, the URL, the settings.

    Raises:
        UsageError: The file with the password can't be read.
    """

    may_lack_genesis = False

    def __init__(self, endpoint: Endpoint, settings: Settings, cookie: Path | None) -> None:
        self._client = HttpClient("bitcoind", endpoint, ClientSettings.for_blocks(settings))
        credentials = endpoint.credentials or _password_of(settings)
        self._rest = _Rest(self._client)
        self._rpc = _Rpc(self._client, cookie, credentials)
        self._known_interface: _Interface | None = None
        self._likely_route: str | None = None
        self.name = self._client.name

    @property
    def route(self) -> str | None:
        """The interface that is used, `rest` or `rpc`; see `Source`."""
        return self._known_interface.route if self._known_interface else self._likely_route

    @route.setter
    def route(self, interface: str | None) -> None:
        self._known_interface = None
        self._likely_route = interface if interface in (_Rest.route, _Rpc.route) else None

    def tip(self) -> tuple[int, str]:
        """Return height and hash of the newest block; a node that is still syncing has none."""
        info = self._info()
        if not isinstance(info, dict):
            raise SourceError(f"{self.name} told nothing about its chain; is it a bitcoind?")
        height = checked_height(info.get("blocks"), self.name)
        if info.get("initialblockdownload"):
            raise SourceSyncing(
                f"{self.name} is still syncing, at block {height} of {info.get('headers')}: try "
                "again when it has caught up"
            )
        return height, checked_hash(info.get("bestblockhash"), self.name)

    def tip_hash(self) -> str:
        """Return the hash of that block; a node that is still syncing has none."""
        return self.tip()[1]

    def hash_at(self, height: int) -> str:
        """Return the hash of the block at `height`; see `Source.hash_at`."""
        return checked_hash(self._interface.hash_at(height), self.name)

    def header(self, block_hash: str) -> bytes:
        """Return a block's header; see `Source.header`."""
        return asked_twice(lambda: self._header(block_hash))

    def raw_block(self, block_hash: str) -> bytes:
        """Return a block's bytes; see `Source.raw_block`."""
        try:
            return self._interface.raw_block(block_hash)
        except _BlockPruned as error:
            raise BlockNotFound(f"{error}{self._what_is_kept()}") from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _header(self, block_hash: str) -> bytes:
        return checked_header(self._interface.header(block_hash), block_hash, self.name)

    def _what_is_kept(self) -> str:
        """Say of a node that has pruned a block which ones it keeps, as far as it tells."""
        with suppress(SourceError):
            info = self._interface.info()
            if isinstance(info, dict):
                # The height of the last block pruned plus one, says Bitcoin Core.
                lowest = checked_height(info.get("pruneheight"), self.name)
                return f" and keeps only those from block {lowest} on"
        return ": only a node that keeps it can serve it"

    def _info(self) -> Any:
        """Return what the node tells of its chain: one request, where the route is known."""
        turned_away: _TurnedAway | None = None
        if self._known_interface is None and self._likely_route == _Rpc.route:
            try:
                return self._rpc.info()
            except _TurnedAway as error:
                turned_away = error
        if self._known_interface is None:
            self._known_interface, answer = self._look_up()
            if self._known_interface is self._rest:
                return answer.json()
            if turned_away:
                raise turned_away
        return self._known_interface.info()

    @property
    def _interface(self) -> _Interface:
        """The interface to ask for blocks: REST if it is on by now, which is worth a request."""
        if self._known_interface is None:
            self._known_interface, _ = self._look_up()
        return self._known_interface

    def _look_up(self) -> tuple[_Interface, Answer]:
        """Return REST if it is on, else JSON-RPC, and what REST answered of the chain."""
        answer = self._client.get(_CHAIN_INFO)
        _check_server(answer)
        rest_is_on = answer.status == 200 and answer.content_type == _JSON
        return (self._rest if rest_is_on else self._rpc), answer


class _Rest:
    """Bitcoin Core's REST interface, as it is since version 24."""

    route = "rest"

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def info(self) -> Any:
        return self._get(_CHAIN_INFO, "chain").json()

    def hash_at(self, height: int) -> object:
        return self._get(f"/rest/blockhashbyheight/{height}.hex", f"block {height}").text

    def header(self, block_hash: str) -> bytes:
        raw = self._get(f"/rest/headers/{block_hash}.bin?count=1", f"block {block_hash}").body
        if not raw:
            raise BlockNotFound(f"{self._client.name} has no block {block_hash} on its best chain")
        return raw

    def raw_block(self, block_hash: str) -> bytes:
        what = f"block {block_hash}"
        return self._get(f"/rest/block/{block_hash}.bin", what, BLOCK_LIMIT).body

    def _get(self, path: str, what: str, limit: int = SMALL_LIMIT) -> Answer:
        answer = self._client.get(path, limit=limit)
        if answer.status == 200:
            return answer
        _check_server(answer)
        if answer.status == 404 and answer.text:
            raise _not_found(self._client.name, what, answer.text)
        raise answer.refused()


class _Rpc:
    """Bitcoin Core's JSON-RPC interface."""

    route = "rpc"

    def __init__(
        self, client: HttpClient, cookie: Path | None, credentials: Credentials | None
    ) -> None:
        self._client = client
        self._cookie = cookie
        self._credentials = credentials

    def info(self) -> Any:
        return self._call("getblockchaininfo", what="chain")

    def hash_at(self, height: int) -> object:
        return self._call("getblockhash", height, what=f"block {height}")

    def header(self, block_hash: str) -> bytes:
        result = self._call("getblockheader", block_hash, False, what=f"block {block_hash}")
        return checked_hex(result, self._client.name)

    def raw_block(self, block_hash: str) -> bytes:
        result = self._call("getblock", block_hash, 0, what=f"block {block_hash}", limit=RPC_LIMIT)
        return checked_hex(result, self._client.name)

    def _call(self, method: str, *params: object, what: str, limit: int = SMALL_LIMIT) -> object:
        """Return the result of an RPC; `what` it is about goes into the error."""
        payload = {"jsonrpc": "1.0", "id": 1, "method": method, "params": params}
        answer = self._post(payload, limit)
        if answer.status in (401, 403):
            raise self._locked_out(answer.status)
        _check_server(answer)
        if 300 <= answer.status < 400:
            raise answer.refused()
        if answer.content_type != _JSON:
            raise self._no_rpc(answer)
        reply = answer.json()
        if not isinstance(reply, dict):
            raise self._no_rpc(answer)
        error = reply.get("error")
        if error is not None:
            raise self._failure(method, what, error)
        if answer.status != 200 or "result" not in reply:
            raise self._no_rpc(answer)
        return reply["result"]

    def _post(self, payload: object, limit: int) -> Answer:
        """Return the answer to a call, made again if the cookie changed while it was made."""
        login = self._login()
        answer = self._client.post("/", payload, limit=limit, auth=login)
        if answer.status != 401 or self._cookie is None:
            return answer
        renewed = self._login()
        if renewed == login:
            return answer
        return self._client.post("/", payload, limit=limit, auth=renewed)

    def _login(self) -> Credentials | None:
        """Return user and password; bitcoind writes a new cookie whenever it starts."""
        if self._cookie is None:
            return self._credentials
        try:
            user, _, password = self._cookie.read_text("utf-8").strip().partition(":")
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it isn't text"
            raise _TurnedAway(
                f"the cookie {self._cookie} of {self._client.name} can't be read: {why}; is "
                "bitcoind running, and may this user read it (rpccookieperms=group)?"
            ) from None
        return user, password

    def _locked_out(self, status: int) -> _TurnedAway:
        if status == 403:
            return _TurnedAway(
                f"{self._client.name} forbids this machine to ask (403): see rpcallowip in "
                "bitcoin.conf"
            )
        if self._cookie is None and self._credentials is None:
            return _TurnedAway(
                f"{self._client.name} wants a password (401): set rest=1 in bitcoin.conf, or add "
                f"?cookie=FILE to the source, or set {variable_of('rpc_user')} and "
                f"{variable_of('rpc_password_file')}"
            )
        return _TurnedAway(
            f"{self._client.name} refuses the user or password (401): compare "
            f"{self._cookie or 'them'} with its rpcauth or its cookie"
        )

    def _no_rpc(self, answer: Answer) -> _TurnedAway:
        return _TurnedAway(
            f"{self._client.name} answered {answer.request} with {answer.reason}, which isn't a "
            f"JSON-RPC reply; {WRONG_ADDRESS}"
        )

    def _failure(self, method: str, what: str, error: object) -> SourceError:
        code, message = None, printable(str(error))
        if isinstance(error, dict):
            code, message = error.get("code"), printable(str(error.get("message")))
        if code == _LOADING:
            return SourceSyncing(
                f"{self._client.name} is still starting ({message:.100}): try again in a minute"
            )
        is_unavailable = code == _MISC_ERROR and "not available" in message
        if code in (_NOT_FOUND, _OUT_OF_RANGE) or is_unavailable:
            return _not_found(self._client.name, what, message)
        kind = _TurnedAway if code == _NO_METHOD else SourceError
        return kind(f"{self._client.name} failed at {method}: {message:.100} ({code})")


def _check_server(answer: Answer) -> None:
    """Look for what a server as a whole is in, so that its other interface would say the same.

    Raises:
        SourceSyncing: It is starting.
        SourceError: It is too busy or fails, or is out of reach behind a proxy.
    """
    if answer.status == 503:
        raise _not_ready(answer)
    if answer.is_trouble and answer.content_type != _JSON:
        raise answer.refused()


def _not_ready(answer: Answer) -> SourceError:
    """Return the error for 503, which bitcoind gives while it loads and when it is too busy."""
    if _LOADING_TEXT in answer.text:
        return SourceSyncing(
            f"{answer.source} is still starting ({answer.reason}): try again in a minute"
        )
    return SourceError(f"{answer.source} is too busy ({answer.reason}): try again in a minute")


def _not_found(name: str, what: str, message: str) -> BlockNotFound:
    if "pruned" in message:
        return _BlockPruned(f"{name} has pruned {what}")
    return BlockNotFound(f"{name} has no {what} ({printable(message):.100})")


def _password_of(settings: Settings) -> Credentials | None:
    path = settings.rpc_password_file
    if not settings.rpc_user or path is None:
        return None
    try:
        return settings.rpc_user, path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it isn't text"
        raise UsageError(
            f"{path} ({variable_of('rpc_password_file')}) can't be read: {why}"
        ) from None
