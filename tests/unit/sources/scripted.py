"""A real HTTP server that says what a test wants, over a real socket."""

import json
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

PAGE = b"<!DOCTYPE html><html><body>the app</body></html>"


@dataclass
class Reply:
    """One answer.

    Attributes:
        length: Length to announce when it isn't the body's.
    """

    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None


def text(body: str, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Reply:
    return Reply(status, content_type, body.encode())


def page(status: int = 200) -> Reply:
    return Reply(status, "text/html", PAGE)


def as_json(value: Any, status: int = 200) -> Reply:
    return Reply(status, "application/json; charset=utf-8", json.dumps(value).encode())


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    payload: Any
    client_port: int


@contextmanager
def scripted_peer(*talks: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen, give each of `talks` a connection after its request, and yield the place.

    What connects after the last is refused.
    """

    def serve() -> None:
        for talk in talks:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            # The client may hang up first, which some tests are about.
            with peer, suppress(ConnectionError):
                peer.recv(4096)
                talk(peer)
        listener.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        thread = Thread(target=serve)
        thread.start()
        try:
            yield place
        finally:
            # Wakes an accept that nothing comes for.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def silent_server() -> Iterator[tuple[str, list[socket.socket]]]:
    """Take up to three requests and answer none; yield the place, and what was asked over."""
    asked: list[socket.socket] = []

    def hang(peer: socket.socket) -> None:
        asked.append(peer)
        while peer.recv(4096):
            continue

    with scripted_peer(hang, hang, hang) as place:
        yield place, asked


def reset(peer: socket.socket) -> None:
    """Break the connection off so that the other side notices."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


class ScriptedServer:
    """Answers GET by path and JSON-RPC by method from `replies`; all else is a 404 page.

    A reply may also be a function of the request, or a list whose replies are given in turn.

    Args:
        tls: What to talk TLS with.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.replies: dict[str, Reply | list[Reply] | Callable[[Asked], Reply]] = {}
        self.asked: list[Asked] = []
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One packet for headers and body, which no acknowledgement is awaited for.
            wbufsize = 1 << 16
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._answer(self.path, None)

            def do_POST(self) -> None:
                payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(payload["method"], payload)

            def _answer(self, key: str, payload: Any) -> None:
                port = self.client_address[1]
                asked = Asked(self.command, self.path, dict(self.headers), payload, port)
                scripted.asked.append(asked)
                reply = scripted.replies.get(key, page(404))
                if isinstance(reply, list):
                    reply = reply.pop(0)
                if callable(reply):
                    reply = reply(asked)
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.content_type)
                length = len(reply.body) if reply.length is None else reply.length
                self.send_header("Content-Length", str(length))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)
                self.close_connection = reply.length is not None

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """Say nothing of a client that hangs up, which some tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.place}"

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    def __enter__(self) -> "ScriptedServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
