import shutil
from contextlib import contextmanager

import pytest

from tests.conftest import ordinary_user
from tests.unit.sources.asking import client_of, failure_of
from tests.unit.sources.certificates import Authority
from tests.unit.sources.scripted import ScriptedServer, text
from utxoracle.errors import UsageError

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="no openssl command to make certificates with"
)

LOCAL = "IP:127.0.0.1,DNS:localhost"
ADVICE = "check its certificate, or name the file of its CA in UTXORACLE_CA_FILE"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture
def no_proxy(monkeypatch):
    """Keep a proxy of the environment from servers that are taken for ones elsewhere."""
    monkeypatch.setenv("no_proxy", "*")


@contextmanager
def serving(tls):
    with ScriptedServer(tls) as server:
        server.replies["/x"] = text("y")
        yield server


def url_of(server: ScriptedServer) -> str:
    return server.url.replace("http:", "https:")


def text_of(url: str, **settings) -> str:
    client = client_of(url, read=5, **settings)
    try:
        return client.get("/x").text
    finally:
        client.close()


@needs_openssl
@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_a_server_is_checked_by_the_file_of_its_ca(authority, is_elsewhere):
    with serving(authority.context(LOCAL)) as server:
        url = url_of(server)
        assert text_of(url, is_elsewhere=is_elsewhere, ca_file=authority.file) == "y"


@needs_openssl
@pytest.mark.usefixtures("no_proxy")
def test_the_file_of_the_ca_counts_more_than_the_environment(authority, stranger, monkeypatch):
    with serving(authority.context(LOCAL)) as server:
        url = url_of(server)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(stranger.file))
        assert text_of(url, is_elsewhere=True, ca_file=authority.file) == "y"
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
        assert text_of(url, is_elsewhere=True) == "y"
        message = failure_of(url, is_elsewhere=True, ca_file=stranger.file)
        assert "can't be asked over TLS" in message


@needs_openssl
@pytest.mark.parametrize("has_file", [False, True])
def test_a_certificate_of_an_unknown_ca_is_refused(authority, stranger, has_file):
    with serving(authority.context(LOCAL)) as server:
        message = failure_of(
            url_of(server), read=5, retries=3, ca_file=stranger.file if has_file else None
        )
        assert message == (
            f"mempool {server.place} can't be asked over TLS (unable to get local issuer "
            f"certificate): {ADVICE} (GET {url_of(server)}/x)"
        )
        assert not server.asked


@needs_openssl
def test_a_certificate_of_another_host_is_refused(authority):
    with serving(authority.context("IP:127.0.0.2,DNS:elsewhere.example")) as server:
        message = failure_of(url_of(server), read=5, ca_file=authority.file)
    # What follows is of OpenSSL or of urllib3, as the version has it.
    assert "can't be asked over TLS" in message
    assert "check its certificate" in message


@needs_openssl
def test_a_certificate_that_is_over_is_refused(authority):
    with serving(authority.context(LOCAL, days=0)) as server:
        message = failure_of(url_of(server), read=5, ca_file=authority.file)
    assert f"can't be asked over TLS (certificate has expired): {ADVICE}" in message


def test_plain_http_where_tls_was_asked_for_is_told(server):
    message = failure_of(url_of(server), retries=3)
    assert "can't be asked over TLS: check its certificate, or is it plain http?" in message
    assert "tried" not in message


def refusal_of(ca_file) -> str:
    with pytest.raises(UsageError) as caught:
        client_of("http://127.0.0.1:1", ca_file=ca_file)
    return str(caught.value)


def test_a_file_of_the_ca_that_can_not_be_used_is_named(tmp_path):
    path = tmp_path / "ca.pem"
    name = f"{path} (UTXORACLE_CA_FILE) can't be used"
    assert refusal_of(path) == f"{name}: No such file or directory"
    for content in ("", "no certificate", "-----BEGIN CERTIFICATE-----\nA\n"):
        path.write_text(content)
        assert refusal_of(path) == f"{name}: it holds no certificates in PEM"
    assert "can't be used: Is a directory" in refusal_of(tmp_path)


def test_a_file_of_the_ca_that_may_not_be_read_is_named(open_folder):
    path = open_folder / "ca.pem"
    path.write_text("secret")
    path.chmod(0)
    with ordinary_user():
        assert refusal_of(path).endswith("(UTXORACLE_CA_FILE) can't be used: Permission denied")
