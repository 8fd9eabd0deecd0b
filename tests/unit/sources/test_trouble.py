import socket

import pytest

from tests.unit.sources.asking import failure_of
from tests.unit.sources.scripted import reset, scripted_peer
from utxoracle.sources.trouble import trouble_of

HEAD = b"HTTP/1.1 200 OK\r\n"


def test_a_refused_connection_asks_whether_it_is_running(closed_port):
    message = failure_of(f"http://u:hunter2@127.0.0.1:{closed_port}")
    assert message == (
        f"mempool 127.0.0.1:{closed_port} refused the connection: is it running? "
        f"(GET http://127.0.0.1:{closed_port}/x)"
    )


def test_an_unknown_host_is_named():
    message = failure_of("http://no.such.host.invalid:1", retries=3)
    assert "mempool no.such.host.invalid:1 can't be found: check the host name (GET" in message
    assert "tried" not in message


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 70}.example"])
def test_a_host_that_can_not_be_one_is_named(host):
    message = failure_of(f"http://{host}:1", retries=3)
    assert "has no usable host name: check it (GET" in message
    assert "tried" not in message


def test_an_address_that_nothing_leads_to_is_told():
    message = failure_of("http://255.255.255.255:1", retries=3)
    assert message.startswith("mempool 255.255.255.255:1 can't be reached (")
    assert "): check the address and the network" in message
    assert "tried" not in message


def test_a_proxy_that_is_away_is_named(closed_port, monkeypatch):
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", f"http://u:hunter2@127.0.0.1:{closed_port}")
    message = failure_of("http://node.example:1", retries=3)
    assert "can't be reached through the proxy: check it (GET http://node.example:1/x)" in message


def test_a_server_that_says_nothing_is_given_up_after_one_attempt():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        message = failure_of(f"http://127.0.0.1:{silent.getsockname()[1]}", retries=3)
    assert "sent nothing for 0.3 s: is its node hanging? (GET" in message
    assert "tried" not in message


def test_a_time_out_of_tls_is_told_from_one_of_an_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        message = failure_of(f"https://{place}", connect=0.2, read=30, retries=3)
    assert message == (
        f"mempool {place} did not take TLS within 0.2 s: is it hanging, or is this another port? "
        f"(GET https://{place}/x)"
    )


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
        HEAD + b"X: " + b"x" * 70_000 + b"\r\n\r\n",
        HEAD + b"X: x\r\n" * 101 + b"\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    ],
    ids=["ssh", "junk", "long", "cut off", "version", "long header", "headers", "two lengths"],
)
def test_a_server_that_talks_something_else_is_at_another_port(sent):
    with scripted_peer(lambda peer: peer.sendall(sent)) as place:
        message = failure_of(f"http://{place}", retries=3)
    assert "doesn't answer in HTTP: is this the right port? (GET" in message
    assert "tried" not in message


def test_a_connection_that_is_lost_says_how():
    with scripted_peer(reset) as place:
        message = failure_of(f"http://{place}")
    assert "lost the connection (Connection reset by peer): try again" in message


def test_certificates_that_went_away_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    monkeypatch.setenv("no_proxy", "*")
    message = failure_of("https://127.0.0.1:1", is_elsewhere=True, retries=3)
    assert "the file of trusted certificates is gone; check UTXORACLE_CA_FILE and " in message


def test_a_failure_that_nobody_thought_of_is_one_line_and_final():
    trouble = trouble_of(OSError(5, "Input/output error"), connect=1, read=1, variable="X")
    assert trouble.text == "can't be asked (Input/output error): try again"
    assert not trouble.can_pass
