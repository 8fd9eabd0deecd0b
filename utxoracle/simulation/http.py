"""HTTP under the simulated servers: a port, connections, requests and answers as bytes."""

import socket
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Event, Lock
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from utxoracle.errors import UsageError
from utxoracle.simulation.answers import JSON, Answer, Request, compact_json
from utxoracle.simulation.delivery import SENDERS, send_whole
from utxoracle.simulation.faults import Kind

MOST_BODY = 1_000_000
IDLE_SECONDS = 70
REFUSE_SECONDS = 3.0
POLL_SECONDS = 0.05


def listen(host: str, port: int) -> "HttpServer":
    """Return a server that listens on `host`; port 0 takes a free one.

    Raises:
        UsageError: It can't be listened on.
    """
    if not host:
        # The operating system takes an empty name for all of its addresses.
        raise UsageError("the host to listen on is empty; give an address such as 127.0.0.1")
    try:
        return HttpServer((host, port), _Handler)
    except (OSError, OverflowError, TypeError, UnicodeError) as error:
        # All but the first come from a port that is none, or a host that can't be a name.
        reason = error.strerror if isinstance(error, OSError) else None
        raise UsageError(
            f"{place_of(host, port)} can't be listened on: {reason or error}; "
            "choose another address or port"
        ) from None


def place_of(host: str, port: int) -> str:
    """Return host and port as they stand in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class HttpServer(ThreadingHTTPServer):
    """Knows its open connections, so that it can drop those that are kept alive.

    Attributes:
        answer: Gives the answer to a request; to be set before any comes.
    """

    daemon_threads = True
    # Some versions of Python would share the port with whoever else does.
    allow_reuse_port = False
    answer: Callable[[Request], Answer]

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = Lock()
        self._refuse_lock = Lock()
        self._healed = Event()
        self._listens = Event()
        self._refused = Event()
        self._ends = False
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler, bind_and_activate=False)
        # Bound, but deaf: it keeps the port while connections are refused.
        self._keeper = socket.socket(self.address_family, self.socket_type)
        try:
            self.server_bind()
            self._keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._keeper.bind(self.server_address)
            self.server_activate()
        except BaseException:
            self.server_close()
            raise

    def server_bind(self) -> None:
        """Bind without looking up one's own name, which can wait for a name server."""
        TCPServer.server_bind(self)

    def server_activate(self) -> None:
        """Listen."""
        super().server_activate()
        self._listens.set()

    def server_close(self) -> None:
        """Give the port up."""
        super().server_close()
        self._keeper.close()

    def run(self) -> None:
        """Answer requests until `end`, but for the times when connections are refused."""
        while not self._ends:
            self.serve_forever(POLL_SECONDS)
            if not self._ends:
                self._stay_away()
        self._refused.set()

    def end(self) -> None:
        """Make `run` return; a time of refusing must be healed for that."""
        self._ends = True
        self.shutdown()

    def refuse(self, healed: Event) -> None:
        """Stop listening and drop all connections, for REFUSE_SECONDS or until it is healed."""
        with self._refuse_lock:
            if healed.is_set():
                return
            is_first = self._listens.is_set()
            if is_first:
                self._healed = healed
                self._refused.clear()
                self._listens.clear()
        if is_first:
            self.shutdown()
        self._refused.wait()

    def wait_until_it_listens(self) -> None:
        """Wait for the end of a time of refusing."""
        # Whoever comes later finds it healed.
        with self._refuse_lock:
            pass
        self._listens.wait()

    def _stay_away(self) -> None:
        self.socket.close()
        self.drop_connections()
        self._refused.set()
        self._healed.wait(REFUSE_SECONDS)
        if not self._ends:
            self.socket = socket.socket(self.address_family, self.socket_type)
            self.server_bind()
            self.server_activate()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember a new connection, and answer it in a thread."""
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that ends."""
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hangs up."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def drop_connections(self) -> None:
        """End every connection, also while an answer is under way."""
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
    server: HttpServer

    def do_GET(self) -> None:
        self._respond(b"")

    def do_HEAD(self) -> None:
        self._respond(b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BODY:
            self.close_connection = True
            self._send(Answer(400, JSON, compact_json({"error": "no usable Content-Length"})))
            return
        self._respond(self.rfile.read(int(length)))

    def log_message(self, *_: object) -> None:
        """Write no log: demos and tests print what they want to be seen."""

    def _respond(self, body: bytes) -> None:
        try:
            parts = urlsplit(self.path)
        except ValueError:
            self._send(Answer(400, JSON, compact_json({"error": "no usable path"})))
            return
        request = Request(
            method=self.command,
            target=self.path,
            path=unquote(parts.path),
            query=dict(reversed(parse_qsl(parts.query))),
            accept=self.headers.get("Accept", ""),
            authorization=self.headers.get("Authorization", ""),
            body=body,
        )
        self._send(self.server.answer(request))

    def _send(self, answer: Answer) -> None:
        delivery = answer.delivery
        if delivery is None or self.command == "HEAD":
            send_whole(self, answer)
        elif delivery.kind is Kind.REFUSE:
            self.close_connection = True
            self.server.refuse(delivery.healed)
        else:
            SENDERS[delivery.kind](self, answer, delivery.healed)
