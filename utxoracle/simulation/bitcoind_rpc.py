"""The parts of bitcoind's JSON-RPC that clients use, answered as it does."""

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any, ClassVar

from utxoracle.errors import BlockNotFound
from utxoracle.simulation.answers import Answer, Request
from utxoracle.simulation.bitcoind import (
    HTML,
    LOADING,
    chain_info,
    chain_tips,
    header_facts,
    json_line,
)
from utxoracle.simulation.faults import Step
from utxoracle.simulation.view import BlockPlace, ChainView, ReadBlock

MISCELLANEOUS, INVALID_PARAMETER, INVALID_ADDRESS_OR_KEY, IN_WARM_UP = -1, -8, -5, -28
METHOD_NOT_FOUND, INVALID_REQUEST, PARSE_ERROR = -32601, -32600, -32700
HTTP_STATUS = {INVALID_REQUEST: 400, METHOD_NOT_FOUND: 404}
"""Statuses of JSON-RPC 1.0 errors; all others are 500."""


class _RpcError(Exception):
    """Raised when a call ends in an error object."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class RpcRoutes:
    """Answers for JSON-RPC.

    Args:
        view: The chain as it is known when the request comes.
        read_block: Gives a raw block to send.
        credentials: The `user:password` pairs that may call; with none, everybody may.
        uptime: Seconds since the server started.
    """

    def __init__(
        self,
        view: ChainView,
        read_block: ReadBlock,
        credentials: tuple[str, ...],
        uptime: int,
    ) -> None:
        self._view = view
        self._read_block = read_block
        self._credentials = credentials
        self._uptime = uptime

    def step_of(self, request: Request) -> Step | None:
        """Return the step of the first call that is at one."""
        try:
            calls = json.loads(request.body)
        except ValueError:
            return None
        for call in calls if isinstance(calls, list) else [calls]:
            step, _ = self._method(call.get("method") if isinstance(call, dict) else None)
            if step:
                return step
        return None

    def answer(self, request: Request) -> Answer:
        """Return the answer to a POST of one JSON-RPC call or of a list of them."""
        if not self._allowed(request.authorization):
            return Answer(401, HTML, b"", (("WWW-Authenticate", 'Basic realm="jsonrpc"'),))
        try:
            calls = json.loads(request.body)
        except ValueError:
            return json_line(_failure(PARSE_ERROR, "Parse error", None), 500)
        if isinstance(calls, list):
            return json_line([self._call(call)[1] for call in calls])
        status, reply = self._call(calls)
        return json_line(reply, status)

    def _allowed(self, authorization: str) -> bool:
        if not self._credentials:
            return True
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        return any(
            hmac.compare_digest(base64.b64encode(pair.encode()), token.strip().encode())
            for pair in self._credentials
        )

    def _call(self, call: Any) -> tuple[int, dict[str, object]]:
        """Return the HTTP status and the reply to one call."""
        if not isinstance(call, dict):
            return 400, _failure(INVALID_REQUEST, "Invalid Request object", None)
        modern = call.get("jsonrpc") == "2.0"
        identity = call.get("id")
        try:
            result = self._dispatch(call.get("method"), call.get("params") or [])
        except _RpcError as error:
            if modern:
                fault = {"code": error.code, "message": str(error)}
                return 200, {"jsonrpc": "2.0", "error": fault, "id": identity}
            status = HTTP_STATUS.get(error.code, 500)
            return status, _failure(error.code, str(error), identity)
        if modern:
            return 200, {"jsonrpc": "2.0", "result": result, "id": identity}
        return 200, {"result": result, "error": None, "id": identity}

    def _dispatch(self, method: object, params: Any) -> object:
        if self._view.node.loading:
            raise _RpcError(IN_WARM_UP, LOADING)
        _, handler = self._method(method)
        if handler is None:
            raise _RpcError(METHOD_NOT_FOUND, "Method not found")
        try:
            if isinstance(params, dict):
                return handler(self, **params)
            return handler(self, *params)
        except TypeError:
            message = f"{method}: wrong number or kind of parameters"
            raise _RpcError(MISCELLANEOUS, message) from None

    def _method(self, name: object) -> tuple[Step | None, Callable[..., object] | None]:
        """Return the step and the handler of a method, as far as there are such."""
        return self._METHODS.get(name, (None, None)) if isinstance(name, str) else (None, None)

    def _getblockcount(self) -> int:
        return self._view.tip

    def _getbestblockhash(self) -> str:
        return self._view.tip_hash

    def _getblockhash(self, height: int) -> str:
        try:
            return self._view.hash_at(height)
        except BlockNotFound:
            raise _RpcError(INVALID_PARAMETER, "Block height out of range") from None

    def _getblock(self, blockhash: str, verbosity: int = 1) -> str:
        place = self._find(blockhash)
        if verbosity != 0:
            raise _RpcError(INVALID_PARAMETER, "the simulation has getblock with verbosity 0 only")
        if self._view.is_pruned(place):
            raise _RpcError(MISCELLANEOUS, "Block not available (pruned data)")
        return self._read_block(place).hex()

    def _getblockheader(self, blockhash: str, verbose: bool = True) -> object:
        place = self._find(blockhash)
        return header_facts(self._view, place) if verbose else place.header.hex()

    def _getblockchaininfo(self) -> object:
        return chain_info(self._view)

    def _getchaintips(self) -> object:
        return chain_tips(self._view)

    def _get_uptime(self) -> int:
        return self._uptime

    def _find(self, block_hash: str) -> BlockPlace:
        if len(block_hash) != 64:
            raise _RpcError(
                INVALID_PARAMETER,
                f"blockhash must be of length 64 (not {len(block_hash)}, for '{block_hash}')",
            )
        try:
            return self._view.find(block_hash.lower())
        except BlockNotFound:
            raise _RpcError(INVALID_ADDRESS_OR_KEY, "Block not found") from None

    _METHODS: ClassVar[dict[str, tuple[Step | None, Callable[..., object]]]] = {
        "getblockcount": (Step.TIP, _getblockcount),
        "getbestblockhash": (Step.TIP, _getbestblockhash),
        "getblockchaininfo": (Step.TIP, _getblockchaininfo),
        "getblockhash": (Step.HASH, _getblockhash),
        "getblockheader": (Step.HEADER, _getblockheader),
        "getblock": (Step.BLOCK, _getblock),
        "getchaintips": (None, _getchaintips),
        "uptime": (None, _get_uptime),
    }


def _failure(code: int, message: str, identity: object) -> dict[str, object]:
    return {"result": None, "error": {"code": code, "message": message}, "id": identity}
