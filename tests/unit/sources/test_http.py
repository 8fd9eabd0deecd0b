import base64
import socket

import pytest

from tests.unit.sources.scripted import Reply, as_json, page, scripted_peer, text
from utxoracle.errors import SourceError
from utxoracle.settings import Settings
from utxoracle.sources.http import ClientSettings, HttpClient, parse_endpoint

QUICK = ClientSettings(connect=0.3, read=0.3, variable="X_TIMEOUT", retries=0, ca_file=None)


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


def test_exchange_prices_have_one_time_limit_of_their_own():
    settings = Settings(connect_timeout=1, read_timeout=2, exchange_timeout=3)
    assert ClientSettings.for_blocks(settings) == ClientSettings(
        1, 2, "UTXORACLE_READ_TIMEOUT", 3, None
    )
    assert ClientSettings.for_exchange(settings) == ClientSettings(
        3, 3, "UTXORACLE_EXCHANGE_TIMEOUT", 0, None
    )


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


def test_a_server_that_hangs_up_is_a_source_error():
    with scripted_peer(lambda peer: peer.close()) as place:
        message = failure_of(f"http://{place}")
    assert "hung up without an answer: try again" in message


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"\x00\xff junk\r\n\r\n",
        b"x" * 70_000,
        b"HTTP/1.1 ",
        b"HTTP/9.9 200 OK\r\n\r\n",
    ],
    ids=["ssh", "junk", "long", "cut off", "version"],
)
def test_a_server_that_talks_something_else_is_at_another_port(sent):
    with scripted_peer(lambda peer: peer.sendall(sent)) as place:
        message = failure_of(f"http://{place}")
    assert "doesn't answer in HTTP: is this the right port?" in message


def test_a_body_shorter_than_announced_is_not_taken(server):
    server.replies["/x"] = Reply(body=b"abc", length=100)
    assert "lost the connection" in failure_of(server.url)


def test_an_answer_is_cut_off_at_its_limit(server):
    server.replies["/x"] = Reply(body=bytes(256_001))
    assert "more than the 256,000 bytes that GET" in failure_of(server.url)
    server.replies["/x"] = Reply(body=bytes(256_000))
    assert len(client_of(server.url).get("/x").body) == 256_000
    server.replies["/x"] = Reply(301, body=bytes(256_001), headers={"Location": "/y"})
    assert "more than the 256,000 bytes that GET" in failure_of(server.url)


def test_redirects_are_not_followed(server):
    server.replies["/x"] = Reply(302, headers={"Location": "http://u:hunter2@elsewhere/"})
    answer = client_of(server.url).get("/x")
    assert answer.status == 302
    message = str(answer.refused())
    assert message.endswith(
        "with 302: give the address that it redirects to as the source (http://elsewhere/)"
    )
    assert server.paths == ["/x"]


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://example.org/api/", " (https://example.org/api/)"),
        ("HTTP://u:hunter2@host/", " (HTTP://host/)"),
        ("http://u:hunter2/@@host/", " (http://host/)"),
        ("//u:hunter2@host/", " (//host/)"),
        ("u:hunter2@host", " (u:host)"),
        ("/login?as=me@home", " (/login?as=me@home)"),
        ("http://a\x1b[31m\x7f b", " (http://a[31m b)"),
        ("http://[::1/", " (http://[::1/)"),
        ("/" + "x" * 500, f" (/{'x' * 199})"),
        ("", ""),
    ],
)
def test_where_a_redirect_leads_is_shown_without_credentials(server, location, shown):
    server.replies["/x"] = Reply(301, headers={"Location": location})
    message = str(client_of(server.url).get("/x").refused())
    assert message.endswith(f"that it redirects to as the source{shown}")


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, "is this the right address?"),
        (401, "check user and password"),
        (403, "check user and password"),
        (404, "is this the right address?"),
        (429, "try again later"),
        (500, "try again later"),
        (503, "try again later"),
    ],
)
def test_a_refused_answer_says_what_to_do(server, status, advice):
    server.replies["/x"] = text("so it is", status)
    message = str(client_of(server.url).get("/x").refused())
    assert message == (
        f"mempool {server.place} answered GET {server.url}/x with {status} so it is: {advice}"
    )


@pytest.mark.parametrize(
    ("user", "password", "sent"),
    [
        ("me", "p:w", b"me:p:w"),
        ("€", "é", b"\xe2\x82\xac:\xc3\xa9"),
        # What the environment holds when it isn't UTF-8.
        ("\udcff", "", b"\xff:"),
    ],
    ids=["ascii", "utf-8", "neither"],
)
def test_credentials_are_sent_as_the_bytes_that_were_typed(server, user, password, sent):
    server.replies["/x"] = text("y")
    client_of(server.url).get("/x", auth=(user, password))
    assert server.asked[0].headers["Authorization"] == f"Basic {base64.b64encode(sent).decode()}"


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
