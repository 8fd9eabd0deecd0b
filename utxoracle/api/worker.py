"""A process that answers requests: gunicorn's threads, but for clients that let one wait."""

import os
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ
from threading import BoundedSemaphore
from time import monotonic
from typing import Any, cast

from gunicorn import util
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker

from utxoracle.api.log import Log
from utxoracle.api.problems import problem

HEAD_SECONDS = 10
"""How long a client may take to send the head of a request."""

WRITE_SECONDS = 20
"""How long a client may take nothing of its answer, or fall behind the least rate."""

LEAST_RATE = 20_000
"""Bytes a second, which a client with a bad line takes too."""

MOST_SLOW = 96
"""Clients that are waited for at a time while they take their answers: fewer than there are
threads, so that some are left for answers that are taken at once."""

MOST_HEAD = 32 * 1024
"""Bytes of request line and headers."""

MOST_WAITING = 256
"""Connections without a request that are kept: new ones, of which the oldest gives way to the
newest, and as many that have had an answer."""

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""Signals that end a worker; kept back until it can take them, where the master does so too."""

_ENDING_SECONDS = 2.0
_LINGER_SECONDS = 0.2
_SHOWN = 200
_HEAD_END = b"\r\n\r\n"
_BODY_HEADERS = ("CONTENT-LENGTH", "TRANSFER-ENCODING")

# By name, since gunicorn 23 doesn't have all of them.
_STATUS = {
    "LimitRequestLine": 414,
    "LimitRequestHeaders": 431,
    "ExpectationFailed": 417,
    "UnsupportedTransferCoding": 501,
}


@dataclass
class _Head:
    """What has come of a request's head, and until when the rest must."""

    deadline: float
    received: bytes = b""
    has_gone: bool = False

    def read(self, client: socket.socket) -> bool:
        """Read on without waiting; tell whether more is to come."""
        try:
            received = client.recv(MOST_HEAD)
        except BlockingIOError:
            return True
        except OSError:
            received = b""
        self.has_gone = not received
        # Empty lines before a request are to be overlooked.
        self.received = (self.received + received).lstrip(b"\r\n")
        return not (self.has_gone or self.is_whole) and len(self.received) <= MOST_HEAD

    @property
    def is_whole(self) -> bool:
        return _HEAD_END in self.received


