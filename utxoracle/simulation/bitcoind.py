"""The parts of bitcoind's REST and JSON-RPC that this program uses, answered as it does."""

import base64
import hmac
import json
import re
from collections.abc import Callable
from typing import Any, ClassVar

from utxoracle.bitcoin.encoding import hash_to_hex
from utxoracle.bitcoin.header import parse_header
from utxoracle.errors import BlockNotFound
from utxoracle.simulation.answers import JSON, OCTETS, TEXT, Answer, Request, compact_json
from utxoracle.simulation.view import BlockPlace, ChainView, ReadBlock

HTML = "text/html; charset=ISO-8859-1"
TARGET = "7fffff" + 58 * "0"
DIFFICULTY = 4.656542373906925e-10
MOST_HEADERS = 2000
DEFAULT_HEADERS = "5"
BLOCK_HASH = re.compile(r"[0-9a-fA-F]{64}")

INVALID_PARAMETER, INVALID_ADDRESS_OR_KEY = -8, -5
METHOD_NOT_FOUND, INVALID_REQUEST, PARSE_ERROR = -32601, -32600, -32700
HTTP_STATUS = {INVALID_REQUEST: 400, METHOD_NOT_FOUND: 404}
"""Statuses of JSON-RPC 1.0 errors; all others are 500."""


