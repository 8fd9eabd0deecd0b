import socket
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.conftest import another_user
from tests.filled import fill
from tests.unit.api.serving import served
from utxoracle.errors import UsageError
from utxoracle.jobs.checks import api as module
from utxoracle.jobs.checks.api import api
from utxoracle.jobs.health import CheckStatus
from utxoracle.settings import Settings
from utxoracle.store.folder import DataFolder

TOKEN = "correct horse battery staple".replace(" ", "-")


def found(status, detail, port, newest=None, *, is_known=True, **settings):
    told = api(Settings(api_port=port, **settings), newest, is_known=is_known)
    assert (told.status, "\n" in told.detail) == (status, False), told
    assert detail in told.detail


@contextmanager
def answering(status, body, content_type="text/html"):
    """Another program at the API's port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """The API on a filled data folder, with a token; its port, the file of the token."""
    scratch = tmp_path_factory.mktemp("api")
    folder = DataFolder(scratch / "data")
    fill(folder)
    token = scratch / "token"
    token.write_text(f"{TOKEN}\n")
    with served(folder, workers=1, env={"UTXORACLE_API_TOKEN_FILE": str(token)}) as server:
        yield server.address[1], token


def test_an_api_with_the_newest_price_is_well(running):
    port, token = running
    for host in ("127.0.0.1", "0.0.0.0", "localhost"):
        well = f":{port} answers with the price of block 934559"
        found(CheckStatus.OK, well, port, 934_559, api_token_file=token, api_host=host)
    # Published since it was looked at.
    found(CheckStatus.OK, "block 934559", port, 934_558, api_token_file=token)


def test_an_api_with_an_older_price_than_the_published_one_fails(running):
    port, token = running
    told = "answers with the price of block 934559, but 934560 is published: see that it serves"
    found(CheckStatus.ERROR, told, port, 934_560, api_token_file=token)


def test_a_token_that_is_refused_fails_and_is_not_shown(running, tmp_path):
    port, _ = running
    other = tmp_path / "token"
    other.write_text("another-" + TOKEN)
    told = "refuses the token: see that UTXORACLE_API_TOKEN_FILE names the file that the API reads"
    found(CheckStatus.ERROR, told, port, api_token_file=other)
    found(CheckStatus.ERROR, told, port)
    assert TOKEN not in api(Settings(api_port=port, api_token_file=other), None).detail


def test_whether_a_price_is_the_newest_is_not_known_without_the_snapshot(running):
    port, token = running
    told = "answers with the price of block 934559, but nothing tells whether that is right: see"
    found(CheckStatus.UNKNOWN, told, port, is_known=False, api_token_file=token)


@pytest.mark.parametrize("content", [f"{TOKEN}\r{TOKEN}", f"{TOKEN} {TOKEN}", "short"])
def test_a_file_that_holds_no_token_fails_without_showing_it(tmp_path, content):
    token = tmp_path / "token"
    token.write_text(content, newline="")
    settings = Settings(api_port=1, api_token_file=token)
    with pytest.raises(UsageError, match=r"holds no token: its first line must be") as refused:
        api(settings, None)
    assert content[:5] not in str(refused.value)


def test_a_token_that_this_user_may_not_read_is_not_judged(open_folder):
    token = open_folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    settings = Settings(api_port=1, api_token_file=token)
    with another_user(), pytest.raises(PermissionError):
        api(settings, None)


def test_a_host_that_can_not_be_looked_up_fails():
    found(CheckStatus.ERROR, "does not answer (", 1, api_host=f"{'h' * 64}.example")


def test_an_api_without_data(folder):
    with served(folder, workers=1) as server:
        port = server.address[1]
        found(CheckStatus.OK, "answers that there is no price yet", port)
        found(CheckStatus.ERROR, "answers with 404 and no price", port, 300)
        folder.snapshot.unlink()
        found(CheckStatus.ERROR, "answers that it has no data: see the check of the", port)


def test_an_api_that_does_not_run_fails_only_where_it_is_installed(program):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    told = f"nothing listens at http://127.0.0.1:{port}: "
    found(CheckStatus.WARNING, f"{told}run utxoracle serve", port)
    program("systemctl", "LoadState=loaded")
    found(CheckStatus.ERROR, f"{told}systemctl start utxoracle-api.socket", port)
    only_service = "case $* in *.service) echo LoadState=loaded;; *) echo LoadState=not-found; esac"
    program("systemctl", script=only_service)
    found(CheckStatus.ERROR, f"{told}systemctl start utxoracle-api.service", port)


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>"), (200, b"[1]"), (200, b'{"height": "9"}'), (404, b"no"), (500, b"{}")],
)
def test_another_program_at_its_port_fails(status, body):
    with answering(status, body) as port:
        found(CheckStatus.ERROR, f"answers with {status} and no price: see whether another", port)


def test_a_server_that_hangs_or_hangs_up_fails(monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found(CheckStatus.ERROR, f"127.0.0.1:{port} does not answer (timed out): see", port)

        # What comes next does not wait.
        monkeypatch.undo()

        def hang_up():
            connection, _ = listener.accept()
            connection.recv(10_000)
            connection.close()

        # Past the connection of above, which still waits to be taken.
        listener.accept()[0].close()
        thread = Thread(target=hang_up)
        thread.start()
        found(CheckStatus.ERROR, "does not answer (Remote end closed connection", port)
        thread.join()


def test_a_port_that_is_not_fixed_is_not_known():
    found(CheckStatus.UNKNOWN, "set UTXORACLE_API_PORT", 0)
