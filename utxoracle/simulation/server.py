"""An HTTP server that plays bitcoind and the mempool back end over a simulated chain."""

import json
import secrets
import socket
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from utxoracle.errors import UsageError
from utxoracle.simulation.answers import JSON, Answer, Request, compact_json
from utxoracle.simulation.bitcoind import BitcoindRoutes
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.mempool import MempoolRoutes, no_such_route
from utxoracle.simulation.view import ChainView

LOOPBACK = "127.0.0.1"
TIP_PATH = "/simulation/tip"
MOST_BODY = 1_000_000
IDLE_SECONDS = 70
COOKIE_USER = "__cookie__"


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
        cookie_file: Where to write a fresh cookie, as bitcoind does; removed by `close`.

    Attributes:
        url: `http://host:port`.

    Raises:
        UsageError: The address can't be listened on, the cookie can't be written, or the chain
            has no block at `tip`.
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
    ) -> None:
        self._view = ChainView(chain, tip)
        self._cookie_file = cookie_file
        self._thread: Thread | None = None
        credentials = [] if user is None else [f"{user}:{password or ''}"]
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise UsageError(
                f"{host}:{port} can't be listened on: {error.strerror or error}; "
                "choose another port"
            ) from None
        if cookie_file is not None:
            credentials.append(self._write_cookie(cookie_file))
        self._bitcoind = BitcoindRoutes(self._view, tuple(credentials))
        self._mempool = MempoolRoutes(self._view)
        self._server.answer = self._answer
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_address[1]}"

    @property
    def tip(self) -> int:
        """Height of the newest block that is shown."""
        return self._view.tip

    @tip.setter
    def tip(self, height: int) -> None:
        self._view.move_tip(height)

    def move_tip(self, height: int) -> None:
        """Show the blocks up to `height`; those above become unknown to every route.

        Raises:
            UsageError: The chain has no block there.
        """
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

    def run(self) -> None:
        """Answer requests in this thread until it is interrupted."""
        self._server.serve_forever()

    def close(self) -> None:
        """Stop answering, drop all connections and remove the cookie."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self._server.drop_connections()
        if self._cookie_file is not None:
            self._cookie_file.unlink(missing_ok=True)

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
            return self._bitcoind.rest(request)
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

    def _write_cookie(self, path: Path) -> str:
        cookie = f"{COOKIE_USER}:{secrets.token_hex(32)}"
        try:
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            path.write_text(cookie)
        except OSError as error:
            self._server.server_close()
            raise UsageError(
                f"the cookie can't be written to {path}: {error.strerror or error}"
            ) from None
        return cookie


def serve(
    chain: SimulatedChain,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    tip: int | None = None,
    user: str | None = None,
    password: str | None = None,
    cookie_file: Path | None = None,
    ready: Callable[[SimulationServer], None] | None = None,
) -> None:
    """Serve `chain` in the foreground until the keyboard interrupts it.

    Args:
        chain: As for SimulationServer, like all arguments but the last.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        tip: Height of the newest block to show at first.
        user: User name that JSON-RPC wants.
        password: The password of `user`.
        cookie_file: Where to write a fresh cookie.
        ready: Called once with the server when it listens, to say where.

    Raises:
        UsageError: As SimulationServer.
    """
    server = SimulationServer(
        chain, host, port, tip=tip, user=user, password=password, cookie_file=cookie_file
    )
    try:
        if ready:
            ready(server)
        server.run()
    except KeyboardInterrupt:
        # That is how a server in the foreground is meant to end.
        return
    finally:
        server.close()


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