class _RpcError(Exception):
    """Raised when a call ends in an error object."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class BitcoindRoutes:
    """Answers for `/rest/…` and for JSON-RPC.

    Args:
        view: The chain as it is known when the request comes.
        read_block: Gives a raw block to send.
        credentials: The `user:password` pairs that may call; with none, everybody may.
    """

    def __init__(
        self, view: ChainView, read_block: ReadBlock, credentials: tuple[str, ...]
    ) -> None:
        self._view = view
        self._read_block = read_block
        self._credentials = credentials

    def rest(self, request: Request) -> Answer:
        """Return the answer to a GET below `/rest`."""
        path, _, form = request.path.removeprefix("/rest/").rpartition(".")
        match path.split("/"):
            case ["block", block_hash]:
                return self._rest_block(block_hash, form)
            case ["blockhashbyheight", height]:
                return self._rest_hash(height, form)
            case ["headers", block_hash]:
                count = request.query.get("count", DEFAULT_HEADERS)
                return self._rest_headers(block_hash, count, form)
            case ["headers", count, block_hash]:
                return self._rest_headers(block_hash, count, form)
            case ["chaininfo"] if form == "json":
                return _json(self._chain_info())
        return Answer(404, HTML, b"")

    def rpc(self, request: Request) -> Answer:
        """Return the answer to a POST of one JSON-RPC call or of a list of them."""
        if not self._allowed(request.authorization):
            return Answer(401, HTML, b"", (("WWW-Authenticate", 'Basic realm="jsonrpc"'),))
        try:
            calls = json.loads(request.body)
        except ValueError:
            return _json(_failure(PARSE_ERROR, "Parse error", None), 500)
        if isinstance(calls, list):
            return _json([self._call(call)[1] for call in calls])
        status, reply = self._call(calls)
        return _json(reply, status)

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
        handler = self._METHODS.get(method) if isinstance(method, str) else None
        if handler is None:
            raise _RpcError(METHOD_NOT_FOUND, "Method not found")
        try:
            if isinstance(params, dict):
                return handler(self, **params)
            return handler(self, *params)
        except TypeError:
            raise _RpcError(-1, f"{method}: wrong number or kind of parameters") from None

    def _getblockcount(self) -> int:
        return self._view.tip

    def _getbestblockhash(self) -> str:
        return self._view.chain.hash_at(self._view.tip)

    def _getblockhash(self, height: int) -> str:
        try:
            return self._view.hash_at(height)
        except BlockNotFound:
            raise _RpcError(INVALID_PARAMETER, "Block height out of range") from None

    def _getblock(self, blockhash: str, verbosity: int = 1) -> str:
        place = self._rpc_find(blockhash)
        if verbosity != 0:
            raise _RpcError(INVALID_PARAMETER, "the simulation has getblock with verbosity 0 only")
        return self._read_block(place).hex()

    def _getblockheader(self, blockhash: str, verbose: bool = True) -> object:
        place = self._rpc_find(blockhash)
        return self._header_facts(place) if verbose else _header_at(place).hex()

    def _rpc_find(self, block_hash: str) -> BlockPlace:
        if len(block_hash) != 64:
            raise _RpcError(
                INVALID_PARAMETER,
                f"blockhash must be of length 64 (not {len(block_hash)}, for '{block_hash}')",
            )
        try:
            return self._view.find(block_hash.lower())
        except BlockNotFound:
            raise _RpcError(INVALID_ADDRESS_OR_KEY, "Block not found") from None

    def _rest_block(self, block_hash: str, form: str) -> Answer:
        if not BLOCK_HASH.fullmatch(block_hash):
            return _text(400, f"Invalid hash: {block_hash}")
        try:
            place = self._view.find(block_hash.lower())
        except BlockNotFound:
            return _text(404, f"{block_hash} not found")
        return _binary_or_hex(self._read_block(place), form)

    def _rest_hash(self, height: str, form: str) -> Answer:
        if not re.fullmatch(r"[0-9]{1,9}", height):
            return _text(400, f"Invalid height: {height}")
        try:
            block_hash = self._view.hash_at(int(height))
        except BlockNotFound:
            return _text(404, "Block height out of range")
        if form == "json":
            return _json({"blockhash": block_hash})
        if form == "hex":
            return Answer(200, TEXT, block_hash.encode() + b"\n")
        return _binary_or_hex(bytes.fromhex(block_hash)[::-1], form)

    def _rest_headers(self, block_hash: str, count: str, form: str) -> Answer:
        if not count.isdecimal() or not 1 <= int(count) <= MOST_HEADERS:
            message = f"Header count is invalid or out of acceptable range (1-{MOST_HEADERS}): "
            return _text(400, message + count)
        if not BLOCK_HASH.fullmatch(block_hash):
            return _text(400, f"Invalid hash: {block_hash}")
        places = self._places_from(block_hash.lower(), int(count))
        if form == "json":
            return _json([self._header_facts(place) for place in places])
        return _binary_or_hex(b"".join(map(_header_at, places)), form)

    def _places_from(self, block_hash: str, count: int) -> list[BlockPlace]:
        """Return a block of the best chain and those after it; none if it isn't of that chain."""
        view = self._view
        try:
            first = view.find(block_hash)
        except BlockNotFound:
            return []
        if first.is_stale:
            return []
        heights = range(first.height, first.height + count)
        return [BlockPlace(view.chain, height) for height in heights if view.has(height)]

    def _header_facts(self, place: BlockPlace) -> dict[str, object]:
        view = self._view
        chain, height = place.chain, place.height
        raw = chain.header(height)
        header = parse_header(raw)
        tx_count = chain.facts_at(height).tx_count if height else 1
        version = int.from_bytes(raw[:4], "little")
        facts: dict[str, object] = {
            "hash": header.hash,
            "confirmations": -1 if place.is_stale else view.tip - height + 1,
            "height": height,
            "version": version,
            "versionHex": f"{version:08x}",
            "merkleroot": hash_to_hex(header.merkle_root),
            "time": header.time,
            "mediantime": chain.median_time_at(height),
            "nonce": int.from_bytes(raw[76:80], "little"),
            "bits": f"{header.bits:08x}",
            "target": TARGET,
            "difficulty": DIFFICULTY,
            "chainwork": _chain_work(height),
            "nTx": tx_count,
        }
        if height:
            facts["previousblockhash"] = header.prev_hash
        if view.has(height + 1) and not place.is_stale:
            facts["nextblockhash"] = view.hash_at(height + 1)
        return facts

    def _chain_info(self) -> dict[str, object]:
        tip = self._view.tip
        chain = self._view.chain
        return {
            "chain": "regtest",
            "blocks": tip,
            "headers": tip,
            "bestblockhash": chain.hash_at(tip),
            "bits": f"{parse_header(chain.header(tip)).bits:08x}",
            "target": TARGET,
            "difficulty": DIFFICULTY,
            "time": chain.time_at(tip),
            "mediantime": chain.median_time_at(tip),
            "verificationprogress": 1,
            "initialblockdownload": False,
            "chainwork": _chain_work(tip),
            "size_on_disk": 0,
            "pruned": False,
            "warnings": [],
        }

    _METHODS: ClassVar[dict[str, Callable[..., object]]] = {
        "getblockcount": _getblockcount,
        "getbestblockhash": _getbestblockhash,
        "getblockhash": _getblockhash,
        "getblock": _getblock,
        "getblockheader": _getblockheader,
        "getblockchaininfo": _chain_info,
    }


def _header_at(place: BlockPlace) -> bytes:
    return place.chain.header(place.height)


def _chain_work(height: int) -> str:
    """Return the work up to `height`: two hashes for each block at regtest's target."""
    return f"{2 * (height + 1):064x}"


def _failure(code: int, message: str, identity: object) -> dict[str, object]:
    return {"result": None, "error": {"code": code, "message": message}, "id": identity}


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status, JSON, compact_json(value) + b"\n")


def _text(status: int, message: str) -> Answer:
    return Answer(status, TEXT, message.encode() + b"\r\n")


def _binary_or_hex(content: bytes, form: str) -> Answer:
    if form == "bin":
        return Answer(200, OCTETS, content)
    if form == "hex":
        return Answer(200, TEXT, content.hex().encode() + b"\n")
    return _text(404, "output format not found (available: .bin, .hex)")
