import gzip
import tracemalloc
import zlib
from threading import Event

import pytest

from tests.unit.sources.asking import client_of, failure_of
from tests.unit.sources.scripted import Reply, scripted_peer

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
PIECE = bytes(60_000)
TOO_LARGE = "more than the 256,000 bytes that GET"


def packed(body: bytes, encoding: str = "gzip") -> Reply:
    return Reply(body=body, headers={"Content-Encoding": encoding})


def body_of(url: str, **settings: int) -> bytes:
    client = client_of(url, **settings)
    try:
        return client.get("/x").body
    finally:
        client.close()


def test_an_answer_is_cut_off_at_its_limit(server):
    server.replies["/x"] = Reply(body=bytes(256_001))
    assert TOO_LARGE in failure_of(server.url, retries=3)
    server.replies["/x"] = Reply(301, body=bytes(256_001), headers={"Location": "/y"})
    assert TOO_LARGE in failure_of(server.url)
    assert len(server.asked) == 2
    server.replies["/x"] = Reply(body=bytes(256_000))
    assert len(body_of(server.url)) == 256_000


def test_nothing_is_read_of_an_answer_that_is_announced_as_too_large():
    given_up = Event()

    def announce(peer):
        peer.sendall(HEAD + b"Content-Length: 1000000000\r\n\r\n")
        given_up.wait(10)

    with scripted_peer(announce) as place:
        # Were it read, there would be nothing for 0.3 s.
        assert TOO_LARGE in failure_of(f"http://{place}")
        given_up.set()


@pytest.mark.parametrize(
    ("begin", "piece"),
    [(HEAD + b"\r\n", PIECE), (CHUNKED, b"ea60\r\n" + PIECE + b"\r\n")],
    ids=["until the end", "chunks"],
)
def test_an_answer_that_does_not_say_how_long_it_is_is_cut_off(begin, piece):
    sent = []

    def stream(peer):
        peer.sendall(begin)
        for _ in range(16_000):
            peer.sendall(piece)
            sent.append(len(piece))

    with scripted_peer(stream) as place:
        assert TOO_LARGE in failure_of(f"http://{place}", read=10)
    # What the buffers of both sockets take, and not the gigabyte that was on offer.
    assert sum(sent) < 50_000_000


def test_a_line_between_chunks_that_does_not_end_is_cut_off():
    sent = []

    def stream(peer):
        peer.sendall(CHUNKED)
        for _ in range(16_000):
            peer.sendall(b"0" * len(PIECE))
            sent.append(len(PIECE))

    with scripted_peer(stream) as place:
        failure_of(f"http://{place}", read=10)
    assert sum(sent) < 50_000_000


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "GZip"])
def test_an_answer_that_is_packed_unasked_is_read(server, encoding):
    pack = zlib.compress if encoding == "deflate" else gzip.compress
    server.replies["/x"] = packed(pack(b"y" * 1000), encoding)
    assert body_of(server.url) == b"y" * 1000
    assert server.asked[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("encoding", ["gzip", "identity", ""])
def test_an_empty_answer_is_not_unpacked(server, encoding):
    server.replies["/x"] = packed(b"", encoding)
    assert body_of(server.url) == b""


def test_a_packed_answer_is_cut_off_at_its_limit_unpacked(server):
    server.replies["/x"] = packed(gzip.compress(bytes(256_000)))
    assert len(body_of(server.url)) == 256_000
    server.replies["/x"] = packed(gzip.compress(bytes(256_001)))
    assert TOO_LARGE in failure_of(server.url)


def test_a_bomb_takes_no_more_memory_than_its_limit(server):
    server.replies["/x"] = packed(gzip.compress(bytes(50_000_000)))
    tracemalloc.start()
    try:
        assert TOO_LARGE in failure_of(server.url, read=10)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"no gzip", "gzip"),
        (gzip.compress(b"a") + b"b", "gzip"),
        (gzip.compress(gzip.compress(b"a")), "gzip, gzip"),
        (b"a", "br"),
    ],
    ids=["damaged", "more behind", "twice", "brotli"],
)
def test_an_answer_that_can_not_be_unpacked_is_told(server, body, encoding):
    server.replies["/x"] = packed(body, encoding)
    message = failure_of(server.url, retries=3)
    assert message == (
        f"mempool {server.place} answered GET {server.url}/x with something packed that can't be "
        "unpacked; is this the right address?"
    )
    assert len(server.asked) == 1


def test_a_packed_answer_that_is_cut_short_is_not_taken(server):
    server.replies["/x"] = packed(gzip.compress(b"y" * 1000)[:-4])
    assert "lost the connection: try again" in failure_of(server.url)


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"Content-Length: 100\r\n\r\nabc",
        CHUNKED + b"3\r\nabc\r\n",
        CHUNKED + b"3\r\nab",
        CHUNKED + b"3",
        CHUNKED,
    ],
    ids=["length", "between chunks", "in a chunk", "in a size", "before a chunk"],
)
def test_a_body_that_is_cut_short_is_not_taken(sent):
    with scripted_peer(lambda peer: peer.sendall(sent)) as place:
        assert "lost the connection: try again" in failure_of(f"http://{place}")


@pytest.mark.parametrize(
    "reply",
    [Reply(body=b"y"), Reply(), Reply(204), packed(gzip.compress(b"y")), Reply(404, body=b"no")],
    ids=["body", "empty", "no content", "packed", "not found"],
)
def test_a_connection_is_kept_whatever_the_body(server, reply):
    server.replies["/x"] = reply
    client = client_of(server.url)
    for _ in range(3):
        client.get("/x")
    assert len({asked.client_port for asked in server.asked}) == 1
    client.close()
