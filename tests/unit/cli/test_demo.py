"""The demo as people start it: a process of its own, on a port of its own, ended by signals."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

SECONDS = 120
HOSTILE = {
    "UTXORACLE_SOURCE": "mempool+http://192.0.2.1:8999",
    "UTXORACLE_NETWORK": "main",
    "UTXORACLE_API_TOKEN_FILE": "/nowhere/token",
    "UTXORACLE_API_HOST": "192.0.2.1",
    "UTXORACLE_API_PORT": "none",
    "UTXORACLE_API_WORKERS": "0",
    "UTXORACLE_MOUNT_POINT": "/nowhere",
    "UTXORACLE_MAX_PRICE": "1",
    "UTXORACLE_NO_SUCH_SETTING": "1",
}
"""What a real service may be told, and what would make it fail."""


class Running:
    """A demo that runs; its lines, one by one, and what it left in its temporary folder."""

    def __init__(self, process: "subprocess.Popen[str]", scratch: Path, errors: Path) -> None:
        self.process = process
        self.url = ""
        self._scratch = scratch
        self._errors = errors

    def read_until(self, text: str) -> list[str]:
        """Return the lines up to the one that holds `text`."""
        lines = [""]
        while text not in lines[-1]:
            lines.append(self.process.stdout.readline())
            assert lines[-1], self.stderr()
        return lines[1:]

    def serve(self) -> str:
        """Wait until it says that it listens; return all that it has told until then."""
        told = "".join(self.read_until("Stop with Ctrl-C"))
        self.url = told.partition("The page is at ")[2].partition(";")[0]
        return told

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        ended = self.process.wait(SECONDS)
        # Python may end by that signal itself, which a shell calls 130.
        return 130 if ended == -signal.SIGINT else ended

    def stderr(self) -> str:
        """Return its lines on stderr but those that tell how far it is."""
        lines = self._errors.read_text().splitlines(keepends=True)
        return "".join(line for line in lines if " blocks\n" not in line)

    def left(self) -> list[str]:
        return [path.name for path in self._scratch.iterdir()]


@contextmanager
def started(tmp_path: Path, *arguments: str, **settings: str) -> Iterator[Running]:
    scratch, errors = tmp_path / "scratch", tmp_path / "stderr"
    scratch.mkdir()
    kept = {name: text for name, text in os.environ.items() if not name.startswith("UTXORACLE_")}
    with errors.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "utxoracle", "demo", "--days=1", *arguments],
            env=kept | {"TMPDIR": str(scratch), "HOME": str(tmp_path)} | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            # A terminal's signals are sent to all processes of such a group.
            start_new_session=True,
        )
    with process:
        try:
            yield Running(process, scratch, errors)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def no_longer_served(url: str) -> bool:
    place = urlsplit(url)
    with socket.socket() as one:
        return one.connect_ex((place.hostname, place.port)) != 0


def test_it_stores_prices_and_serves_whatever_a_real_service_is_told_until_sigterm(tmp_path):
    real = tmp_path / "real"
    hostile = HOSTILE | {"UTXORACLE_DATA_DIR": str(real), "XDG_DATA_HOME": str(real)}
    with started(tmp_path, "--port=0", **hostile) as demo:
        told = demo.serve()
        for line in ("$ utxoracle init-db", "made ", "$ utxoracle analyze", "stored ", "chain  "):
            assert f"\n{line}" in told.replace("\n  ", "\n"), told
        assert len(demo.left()) == 1
        status, page = demo.get("/")
        assert status == 200
        assert b"<html" in page
        status, answer = demo.get("/health")
        health = json.loads(answer)
        # Chance may have parted the two prices, which is told but no failure.
        assert (status, health["status"]) in {(200, "healthy"), (200, "degraded")}
        assert health["network"] == "regtest"
        assert {health["checks"][one]["status"] for one in ("run", "chain", "sources")} == {"ok"}
        status, latest = demo.get("/api/prices/latest")
        assert status == 200
        assert json.loads(latest)["is_valid"] is True
        assert json.loads(latest)["diff_percent"] == pytest.approx(0, abs=10)
        # What ends now is seen in a range that is counted from now.
        status, rows = demo.get("/api/prices/historical?days=1")
        assert status == 200
        assert len(json.loads(rows)) > 10
        assert demo.end(signal.SIGTERM) == 0
        assert demo.left() == []
        assert demo.stderr() == ""
        assert no_longer_served(demo.url)
    assert not real.exists()


def test_ctrl_c_ends_all_of_it_and_a_named_folder_stays(tmp_path, utxoracle):
    with started(tmp_path, "--port=0", "--data-dir", str(tmp_path / "kept")) as demo:
        told = demo.serve()
        assert "is kept.\n" in told
        assert demo.get("/api/prices/latest")[0] == 200
        # As a terminal does, and more than once.
        os.killpg(demo.process.pid, signal.SIGINT)
        os.killpg(demo.process.pid, signal.SIGINT)
        assert demo.process.wait(SECONDS) == 0
        assert demo.stderr() == ""
        assert no_longer_served(demo.url)
    done = utxoracle("status", "--data-dir", "kept", "--json")
    # How many there are is a matter of the hour; what was stored is there, and maybe a block more.
    stored = int(re.findall(r"^stored .* (\d+) window price", told, re.MULTILINE)[0])
    assert json.loads(done.stdout)["windows"] >= stored > 0
    again = utxoracle("demo", "--data-dir", "kept", "--no-serve")
    assert (again.returncode, again.stdout) == (2, "")
    assert "kept is not empty" in again.stderr


def test_without_serving_it_ends_after_the_status_and_leaves_nothing(tmp_path):
    with started(tmp_path, "--no-serve", "--seed=2") as demo:
        told = demo.process.stdout.read()
        assert demo.process.wait(SECONDS) == 0
        assert "$ utxoracle status\nregtest network, " in told
        assert told.splitlines()[-1].split() == ["chain", "ok"]
        assert demo.left() == []
        assert demo.stderr() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["A simulated chain", "$ utxoracle analyze"])
def test_what_is_interrupted_before_it_serves_leaves_nothing(tmp_path, number, moment):
    with started(tmp_path, "--port=0") as demo:
        demo.read_until(moment)
        assert demo.end(number) == 130
        assert demo.left() == []
        assert demo.stderr().strip() == "utxoracle: interrupted"


def test_the_end_of_its_terminal_ends_it(tmp_path):
    with started(tmp_path, "--port=0") as demo:
        demo.serve()
        os.killpg(demo.process.pid, signal.SIGHUP)
        assert demo.process.wait(SECONDS) == 0
        assert demo.left() == []
        assert no_longer_served(demo.url)


def test_where_it_is_killed_the_server_ends_with_it(tmp_path):
    with started(tmp_path, "--port=0") as demo:
        demo.serve()
        assert demo.get("/health")[0] == 200
        assert demo.end(signal.SIGKILL) == -signal.SIGKILL
        ends_at = time.monotonic() + SECONDS
        while not no_longer_served(demo.url):
            assert time.monotonic() < ends_at
            time.sleep(0.1)


def test_a_port_in_use_is_told_before_all_the_work(refused, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = refused(2, "demo", f"--port={port}", TMPDIR=str(tmp_path))
    assert f"127.0.0.1:{port} can't be listened on: Address already in use; " in line
    assert "--port" in line
    assert list(tmp_path.iterdir()) == []


def test_a_place_to_listen_on_does_not_go_with_no_page(refused):
    assert "don't go with --no-serve" in refused(2, "demo", "--no-serve", "--port=0")


@pytest.mark.parametrize("arguments", [["--days=0"], ["--days=91"], ["--seed=-1"]])
def test_what_can_not_be_simulated_is_one_line(refused, arguments):
    assert "is not in the range" in refused(2, "demo", *arguments)
