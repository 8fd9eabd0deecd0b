import hashlib
import hmac
import shutil
import subprocess
from threading import Event

import pytest

from tests.unit.jobs.receiving import Receiver
from tests.unit.sources.certificates import Authority
from tests.unit.sources.scripted import scripted_peer, silent_server
from utxoracle.errors import UsageError
from utxoracle.jobs.webhook import TRIES, Webhook, longest_delivery
from utxoracle.settings import Settings

KEY = b"a key of some length"
MESSAGE = {"level": "warning", "message": "Zürich is 3 % < $60,000", "context": {"price": 0.1}}
SECRET = "/hooks/T0P-SECRET?token=S3CRET"
SHORT = 0.3
LONG = 30.0
"""Seconds; nothing in these tests takes that long, so where it is set it never counts."""

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """The seconds of every pause between tries, none of which is waited."""
    made = []
    monkeypatch.setattr("utxoracle.jobs.webhook.pause", made.append)
    return made


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def deliver(url, *, key=None, timeout=LONG, **others):
    return Webhook(url, key=key, timeout=timeout, **others).deliver(MESSAGE, "name")


def test_a_message_arrives_signed(receiver):
    done = deliver(receiver.url + SECRET, key=KEY)
    assert (done.tries, done.status, done.trouble) == (1, 200, None)
    (got,) = receiver.received
    assert got.path == SECRET
    assert got.message == MESSAGE
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["X-Utxoracle-Delivery"] == "name"
    made = hmac.new(KEY, got.body, hashlib.sha256).hexdigest()
    assert got.headers["X-UTXOracle-Signature"] == f"sha256={made}"


@needs_openssl
def test_openssl_makes_the_same_signature(receiver):
    deliver(receiver.url, key=KEY)
    (got,) = receiver.received
    made = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", KEY.decode()],
        input=got.body,
        capture_output=True,
        check=True,
    )
    assert made.stdout.split()[-1].decode() == got.headers["X-Utxoracle-Signature"][7:]


def test_without_a_key_nothing_is_signed(receiver):
    deliver(receiver.url)
    assert "X-Utxoracle-Signature" not in receiver.received[0].headers


def test_what_fails_twice_is_sent_a_third_time_unchanged(receiver, pauses):
    receiver.statuses = [500, 500]
    done = deliver(receiver.url, key=KEY)
    assert (done.tries, done.status, done.trouble) == (3, 200, None)
    assert len({(one.body, str(one.headers)) for one in receiver.received}) == 1
    assert 0.5 <= pauses[0] <= 1.5
    assert 1 <= pauses[1] <= 3
    assert sum(pauses) <= longest_delivery(0) == 4.5
    assert longest_delivery(5) == 3 * 5 + 4.5


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (500, "500 Internal Server Error"),
        (503, "503 Service Unavailable"),
        (
            429,
            "429 Too Many Requests: check UTXORACLE_ALERT_URL, or see the receiver's log",
        ),
        (
            408,
            "408 Request Timeout: check UTXORACLE_ALERT_URL, or see the receiver's log",
        ),
    ],
)
def test_what_keeps_failing_is_given_up(receiver, status, told):
    receiver.always = status
    done = deliver(receiver.url)
    assert (done.tries, len(receiver.received)) == (TRIES, TRIES)
    assert (done.status, done.trouble, done.can_pass) == (status, f"answered {told}", True)


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_what_is_refused_is_not_sent_again(receiver, status, pauses):
    receiver.always = status
    done = deliver(receiver.url)
    assert (done.tries, len(receiver.received), pauses) == (1, 1, [])
    assert (done.status, done.can_pass) == (status, False)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(receiver, status):
    receiver.statuses = [status]
    done = deliver(receiver.url + "/here")
    assert [one.path for one in receiver.received] == ["/here"]
    assert done.trouble.endswith(": set the URL that it redirects to")


def test_a_receiver_that_is_down_is_told(pauses):
    with scripted_peer() as place:
        pass
    done = deliver(f"http://{place}")
    assert (done.tries, done.status, len(pauses)) == (TRIES, None, TRIES - 1)
    assert done.trouble == "refused the connection: is it running?"


def test_a_receiver_that_says_nothing_is_given_up_at_the_time_out():
    with silent_server() as (place, _):
        done = deliver(f"http://{place}", timeout=SHORT)
        assert done.tries == TRIES
        assert done.trouble == "gave no answer within 0.3 s: raise UTXORACLE_ALERT_TIMEOUT?"


def test_an_answer_that_drips_is_given_up_at_the_time_out():
    given_up = Event()

    def drip(peer):
        while not given_up.wait(SHORT / 6):
            peer.sendall(b"H")

    with scripted_peer(drip) as place:
        done = deliver(f"http://{place}", timeout=SHORT)
        given_up.set()
    assert done.trouble is not None
    assert done.status is None


