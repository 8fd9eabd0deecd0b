import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import sleep

import pytest

from tests.unit.sources.asking import client_of, failure_of
from tests.unit.sources.scripted import Reply, as_json, page, reset, scripted_peer, text
from utxoracle.sources.retry import backoff, pause_after_answer

HEAD = b"HTTP/1.1 200 OK\r\n"
FULL = ((0.25, 0.75), (0.5, 1.5), (1.0, 3.0))
"""Seconds between which the three pauses lie."""


def is_back_off(pauses: list[float]) -> bool:
    return len(pauses) <= 3 and all(
        least <= seconds <= most for seconds, (least, most) in zip(pauses, FULL, strict=False)
    )


def answer(peer: socket.socket) -> None:
    peer.sendall(HEAD + b"Content-Length: 1\r\n\r\ny")


def reset_in_mid_body(peer: socket.socket) -> None:
    peer.sendall(HEAD + b"Content-Length: 9\r\n\r\nabc")
    # Else the client may hear of the end before it has seen the beginning.
    sleep(0.02)
    reset(peer)


def test_pauses_double_and_differ():
    for attempt, (least, most) in enumerate(FULL, 1):
        drawn = [backoff(attempt) for _ in range(200)]
        middle = (least + most) / 2
        assert least <= min(drawn) < middle < max(drawn) <= most
    assert backoff(100_000) <= 24


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def test_a_server_may_say_when_to_ask_again():
    assert pause_after_answer(1, "0") == 0
    assert pause_after_answer(1, "30") == 30
    assert pause_after_answer(1, "31") is None
    assert pause_after_answer(1, "9" * 400) is None
    assert 15 < pause_after_answer(1, in_seconds(20)) <= 20
    assert pause_after_answer(1, in_seconds(-20)) == 0
    assert pause_after_answer(1, in_seconds(40)) is None


@pytest.mark.parametrize(
    "said",
    [
        "",
        "soon",
        "-5",
        "1.5",
        "²",
        "Wed, 21 Oct 2099 07:28:00",
        "Wed, 21 Oct 2099 27:28:00 GMT",
        "Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
    ],
)
def test_what_says_no_time_leaves_the_back_off(said):
    assert is_back_off([pause_after_answer(1, said)])


@pytest.mark.parametrize(
    "talk",
    [
        lambda peer: peer.close(),
        reset,
        reset_in_mid_body,
        lambda peer: peer.sendall(HEAD),
        lambda peer: peer.sendall(HEAD + b"Content-Length: 9\r\n\r\nabc"),
        lambda peer: peer.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    ],
    ids=["hung up", "reset", "reset in mid-body", "cut headers", "cut body", "cut chunks"],
)
def test_a_connection_that_is_lost_is_made_again(talk, pauses):
    with scripted_peer(talk, talk, talk, answer) as place:
        client = client_of(f"http://{place}", retries=3)
        assert client.get("/x").text == "y"
        client.close()
    assert len(pauses) == 3
    assert is_back_off(pauses)


def test_the_last_failure_says_how_often_it_was_tried(closed_port, pauses):
    message = failure_of(f"http://127.0.0.1:{closed_port}", retries=3)
    assert message == (
        f"mempool 127.0.0.1:{closed_port} refused the connection: is it running? "
        f"(GET http://127.0.0.1:{closed_port}/x, tried 4 times)"
    )
    assert len(pauses) == 3
    assert is_back_off(pauses)


@pytest.mark.parametrize("status", [429, 502, 503])
def test_an_answer_says_how_often_it_was_asked_for(server, pauses, status):
    server.replies["/x"] = text("busy", status)
    answered = client_of(server.url, retries=3).get("/x")
    assert (answered.attempts, len(server.asked)) == (4, 4)
    assert answered.reason == f"{status} busy, tried 4 times"
    assert f"answered GET {server.url}/x with {status} busy, tried 4 times: try" in str(
        answered.refused()
    )


def test_an_answer_that_came_at_once_does_not(server):
    server.replies["/x"] = text("no", 404)
    answered = client_of(server.url, retries=3).get("/x")
    assert (answered.attempts, answered.reason) == (1, "404 no")


