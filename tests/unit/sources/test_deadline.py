import socket
from collections.abc import Callable
from threading import Event
from time import monotonic, sleep

import pytest

from tests.unit.sources.asking import client_of
from tests.unit.sources.scripted import Reply, scripted_peer
from utxoracle.errors import SourceError
from utxoracle.sources.http import BLOCK_LIMIT

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LIMIT = 0.3


def body_of(place: str, read_timeout: float) -> bytes:
    client = client_of(f"http://{place}", read=read_timeout)
    try:
        return client.get("/x", limit=BLOCK_LIMIT).body
    finally:
        client.close()


def in_pieces(begin: bytes, pieces: list[bytes], pause: float) -> Callable[[socket.socket], None]:
    def talk(peer: socket.socket) -> None:
        peer.sendall(begin)
        for piece in pieces:
            sleep(pause)
            peer.sendall(piece)

    return talk


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (b"", b"H"),
        (HEAD + b"X: ", b"x"),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b"x"),
        (HEAD + b"\r\n", b"x"),
        (CHUNKED, b"1\r\nx\r\n"),
        (CHUNKED, b"1"),
    ],
    ids=["status", "header", "body", "body without length", "chunks", "size of a chunk"],
)
def test_an_answer_that_drips_is_given_up_at_its_limit(begin, drop):
    with scripted_peer(in_pieces(begin, [drop] * 15, LIMIT / 6)) as place:
        began = monotonic()
        with pytest.raises(SourceError) as caught:
            body_of(place, LIMIT)
        took = monotonic() - began
    assert str(caught.value) == (
        f"mempool {place} sent its answer too slowly: more than 0.3 s; try again, or raise "
        f"X_TIMEOUT (GET http://{place}/x)"
    )
    assert LIMIT <= took < LIMIT * 2


def test_an_answer_that_stops_coming_is_given_up():
    given_up = Event()

    def begin(peer: socket.socket) -> None:
        peer.sendall(HEAD + b"Content-Length: 100\r\n\r\nabc")
        given_up.wait(10)

    with scripted_peer(begin) as place:
        with pytest.raises(SourceError, match="sent its answer too slowly"):
            body_of(place, LIMIT)
        given_up.set()


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_block_over_a_slow_but_steady_link_arrives(is_chunked):
    piece = bytes(range(250)) * 400
    begin, pieces = HEAD + b"Content-Length: 4000000\r\n\r\n", [piece] * 40
    if is_chunked:
        begin = CHUNKED
        pieces = [b"186a0\r\n" + piece + b"\r\n"] * 40 + [b"0\r\n\r\n"]
    with scripted_peer(in_pieces(begin, pieces, 0.005)) as place:
        assert body_of(place, 10) == piece * 40


def test_each_answer_of_a_connection_has_its_own_limit(server):
    def answer_late(_: object) -> Reply:
        sleep(LIMIT / 2)
        return Reply(body=b"y")

    server.replies["/x"] = answer_late
    client = client_of(server.url, read=LIMIT)
    for _ in range(3):
        assert client.get("/x").body == b"y"
    assert len({asked.client_port for asked in server.asked}) == 1
    client.close()