def test_the_body_of_an_answer_is_not_waited_for():
    given_up = Event()

    def drip(peer):
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while not given_up.wait(0.01):
            peer.sendall(b"x")

    with scripted_peer(drip) as place:
        done = deliver(f"http://{place}")
        given_up.set()
    assert (done.tries, done.status, done.trouble) == (1, 200, None)


def test_a_receiver_that_hangs_up_is_told():
    with scripted_peer(*[lambda peer: None] * TRIES) as place:
        done = deliver(f"http://{place}")
    assert (done.tries, done.trouble) == (TRIES, "hung up without an answer: try again")


def test_what_is_no_http_is_told():
    with scripted_peer(*[lambda peer: peer.sendall(b"220 mail ready\r\n\r\n")] * TRIES) as place:
        done = deliver(f"http://{place}")
    assert done.trouble == "doesn't answer in HTTP: is this the right port?"


def test_a_host_that_is_not_there_is_told():
    assert deliver("http://nobody.invalid/").trouble == "can't be found: check the host name"


@needs_openssl
def test_a_receiver_is_checked_by_the_file_of_its_ca(authority):
    with Receiver(authority.context("IP:127.0.0.1")) as receiver:
        assert deliver(receiver.url, ca_file=authority.file).trouble is None
        done = deliver(receiver.url)
        assert done.trouble.startswith("can't be asked over TLS (unable to get local issuer")
        assert len(receiver.received) == 1


def test_a_proxy_is_not_asked_for_a_receiver_of_this_machine(receiver, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert deliver(receiver.url).trouble is None


@pytest.mark.parametrize("status", [404, 500, 302])
def test_only_scheme_and_host_are_ever_told(receiver, status):
    receiver.always = status
    webhook = Webhook(receiver.url.replace("//", "//user:S3CRET@") + SECRET, key=KEY, timeout=LONG)
    told = f"{webhook.place} {webhook.deliver(MESSAGE, 'name')}"
    assert webhook.place == receiver.url
    assert "CRET" not in told


def refusal(**settings):
    with pytest.raises(UsageError) as caught:
        Webhook.from_settings(Settings(**settings))
    return str(caught.value)


def test_without_a_url_there_is_none_but_the_key_is_read(tmp_path):
    assert Webhook.from_settings(Settings()) is None
    assert "can't be read" in refusal(alert_secret_file=tmp_path / "key")


def test_two_urls_are_one_too_many(tmp_path):
    assert refusal(alert_url="http://h", alert_url_file=tmp_path / "url") == (
        "UTXORACLE_ALERT_URL and UTXORACLE_ALERT_URL_FILE are both set; set one of them"
    )


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://h/S3CRET", "it must begin with http:// or https://"),
        ("S3CRET", "it must begin with http:// or https://"),
        ("file:///S3CRET", "it must begin with http:// or https://"),
        ("https:///S3CRET", "it names no host"),
        ("https://h:99999/S3CRET", "its port isn't a number from 0 to 65535"),
        ("https://[S3CRET/", "its host is no host name or number"),
    ],
)
def test_what_is_no_url_is_refused_and_not_repeated(url, why, tmp_path):
    assert refusal(alert_url=url) == f"UTXORACLE_ALERT_URL can't be used as a URL: {why}"
    path = tmp_path / "url"
    path.write_text(url)
    assert refusal(alert_url_file=path) == (
        f"{path} (UTXORACLE_ALERT_URL_FILE) can't be used as a URL: {why}"
    )


def test_url_and_key_are_the_first_lines_of_their_files(receiver, tmp_path):
    url, key = tmp_path / "url", tmp_path / "key"
    url.write_text(f"  {receiver.url}/x\n# ours\n")
    key.write_bytes(b"\xff key \r\nmore\n")
    settings = Settings(alert_url_file=url, alert_secret_file=key)
    webhook = Webhook.from_settings(settings)
    assert webhook is not None
    assert webhook.deliver(MESSAGE, "name").trouble is None
    (got,) = receiver.received
    made = hmac.new(b"\xff key", got.body, hashlib.sha256).hexdigest()
    assert got.headers["X-Utxoracle-Signature"] == f"sha256={made}"


@pytest.mark.parametrize("name", ["alert_url_file", "alert_secret_file"])
def test_a_file_that_holds_nothing_or_is_not_there_is_refused(name, tmp_path):
    path = tmp_path / "file"
    others = {} if name == "alert_url_file" else {"alert_url": "http://h"}
    assert "can't be read: No such file or directory" in refusal(**{name: path}, **others)
    path.write_text("\n  \n")
    assert "is empty" in refusal(**{name: path}, **others)
