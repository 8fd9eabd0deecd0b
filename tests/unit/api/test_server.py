"""The server as a whole: real processes, real sockets, real signals."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.unit.api.serving import COMMAND, SECONDS, served, started, wait_for
from tests.unit.store.samples import batch
from utxoracle.bitcoin.network import REGTEST
from utxoracle.store.database import Database, create_database
from utxoracle.store.folder import DataFolder
from utxoracle.store.snapshot import publish

LATEST = "/api/prices/latest"
GUNICORN = (sys.executable, "-m", "gunicorn", "-c", "python:utxoracle.api.gunicorn_conf")
SERVE = (sys.executable, "-m", "utxoracle", "serve")

# An application whose answer comes when a file does: a request that is under way for so long.
SLOW = """
import pathlib, time
def app(environ, start_response):
    folder = pathlib.Path(__file__).parent
    (folder / "asked").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    start_response("200 OK", [("Content-Length", "4")])
    return [b"done"]
"""

# Between a worker's first moment and that at which it can take signals.
SLOW_FORK = """
import os, pathlib, time
fork = os.fork
def slow_fork():
    pid = fork()
    if pid == 0:
        (pathlib.Path(__file__).parent / "forked").touch()
        time.sleep(1)
    return pid
os.fork = slow_fork
"""


def commit(folder, height):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(height, height))
    publish(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = DataFolder(tmp_path_factory.mktemp("served") / "data")
    create_database(folder, REGTEST)
    commit(folder, 1)
    return folder


@pytest.fixture(scope="module")
def server(folder):
    """One for all tests that leave it running."""
    with served(folder) as server:
        yield server


def height(body):
    return json.loads(body)["height"]


@contextmanager
def asked_all_the_time(server, *, threads=3):
    """Ask on new connections until the block ends; give what was answered, and what failed."""
    ends = Event()
    answers: list[tuple[float, int, int]] = []
    failures: list[str] = []

    def ask():
        while not ends.is_set():
            begin = time.monotonic()
            try:
                status, _, body = server.get()
            except (OSError, http.client.HTTPException) as error:
                failures.append(repr(error))
            else:
                answers.append((begin, status, height(body) if status == 200 else -1))

    askers = [Thread(target=ask) for _ in range(threads)]
    for asker in askers:
        asker.start()
    try:
        yield answers, failures
    finally:
        ends.set()
        for asker in askers:
            asker.join()


@pytest.mark.parametrize(
    ("command", "host"),
    [
        (COMMAND, "::1"),
        (GUNICORN, "::1"),
        ((*GUNICORN, "utxoracle.api.app:create_app()"), "127.0.0.1"),
    ],
    ids=["module", "gunicorn", "gunicorn with the app"],
)
def test_it_is_started_in_several_ways(folder, command, host):
    with served(folder, command=command, env={"UTXORACLE_API_HOST": host}) as server:
        assert server.address[0] == host
        status, headers, body = server.get()
        assert status == 200
        assert height(body) >= 1
        assert headers["Content-Type"] == "application/json"
        assert len(server.workers()) == 2
        assert server.end() == 0
        assert "Traceback" not in server.stderr()


def test_a_command_serves_in_the_foreground_until_ctrl_c(folder):
    command = (*SERVE, "--port=0", "--workers=1", "--host=127.0.0.1", "--no-access-log")
    env = {"UTXORACLE_API_PORT": "1", "UTXORACLE_API_HOST": "nowhere.invalid"}
    with served(folder, command=("setsid", *command), env=env) as server:
        assert server.get()[0] == 200
        assert len(server.workers()) == 1
        # As a terminal does: all processes of the group get it.
        os.killpg(server.pid, signal.SIGINT)
        assert server.process.wait(SECONDS) == 0
        assert server.stderr() == (
            f"listening at {server.url}/, serving {folder.path}; stop with Ctrl-C\n"
        )


@pytest.mark.parametrize(
    ("command", "env", "message"),
    [
        (COMMAND, {"UTXORACLE_API_PORT": "http"}, "UTXORACLE_API_PORT must be a whole number"),
        (SERVE, {"UTXORACLE_API_WORKERS": "0"}, "UTXORACLE_API_WORKERS must be from 1"),
        (COMMAND, {"UTXORACLE_API_TOKEN_FILE": "/nowhere/token"}, "/nowhere/token"),
        (SERVE, {"UTXORACLE_API_TOKEN_FILE": "/nowhere/token"}, "/nowhere/token"),
        (COMMAND, {"UTXORACLE_API_CORS": "wallet.example"}, "UTXORACLE_API_CORS must be"),
        (COMMAND, {"UTXORACLE_API_TOKEN": "secret"}, "is UTXORACLE_API_TOKEN_FILE meant?"),
        (COMMAND, {"UTXORACLE_API_HOST": "no host"}, "no host:0 can't be listened on: "),
        (SERVE, {"UTXORACLE_API_HOST": "192.0.2.1"}, "requested address; choose another"),
    ],
)
def test_what_can_not_be_used_is_one_line(folder, command, env, message):
    with started(folder, command=command, env=env) as server:
        assert server.process.wait(SECONDS) == 2
        (line,) = server.stderr().splitlines()
        assert line.startswith("utxoracle: ")
        assert message in line


def test_gunicorn_tells_of_a_bad_token_once(folder):
    env = {"UTXORACLE_API_TOKEN_FILE": "/nowhere/token"}
    with started(folder, command=GUNICORN, env=env) as server:
        assert server.process.wait(SECONDS) != 0
        (line,) = server.stderr().strip().splitlines()
        assert "/nowhere/token (UTXORACLE_API_TOKEN_FILE) can't be read" in line


@pytest.mark.parametrize("command", [COMMAND, SERVE], ids=["module", "command"])
def test_a_second_server_on_a_port_is_one_line(folder, server, command):
    port = str(server.address[1])
    with started(folder, command=command, env={"UTXORACLE_API_PORT": port}) as second:
        assert second.process.wait(SECONDS) == 2
        (line,) = second.stderr().splitlines()
        assert f"127.0.0.1:{port} can't be listened on: Address already in use; " in line
    assert server.get()[0] == 200


def test_the_module_takes_no_arguments(folder):
    with started(folder, command=(*COMMAND, "--port=1")) as server:
        assert server.process.wait(SECONDS) == 2
        assert "takes no arguments" in server.stderr()


def test_a_socket_that_is_passed_in_is_used_and_outlives_the_server(folder, tmp_path):
    with (
        socket.socket(socket.AF_UNIX) as listener,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified,
    ):
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(SECONDS)
        home = tmp_path / "home"
        home.mkdir()
        env = {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": "",
            "JOURNAL_STREAM": "8:1",
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "UTXORACLE_API_HOST": "192.0.2.1",
        }
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(SECONDS)
                # What comes while no server runs waits for the next one.
                client.connect(str(tmp_path / "socket"))
                client.sendall(b"GET /api/prices/latest HTTP/1.0\r\n\r\n")
                with served(folder, listener=listener, env=env, workers=1) as server:
                    assert notified.recv(1000).startswith(b"READY=1")
                    head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
                    assert b" 200 OK\r\n" in head
                    assert height(body) >= 1
                    wait_for(
                        lambda: "\nutxoracle: local GET /api/prices/latest 200 " in server.stderr()
                    )
                    assert server.end() == 0
                    assert "warning" not in server.stderr()
                    assert list(home.iterdir()) == []


def test_a_port_that_is_passed_in_is_used(folder):
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        served(folder, listener=listener, workers=1) as server,
    ):
        assert server.address == listener.getsockname()
        assert server.get()[0] == 200


def test_the_process_that_forks_has_no_threads(server):
    assert len(list(Path(f"/proc/{server.pid}/task").iterdir())) == 1
    assert "duckdb" not in Path(f"/proc/{server.pid}/maps").read_text()
    assert "duckdb" in Path(f"/proc/{server.workers()[0]}/maps").read_text()


def test_no_request_fails_or_is_late_while_snapshots_are_published(folder, server):
    published = []
    with asked_all_the_time(server) as (answers, failures):
        for top in range(2, 22):
            commit(folder, top)
            published.append((time.monotonic(), top))
        wait_for(lambda: answers and answers[-1][2] == 21)
    assert failures == []
    assert {status for _, status, _ in answers} == {200}
    for begin, _, seen in answers:
        assert seen >= max((top for when, top in published if when < begin), default=1)


def test_killed_workers_are_replaced_and_the_others_go_on(server):
    killed, other = server.workers()
    os.kill(killed, signal.SIGKILL)
    for _ in range(20):
        assert server.get()[0] == 200
    wait_for(lambda: len({*server.workers()} - {killed}) == 2)
    assert other in server.workers()
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)
    assert server.get()[0] == 200
    wait_for(lambda: len(server.workers()) == 2)


def test_no_new_connection_fails_while_it_is_reloaded(server):
    with asked_all_the_time(server) as (answers, failures):
        for _ in range(2):
            before = {*server.workers()}
            server.process.send_signal(signal.SIGHUP)
            wait_for(lambda known=before: not known & {*server.workers()})
        count = len(answers)
        wait_for(lambda: len(answers) > count + 10)
    assert failures == []
    assert {status for _, status, _ in answers} == {200}


def test_a_request_whose_head_is_half_there_survives_a_reload(folder):
    with (
        served(folder, workers=1) as server,
        socket.create_connection(server.address, SECONDS) as client,
    ):
        before = server.workers()
        client.sendall(b"GET /api/prices/latest HTTP/1.1\r\n")
        # Is answered after the other one was accepted.
        server.get()
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(server.workers()) > 1)
        client.sendall(b"Host: me\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
        client.close()
        wait_for(lambda: not {*before} & {*server.workers()})


def test_a_reload_takes_a_new_token_but_not_a_broken_one(folder, tmp_path):
    token = tmp_path / "token"
    token.write_text("a" * 32)
    with served(folder, workers=1, env={"UTXORACLE_API_TOKEN_FILE": str(token)}) as server:
        token.write_text("short")
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "not reloaded" in server.stderr())
        assert f"warning: not reloaded: {token}" in server.stderr()
        old = server.workers()
        assert server.get("/openapi.json")[0] != 500
        token.write_text("b" * 32)
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: not {*old} & {*server.workers()})
        assert server.end() == 0


def test_what_is_under_way_is_finished_before_the_end(folder, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    with served_slowly(folder, tmp_path) as (server, client):
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "Handling signal: term" in server.stderr())
        (tmp_path / "go").touch()
        assert client.makefile("rb").read().endswith(b"\r\n\r\ndone")
        assert server.process.wait(SECONDS) == 0


def test_ctrl_c_does_not_wait_for_what_is_under_way(folder, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    with served_slowly(folder, tmp_path) as (server, _):
        assert server.end(signal.SIGINT) == 0
    assert not (tmp_path / "go").exists()


@contextmanager
def served_slowly(folder, tmp_path):
    """Serve SLOW, with a request to it under way."""
    command = (*GUNICORN, "--pythonpath", str(tmp_path), "slow:app")
    with started(folder, workers=1, command=command) as server:
        wait_for(lambda: "Listening at: http" in server.stderr())
        place = server.stderr().partition("Listening at: http://")[2].partition(" ")[0]
        address, _, port = place.partition(":")
        with socket.create_connection((address, int(port)), SECONDS) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            wait_for((tmp_path / "asked").exists)
            yield server, client


def preferring(modules):
    """Return an environment in which Python looks for modules in a folder first."""
    others = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(modules), others]))}


def test_a_worker_that_only_begins_misses_no_signal(folder, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SLOW_FORK)
    with started(folder, workers=1, env=preferring(tmp_path)) as server:
        wait_for((tmp_path / "forked").exists)
        server.process.send_signal(signal.SIGTERM)
        # After thirty seconds it would be killed.
        assert server.process.wait(20) == 0


def test_a_worker_that_can_not_start_ends_it(folder, tmp_path):
    (tmp_path / "duckdb.py").write_text("raise ImportError('broken')")
    with started(folder, env=preferring(tmp_path)) as server:
        assert server.process.wait(SECONDS) not in (0, 2)
        assert "broken" in server.stderr()


def test_help_tells_every_option():
    run = subprocess.run([*SERVE, "--help"], capture_output=True, text=True, check=True)
    for option in ("--host", "--port", "--workers", "--data-dir", "--no-access-log"):
        assert option in run.stdout
