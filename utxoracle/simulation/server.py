"""An HTTP server that plays bitcoind and the mempool back end over a simulated chain."""

import json
import os
import secrets
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from utxoracle.atomic import writable_target
from utxoracle.errors import StorageError, UsageError
from utxoracle.simulation.answers import JSON, Answer, Request, compact_json
from utxoracle.simulation.bitcoind import HTML, BitcoindRoutes
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.mempool import MempoolRoutes, no_such_route
from utxoracle.simulation.view import ChainView

LOOPBACK = "127.0.0.1"
TIP_PATH = "/simulation/tip"
MOST_BODY = 1_000_000
IDLE_SECONDS = 70
COOKIE_USER = "__cookie__"
NO_SUCH_REST = Answer(404, HTML, b"")
"""What bitcoind says below `/rest` where REST is switched off."""


class SimulationServer:
    """Serves a chain on one port, in a thread of its own; use it as a context manager.

    `GET /simulation/tip` tells the tip and `POST /simulation/tip` moves it, with
    `{"height": N}` or `{"by": 1}`.

    Args:
        chain: What to serve.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        tip: Height of the newest block to show at first; the chain's own when not given.
        user: User name that JSON-RPC wants; without it and a cookie, everybody may call.
        password: The password of `user`.
        cookie_file: Where to write a fresh cookie, as bitcoind does; removed by `close`. Only
            another cookie is written over.
        rest: Whether to answer below `/rest`, which bitcoind only does with rest=1.

    Attributes:
        url: `http://host:port`.

    Raises:
        UsageError: The address can't be listened on, or the chain has no block at `tip`.
        StorageError: `cookie_file` holds something else, or can't be written.
    """

    def __init__(
        self,
        chain: SimulatedChain,
        host: str = LOOPBACK,
        port: int = 0,
        *,
        tip: int | None = None,
        user: str | None = None,
        password: str | None = None,
        cookie_file: Path | None = None,
        rest: bool = True,
    ) -> None:
        self._view = ChainView(chain, tip)
        self._rest = rest
        self._thread: Thread | None = None
        credentials = [] if user is None else [f"{user}:{password or ''}"]
        self._cookie = None if cookie_file is None else _Cookie(cookie_file)
        self._server = _listen(host, port)
        if self._cookie:
            try:
                self._cookie.write()
            except StorageError:
                self._server.server_close()
                raise
            credentials.append(self._cookie.content)
        self._bitcoind = BitcoindRoutes(self._view, tuple(credentials))
        self._mempool = MempoolRoutes(self._view)
        self._server.answer = self._answer
        self.url = f"http://{_place(host, self._server.server_address[1])}"

    @property
    def tip(self) -> int:
        """Height of the newest block that is shown; those above are unknown to every route.

        Raises:
            UsageError: It is set to a height where the chain has no block.
        """
        return self._view.tip

    @tip.setter
    def tip(self, height: int) -> None:
        self._view.move_tip(height)

    def advance_tip(self, blocks: int) -> None:
        """Show so many more blocks.

        Raises:
            UsageError: The chain has no block there.
        """
        self._view.advance_tip(blocks)

    def start(self) -> None:
        """Answer requests in a thread of its own."""
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Remove the cookie, stop answering and drop all connections."""
        if self._cookie:
            self._cookie.remove()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self._server.drop_connections()

    def __enter__(self) -> "SimulationServer":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _answer(self, method: str, request: Request) -> Answer:
        if request.path == TIP_PATH:
            return self._control(method, request)
        if method == "POST" and request.path == "/":
            return self._bitcoind.rpc(request)
        if method == "POST":
            return no_such_route(method, request.path)
        if request.path.startswith("/rest/"):
            return self._bitcoind.rest(request) if self._rest else NO_SUCH_REST
        if request.path.startswith("/api/"):
            return self._mempool.answer(request)
        return no_such_route(method, request.path)

    def _control(self, method: str, request: Request) -> Answer:
        if method == "POST":
            try:
                self._move(json.loads(request.body))
            except (UsageError, ValueError) as error:
                return Answer(400, JSON, compact_json({"error": str(error)}))
        height = self.tip
        chain = self._view.chain
        facts = {"height": height, "hash": chain.hash_at(height), "time": chain.time_at(height)}
        return Answer(200, JSON, compact_json(facts))

    def _move(self, order: Any) -> None:
        match order:
            case {"height": int(height), **others} if not others:
                self._view.move_tip(height)
            case {"by": int(blocks), **others} if not others:
                self._view.advance_tip(blocks)
            case _:
                raise UsageError('the body must be {"height": N} or {"by": N}')


class _Cookie:
    """A file with a fresh password, for its owner's eyes only.

    Attributes:
        content: The `user:password` pair.

    Raises:
        StorageError: The file holds something else, or could not be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = writable_target(path)
        self.content = f"{COOKIE_USER}:{secrets.token_hex(32)}"
        if self._holds_something_else():
            raise StorageError(
                f"{path} is there and is not a cookie; choose another name for the cookie file"
            )

    def write(self) -> None:
        """Write the file, in the place of an older cookie.

        Raises:
            StorageError: It can't be written.
        """
        try:
            self._path.unlink(missing_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(self.content)
        except OSError as error:
            raise self._failure("written", error) from None

    def remove(self) -> None:
        """Remove the file, unless another server has put its own there."""
        # One that can't be removed opens nothing once its server is gone.
        with suppress(OSError):
            if self._path.read_bytes() == self.content.encode():
                self._path.unlink()

    def _holds_something_else(self) -> bool:
        begin = f"{COOKIE_USER}:".encode()
        try:
            with self._path.open("rb") as file:
                return file.read(len(begin)) != begin
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._failure("read", error) from None

    def _failure(self, action: str, error: OSError) -> StorageError:
        return StorageError(
            f"the cookie file {self._path} can't be {action}: {error.strerror or error}; "
            "choose another place for it"
        )


def _listen(host: str, port: int) -> "_Server":
    if not host:
        # The operating system takes an empty name for all of its addresses.
        raise UsageError("the host to listen on is empty; give an address such as 127.0.0.1")
    try:
        return _Server((host, port), _Handler)
    except (OSError, OverflowError, TypeError, UnicodeError) as error:
        # All but the first come from a port that is none, or a host that can't be a name.
        reason = error.strerror if isinstance(error, OSError) else None
        raise UsageError(
            f"{_place(host, port)} can't be listened on: {reason or error}; "
            "choose another address or port"
        ) from None


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Server(ThreadingHTTPServer):
    """Knows its open connections, so that it can drop those that are kept alive."""

    daemon_threads = True
    answer: Callable[[str, Request], Answer]

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = Lock()
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # HTTPServer would look its own name up here, which can wait for a name server.
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hangs up."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def drop_connections(self) -> None:
        with self._open_lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue


class _Handler(BaseHTTPRequestHandler):
    """Turns HTTP into a Request and an Answer into HTTP."""

    protocol_version = "HTTP/1.1"
    server_version = "utxoracle-simulation"
    sys_version = ""
    timeout = IDLE_SECONDS
    # One packet for headers and body, at once: otherwise small answers wait for an
    # acknowledgement that the client delays by 40 ms.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._respond("GET", b"")

    def do_HEAD(self) -> None:
        self._respond("GET", b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BODY:
            self.close_connection = True
            self._send(Answer(400, JSON, compact_json({"error": "no usable Content-Length"})))
            return
        self._respond("POST", self.rfile.read(int(length)))

    def log_message(self, *_: object) -> None:
        """Write no log: demos and tests print what they want to be seen."""

    def _respond(self, method: str, body: bytes) -> None:
        parts = urlsplit(self.path)
        self._send(
            self.server.answer(
                method,
                Request(
                    path=unquote(parts.path),
                    query=dict(reversed(parse_qsl(parts.query))),
                    accept=self.headers.get("Accept", ""),
                    authorization=self.headers.get("Authorization", ""),
                    body=body,
                ),
            )
        )

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        if answer.content_type is not None:
            self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
