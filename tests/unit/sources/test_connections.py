import socket
from threading import Event

import pytest

from tests.unit.sources.asking import client_of, failure_of
from tests.unit.sources.scripted import reset, scripted_peer

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny"


def answer(peer: socket.socket) -> None:
    peer.sendall(WHOLE)


def answer_once_and_close(peer: socket.socket) -> None:
    """Answer a request, and end the connection when the next one crosses that."""
    peer.sendall(WHOLE)
    peer.recv(4096)
    peer.shutdown(socket.SHUT_RDWR)


def answer_once_and_reset(peer: socket.socket) -> None:
    peer.sendall(WHOLE)
    peer.recv(4096)
    reset(peer)


@pytest.mark.parametrize("end", [answer_once_and_close, answer_once_and_reset])
def test_a_kept_connection_that_is_lost_is_replaced_at_once(end, pauses):
    with scripted_peer(end, answer) as place:
        client = client_of(f"http://{place}", retries=1)
        assert [client.get("/x").text for _ in range(2)] == ["y", "y"]
        client.close()
    assert pauses == [0.0]


def test_a_connection_that_was_closed_in_time_is_a_new_one(pauses):
    closed = Event()

    def answer_and_close(peer: socket.socket) -> None:
        peer.sendall(WHOLE)
        peer.close()
        closed.set()

    with scripted_peer(answer_and_close, reset, answer) as place:
        client = client_of(f"http://{place}", retries=1)
        client.get("/x")
        closed.wait(10)
        assert client.get("/x").text == "y"
        client.close()
    assert len(pauses) == 1
    assert pauses[0] > 0


def test_only_a_connection_that_has_served_is_replaced_at_once(pauses):
    with scripted_peer(answer_once_and_close, reset, reset) as place:
        client = client_of(f"http://{place}", retries=2)
        assert client.get("/x").text == "y"
        with pytest.raises(Exception, match="tried 3 times"):
            client.get("/x")
        client.close()
    assert pauses[0] == 0.0
    assert pauses[1] > 0.4


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Ty",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n",
    ],
    ids=["status", "in a header", "behind a header"],
)
def test_headers_that_break_off_are_no_empty_answer(sent):
    with scripted_peer(lambda peer: peer.sendall(sent)) as place:
        assert "lost the connection: try again" in failure_of(f"http://{place}")


def test_a_body_may_end_with_its_connection():
    with scripted_peer(lambda peer: peer.sendall(b"HTTP/1.1 200 OK\r\n\r\ny")) as place:
        client = client_of(f"http://{place}")
        assert client.get("/x").text == "y"
        client.close()
