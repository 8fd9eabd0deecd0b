"""How an answer's bytes get onto a connection, in one piece or in every way that goes wrong."""

import os
import socket
import struct
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from threading import Event

from utxoracle.simulation.answers import Answer
from utxoracle.simulation.faults import Kind

TRICKLE_SECONDS = 0.1
ENDLESS_BYTES = 1_000_000_000
CHUNK = 1 << 16
CLOSE_AT_ONCE = struct.pack("ii", 1, 0)
"""What makes the end of a connection a reset (SO_LINGER)."""


def send_whole(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Send an answer as it should be."""
    _send_head(handler, answer, ("Content-Length", str(len(answer.body))))
    if handler.command != "HEAD":
        handler.wfile.write(answer.body)


def hang(handler: BaseHTTPRequestHandler, answer: Answer, healed: Event) -> None:
    """Send nothing, and hang up once it is healed."""
    handler.close_connection = True
    healed.wait()


def send_half(handler: BaseHTTPRequestHandler, answer: Answer, _: Event) -> None:
    """Promise the whole body, send half of it and hang up."""
    handler.close_connection = True
    _send_head(handler, answer, ("Content-Length", str(len(answer.body))))
    handler.wfile.write(answer.body[: len(answer.body) // 2])


def send_half_and_reset(handler: BaseHTTPRequestHandler, answer: Answer, healed: Event) -> None:
    """Send half of the body and reset the connection."""
    send_half(handler, answer, healed)
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSE_AT_ONCE)
    # Closed past all the layers above, which would first end it in good order.
    os.close(handler.connection.detach())


def send_chunked(handler: BaseHTTPRequestHandler, answer: Answer, _: Event) -> None:
    """Send the body in three chunks, without having told its length."""
    _send_head(handler, answer, ("Transfer-Encoding", "chunked"))
    third = len(answer.body) // 3 + 1
    for start in range(0, len(answer.body), third):
        _send_chunk(handler, answer.body[start : start + third])
    _send_chunk(handler, b"")


def trickle(handler: BaseHTTPRequestHandler, answer: Answer, healed: Event) -> None:
    """Send a byte now and then; hang up once it is healed."""
    _send_head(handler, answer, ("Content-Length", str(len(answer.body))))
    for at in range(len(answer.body)):
        handler.wfile.flush()
        if healed.wait(TRICKLE_SECONDS):
            handler.close_connection = True
            return
        handler.wfile.write(answer.body[at : at + 1])


def send_endlessly(handler: BaseHTTPRequestHandler, answer: Answer, healed: Event) -> None:
    """Send the body over and over, up to ENDLESS_BYTES; hang up once it is healed."""
    handler.close_connection = True
    _send_head(handler, answer, ("Transfer-Encoding", "chunked"))
    body = answer.body or b"0"
    chunk = body * (CHUNK // len(body) + 1)
    for _ in range(0, ENDLESS_BYTES, len(chunk)):
        if healed.is_set():
            return
        _send_chunk(handler, chunk)
    _send_chunk(handler, b"")


SENDERS: Mapping[Kind, Callable[[BaseHTTPRequestHandler, Answer, Event], None]] = {
    Kind.HANG: hang,
    Kind.HALF: send_half,
    Kind.RESET: send_half_and_reset,
    Kind.CHUNKED: send_chunked,
    Kind.TRICKLE: trickle,
    Kind.ENDLESS: send_endlessly,
}


def _send_head(handler: BaseHTTPRequestHandler, answer: Answer, framing: tuple[str, str]) -> None:
    handler.send_response(answer.status)
    if answer.content_type is not None:
        handler.send_header("Content-Type", answer.content_type)
    for name, value in (framing, *answer.headers):
        handler.send_header(name, value)
    handler.end_headers()


def _send_chunk(handler: BaseHTTPRequestHandler, chunk: bytes) -> None:
    handler.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