class _Client(socket.socket):
    """A client that must take its answer at a rate, or it is cut.

    Attributes:
        seconds: How much longer it may take nothing.
        slow: As many of all clients are waited for at a time.
    """

    seconds: float
    slow: BoundedSemaphore

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of it.

        Raises:
            TimeoutError: The client is too slow, or too many others are slow.
        """
        rest = memoryview(data)
        with suppress(BlockingIOError):
            rest = rest[self.send(rest, flags | socket.MSG_DONTWAIT) :]
        if not rest:
            return
        if not self.slow.acquire(blocking=False):
            raise TimeoutError("too many clients are slow")
        try:
            self._send_slowly(rest, flags)
        finally:
            self.slow.release()

    def _send_slowly(self, rest: memoryview, flags: int) -> None:
        while rest:
            begin = monotonic()
            self.settimeout(self.seconds)
            sent = self.send(rest, flags)
            gained = sent / LEAST_RATE - (monotonic() - begin)
            self.seconds = min(self.seconds + gained, WRITE_SECONDS)
            if self.seconds <= 0:
                raise TimeoutError("the client takes its answer too slowly")
            rest = rest[sent:]
        self.settimeout(None)


class _Connection(TConn):
    def close(self, graceful: bool = False) -> None:
        """Close at once: to do it gracefully, gunicorn 27 waits in the loop that serves all."""
        util.close(self.sock)


class Worker(ThreadWorker):
    """Gives a connection to a thread only once the head of a request is there.

    gunicorn lets a thread wait for a head as long as the client likes, so that a few clients which
    send half of one stop all others. Here heads are read by the loop that accepts connections.
    """

    log: Log

    def init_process(self) -> None:
        """Serve until a signal ends it."""
        self._heads: dict[TConn, _Head] = {}
        self._ends_at: float | None = None
        # gunicorn 23 looks up no more where all its connections are taken, even by idle ones.
        self.max_keepalived = MOST_WAITING
        super().init_process()

    def init_signals(self) -> None:
        """Begin to take signals, also those that came before."""
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    def run(self) -> None:
        """Serve; a signal wakes the loop, which would look up once in a second otherwise."""
        self._slow = BoundedSemaphore(MOST_SLOW)
        self.poller.register(self.PIPE[0], EVENT_READ, _empty)
        super().run()

    def accept(self, *source: Any) -> None:
        """Take a connection; `source` ends with the socket that listens."""
        if not self.alive:
            # Another worker, or the next, listens on the same socket.
            return
        listener = source[-1]
        try:
            accepted, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        client = _Client(accepted.family, accepted.type, accepted.proto, accepted.detach())
        client.slow = self._slow
        self.nr_conns += 1
        self.enqueue_req(_Connection(self.cfg, client, address, listener.getsockname()))

    def enqueue_req(self, conn: TConn) -> None:
        """Read a request's head, then let a thread answer it."""
        head = _Head(monotonic() + HEAD_SECONDS)
        if not head.read(conn.sock):
            self._pass_on(conn, head)
            return
        if len(self._heads) >= MOST_WAITING:
            self._drop(next(iter(self._heads)))
        self._heads[conn] = head
        self.poller.register(conn.sock, EVENT_READ, partial(self._read_on, conn))

    def notify(self) -> None:
        """Tell the master that the loop runs, as it does each second, and drop who is late."""
        super().notify()
        now = monotonic()
        ends = self._ends_at is not None and (not self._heads or now >= self._ends_at)
        while self._heads:
            conn, head = next(iter(self._heads.items()))
            if head.deadline > now and not ends:
                break
            self._drop(conn)
        if ends and self.alive:
            self.alive = False
            # The loop turns once more, and waits for whatever comes first.
            os.write(self.PIPE[1], b".")

    def handle_exit(self, sig: int, frame: Any) -> None:
        """End as soon as all that was accepted is read; what is read is answered."""
        # The master says so again and again.
        if self._ends_at is None:
            self._ends_at = monotonic() + _ENDING_SECONDS

    def handle_quit(self, sig: int, frame: Any) -> None:
        """End at once: Python would wait for each thread that writes to a slow client."""
        os._exit(0)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer a request in a thread."""
        # No place takes a body, and what is left of it would be read as the next head.
        has_body = any(name in _BODY_HEADERS for name, _ in req.headers)
        has_more = has_body or _unreader(conn).buf.getvalue() != b""
        if has_more:
            req.force_close()
        try:
            stays_open = super().handle_request(req, conn)
        except TimeoutError as error:
            # What gunicorn takes for the end of a connection; of other errors it shows the trace.
            raise StopIteration(str(error)) from None
        if has_more:
            _let_read(conn.sock)
        return stays_open

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Refuse what is no request; tell of a defect of the program."""
        if req is None and isinstance(exc, ParseException):
            status = _STATUS.get(type(exc).__name__, 400)
            detail = f"this is no request that is understood here: {exc}"[:_SHOWN]
            self.log.refusal(addr, status, str(exc)[:_SHOWN])
        else:
            status, detail = 500, "this is a defect of the program; its log says more"
            self.log.exception("a request failed")
        with suppress(OSError):
            client.sendall(_answer(status, detail))
        _let_read(client)

    def _read_on(self, conn: TConn, client: socket.socket) -> None:
        if not self._heads[conn].read(client):
            self._pass_on(conn, self._forget(conn))

    def _pass_on(self, conn: TConn, head: _Head) -> None:
        """Let a thread answer, unless the client has gone."""
        if head.has_gone:
            self._close(conn)
            return
        conn.init()
        if head.is_whole:
            _unreader(conn).unread(head.received)
        else:
            conn.parser = _too_long(head.received, self.cfg.limit_request_line)
        cast(_Client, conn.sock).seconds = WRITE_SECONDS
        super().enqueue_req(conn)

    def _drop(self, conn: TConn) -> None:
        head = self._forget(conn)
        if head.received:
            with suppress(OSError):
                conn.sock.send(_answer(408, "the head of the request didn't come in time"))
        self._close(conn)

    def _forget(self, conn: TConn) -> _Head:
        self.poller.unregister(conn.sock)
        return self._heads.pop(conn)

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()


def _unreader(conn: TConn) -> Any:
    """Return what has been read of a connection and not been used yet."""
    parser: Any = conn.parser
    return parser.unreader


def _too_long(head: bytes, longest_line: int) -> Any:
    """Be a parser that refuses what was read: gunicorn's own would wait for more."""
    line = head.partition(b"\r\n")[0]
    if len(line) > longest_line:
        raise LimitRequestLine(len(line), longest_line)
    raise LimitRequestHeaders(f"the headers are longer than {MOST_HEAD} bytes")
    yield


def _answer(status: int, detail: str) -> bytes:
    body = problem(status, detail)
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/json\r\n"
        "Cache-Control: no-store\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _let_read(client: socket.socket) -> None:
    """Give a client a moment to read: closing on what it still sends would undo the answer."""
    ends_at = monotonic() + _LINGER_SECONDS
    with suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        while (left := ends_at - monotonic()) > 0:
            client.settimeout(left)
            if not client.recv(MOST_HEAD):
                break


def _empty(pipe: int) -> None:
    with suppress(OSError), open(pipe, "rb", buffering=0, closefd=False) as end:
        end.read(MOST_HEAD)
