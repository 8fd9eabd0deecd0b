import socket
from threading import Thread

import pytest

from tests.unit.sources.scripted import Reply, as_json, page, text
from utxoracle.errors import SourceError
from utxoracle.settings import Settings
from utxoracle.sources.http import HttpClient, parse_endpoint

QUICK = Settings(connect_timeout=0.3, read_timeout=0.3)


def client_of(url: str) -> HttpClient:
    return HttpClient("mempool", parse_endpoint(url), QUICK)


def failure_of(url: str, path: str = "/x") -> str:
    client = client_of(url)
    with pytest.raises(SourceError) as caught:
        client.get(path)
    client.close()
    message = str(caught.value)
    assert "\n" not in message
    assert "hunter2" not in message
    assert "urllib3" not in message
    return message


def test_an_answer_carries_status_media_type_and_body(server):
    server.replies["/a/x"] = Reply(404, "Text/Plain; charset=utf-8", b" not here\n")
    client = client_of(server.url + "/a/")
    answer = client.get("/x")
    assert (answer.status, answer.content_type, answer.text) == (404, "text/plain", "not here")
    assert answer.request == f"GET {server.url}/a/x"
    assert answer.reason == "404 not here"
    client.close()


def test_one_connection_serves_many_requests(server):
    server.replies["/x"] = text("y")
    client = client_of(server.url)
    for _ in range(3):
        client.get("/x")
    assert len({asked.client_port for asked in server.asked}) == 1
    client.close()


def test_a_refused_connection_asks_whether_it_is_running(closed_port):
    message = failure_of(f"http://u:hunter2@127.0.0.1:{closed_port}")
    assert message == (
        f"mempool 127.0.0.1:{closed_port} refused the connection: is it running? "
        f"(GET http://127.0.0.1:{closed_port}/x)"
    )


def test_an_unknown_host_is_named():
    assert "mempool no.such.host.invalid:1 can't be found" in failure_of(
        "http://no.such.host.invalid:1"
    )


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 70}.example"])
def test_a_host_that_can_not_be_one_is_named(host):
    assert "has no usable host name" in failure_of(f"http://{host}:1")


def test_plain_http_where_tls_was_asked_for_is_told(server):
    assert "can't be asked over TLS" in failure_of(f"https://{server.place}")


def test_a_server_that_says_nothing_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        message = failure_of(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert "sent nothing for 0.3 s" in message


def test_a_body_that_stops_coming_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held = []

        def begin() -> None:
            peer, _ = listener.accept()
            held.append(peer)
            peer.recv(4096)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")

        thread = Thread(target=begin)
        thread.start()
        message = failure_of(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
        held[0].close()
    assert "sent nothing for 0.3 s" in message


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 ", b"\x00\xff junk\r\n\r\n"])
def test_a_server_that_hangs_up_or_talks_junk_is_a_source_error(sent):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            peer, _ = listener.accept()
            peer.recv(4096)
            peer.sendall(sent)
            peer.close()

        thread = Thread(target=hang_up)
        thread.start()
        message = failure_of(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
    assert "lost the connection" in message


def test_a_body_shorter_than_announced_is_not_taken(server):
    server.replies["/x"] = Reply(body=b"abc", length=100)
    assert "lost the connection" in failure_of(server.url)


def test_an_answer_is_cut_off_at_its_limit(server):
    server.replies["/x"] = Reply(body=bytes(256_001))
    assert "more than the 256,000 bytes that GET" in failure_of(server.url)
    server.replies["/x"] = Reply(body=bytes(256_000))
    assert len(client_of(server.url).get("/x").body) == 256_000


def test_redirects_are_not_followed(server):
    server.replies["/x"] = Reply(302, headers={"Location": "http://u:hunter2@elsewhere/"})
    answer = client_of(server.url).get("/x")
    assert answer.status == 302
    message = str(answer.refused())
    assert "with 302: give the address that it redirects to" in message
    assert "hunter2" not in message
    assert server.paths == ["/x"]


def test_a_server_on_this_machine_is_not_asked_through_a_proxy(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server.replies["/x"] = text("direct")
    assert client_of(server.url).get("/x").text == "direct"


def test_only_this_machine_counts_as_this_machine():
    for host in ("127.0.0.1", "127.1.2.3", "[::1]", "localhost"):
        assert parse_endpoint(f"http://{host}:1").loopback
    for host in ("10.0.0.1", "example.org", "localhost.example.org"):
        assert not parse_endpoint(f"http://{host}:1").loopback


def test_credentials_of_a_url_are_decoded_and_kept_out_of_sight():
    endpoint = parse_endpoint("https://us%40er:p%2Fw%3A@Host.example:443/a/b/")
    assert endpoint.credentials == ("us@er", "p/w:")
    assert endpoint.base == "https://host.example:443/a/b"
    assert "p/w" not in repr(endpoint)
    assert parse_endpoint("http://[::1]:8332").base == "http://[::1]:8332"


def test_an_answer_that_is_no_json_is_told(server):
    client = client_of(server.url)
    for body in (b"", b"{", b"\xff", b"[" * 100_000):
        server.replies["/x"] = Reply(body=body)
        with pytest.raises(SourceError, match=r"isn't JSON \(text/plain\)"):
            client.get("/x").json()


def test_the_reason_of_an_answer_is_one_short_line(server):
    client = client_of(server.url)
    for reply, reason in (
        (as_json({"error": "Failed to get hash at tip"}, 500), "500 Failed to get hash at tip"),
        (text("two\nlines \x1b[31m", 500), "500 two lines [31m"),
        (text("x" * 10_000, 500), f"500 {'x' * 100}"),
        (page(404), "404"),
        (as_json([1], 500), "500 [1]"),
    ):
        server.replies["/x"] = reply
        assert client.get("/x").reason == reason
