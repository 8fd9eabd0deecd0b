import base64

import pytest

from tests.unit.sources.asking import client_of
from tests.unit.sources.scripted import Reply, as_json, page, text
from utxoracle.errors import SourceError
from utxoracle.settings import Settings
from utxoracle.sources.http import ClientSettings


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


@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_nobody_is_sent_a_password_that_was_left_for_others(
    server, tmp_path, monkeypatch, is_elsewhere
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter2\ndefault login me password no\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("no_proxy", "*")
    server.replies["/x"] = text("y")
    client = client_of(server.url, is_elsewhere=is_elsewhere)
    client.get("/x")
    client.close()
    assert "Authorization" not in server.asked[0].headers


@pytest.mark.parametrize("host", ["0.0.0.0", "127.1", "2130706433", "LOCALHOST"])
def test_this_machine_by_another_name_is_not_asked_through_a_proxy_either(
    server, monkeypatch, host
):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server.replies["/x"] = text("direct")
    client = client_of(server.url.replace("127.0.0.1", host))
    assert client.get("/x").text == "direct"
    client.close()


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