def test_with_no_retries_there_is_one_attempt(closed_port, server, pauses):
    assert "tried" not in failure_of(f"http://127.0.0.1:{closed_port}")
    server.replies["/x"] = page(503)
    assert client_of(server.url).get("/x").status == 503
    assert len(server.asked) == 1
    assert not pauses


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_trouble_that_a_server_tells_of_passes(server, pauses, status):
    server.replies["/x"] = [text("busy", status), text("busy", status), text("y")]
    client = client_of(server.url, retries=3)
    assert client.get("/x").text == "y"
    client.close()
    assert len({asked.client_port for asked in server.asked}) == 1
    assert len(pauses) == 2
    assert is_back_off(pauses)


def test_trouble_that_stays_is_answered_as_it_is(server, pauses):
    server.replies["/x"] = text("busy", 503)
    answered = client_of(server.url, retries=3).get("/x")
    assert answered.status == 503
    assert len(server.asked) == 4
    assert is_back_off(pauses)


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 403, 404, 501])
def test_an_answer_is_not_asked_for_again(server, pauses, status):
    server.replies["/x"] = Reply(status)
    assert client_of(server.url, retries=3).get("/x").status == status
    assert len(server.asked) == 1
    assert not pauses


def test_500_with_json_passes_only_where_the_caller_says_so(server, pauses):
    no_block = as_json({"error": "Failed to get block at height"}, 500)
    server.replies["/x"] = [no_block, text("y"), no_block]
    client = client_of(server.url, retries=3)
    assert client.get("/x", retry_500=True).text == "y"
    assert len(pauses) == 1
    assert client.get("/x").status == 500
    assert len(pauses) == 1


def test_500_with_anything_else_passes(server, pauses):
    server.replies["/x"] = [page(500), text("y")]
    assert client_of(server.url, retries=3).get("/x").text == "y"
    assert len(pauses) == 1


def test_a_call_is_made_again_too(server, pauses):
    server.replies["getblockcount"] = [text("Work queue depth exceeded", 503), text("y")]
    client = client_of(server.url, retries=3)
    assert client.post("/", {"method": "getblockcount"}, limit=1000).text == "y"
    assert [asked.payload for asked in server.asked] == [{"method": "getblockcount"}] * 2
    assert len(pauses) == 1


@pytest.mark.parametrize(
    ("said", "waited"), [("7", [7.0]), ("0", [0.0]), ("30", [30.0])], ids=["7", "0", "30"]
)
def test_a_server_is_asked_again_when_it_said(server, pauses, said, waited):
    busy = Reply(429, headers={"Retry-After": said})
    server.replies["/x"] = [busy, text("y")]
    assert client_of(server.url, retries=3).get("/x").text == "y"
    assert pauses == waited


def test_a_server_that_wants_to_be_left_alone_is(server, pauses):
    server.replies["/x"] = Reply(503, headers={"Retry-After": "3600"})
    assert client_of(server.url, retries=3).get("/x").status == 503
    assert len(server.asked) == 1
    assert not pauses


def test_a_time_out_behind_the_server_is_not_waited_for_again(server, pauses, monkeypatch):
    def answer_late(_: object) -> Reply:
        sleep(0.05)
        return page(504)

    monkeypatch.setattr("utxoracle.sources.http.SLOW_ANSWER", 0.05)
    server.replies["/x"] = answer_late
    assert client_of(server.url, retries=3, read=10).get("/x").status == 504
    assert len(server.asked) == 1
    assert not pauses


def test_an_answer_that_comes_too_slowly_is_not_asked_for_again(pauses):
    def stop(peer: socket.socket) -> None:
        peer.sendall(HEAD + b"Content-Length: 9\r\n\r\nabc")
        peer.recv(1)

    with scripted_peer(stop, stop) as place:
        assert "too slowly" in failure_of(f"http://{place}", retries=3)
    assert not pauses


def test_each_pause_is_told_to_whoever_listens(server, pauses, caplog):
    caplog.set_level("INFO", "utxoracle")
    server.replies["/x"] = [text("busy", 503), text("y")]
    client_of(server.url, retries=3).get("/x")
    assert caplog.messages == [
        f"mempool {server.place} answered with 503 busy (GET {server.url}/x, again in "
        f"{pauses[0]:.1f} s)"
    ]
