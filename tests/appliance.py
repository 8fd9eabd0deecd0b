"""A node that is simulated by a process of its own, and a data folder with the commands on it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread, Timer
from typing import Any
from urllib.error import HTTPError

import duckdb

from utxoracle.bitcoin.network import REGTEST
from utxoracle.store.database import create_database
from utxoracle.store.folder import DataFolder

SECONDS = 120

AS_NOBODY = Path(__file__).with_name("as_nobody.py")
DISTURBED = Path(__file__).with_name("disturbed.py")

CHAIN_COLUMNS = (
    "price, rough_price, deviation, tx_count, outputs, points, confidence, is_valid, "
    "invalid_reason, algorithm"
)
"""The columns of a price that the chain alone decides."""


class Node:
    """What `utxoracle simulate --serve` answers, and the orders that it takes."""

    def __init__(self, url: str) -> None:
        self.url = url
        place = url.removeprefix("http://")
        self.mempool = f"mempool+http://{place}"
        self.bitcoind = f"bitcoind+http://{place}"

    def tip(self) -> tuple[int, str]:
        with urllib.request.urlopen(f"{self.url}/simulation/tip", timeout=SECONDS) as answer:
            tip = json.load(answer)
        return tip["height"], tip["hash"]

    def hash_at(self, height: int) -> str:
        place = f"{self.url}/api/v1/block-height/{height}"
        with urllib.request.urlopen(place, timeout=SECONDS) as answer:
            return str(answer.read().decode())

    def show(self, height: int) -> None:
        self._order("tip", {"height": height})

    def grow(self, blocks: int = 1) -> None:
        self._order("tip", {"by": blocks})

    def fork(self, height: int, tip: int) -> None:
        """Replace the blocks from `height` on by those of another branch, up to `tip`."""
        self._order("fork", {"height": height, "tip": tip})

    def requests(self) -> list[str]:
        """Return what was asked since the last time."""
        return list(self._order("requests", {})["requests"])

    def _order(self, what: str, order: dict[str, int]) -> Any:
        request = urllib.request.Request(
            f"{self.url}/simulation/{what}", json.dumps(order).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)


@contextmanager
def simulated_node(options: str, *arguments: str) -> Iterator[Node]:
    """Serve the chain of `options`, written as in a sim: URL, from a process of its own."""
    pairs = [option.partition("=") for option in options.split(",")]
    command = [sys.executable, "-m", "utxoracle", "simulate", "--serve", "--port=0"]
    command += [f"--{key.replace('_', '-')}={value}" for key, _, value in pairs]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as process:
        # Ends the reading below too, since the pipe closes with the process.
        watchdog = Timer(SECONDS, process.kill)
        watchdog.start()
        try:
            assert process.stdout
            line = next(line for line in process.stdout if "serving" in line)
            found = re.search(r"http://\S+", line)
            assert found, line
            watchdog.cancel()
            yield Node(found[0])
        finally:
            watchdog.cancel()
            process.kill()


@contextmanager
def lossy_proxy(url: str, lost: str) -> Iterator[str]:
    """Pass GET requests on to a node, but for the bytes of the block `lost`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One packet for headers and body, which no acknowledgement is awaited for.
        wbufsize = 1 << 16
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if lost in self.path and "/block/" in self.path:
                status, kind, body = 404, "text/plain", f"{lost} not found".encode()
            else:
                try:
                    with urllib.request.urlopen(url + self.path, timeout=SECONDS) as answer:
                        status, kind, body = 200, answer.headers["Content-Type"], answer.read()
                except HTTPError as error:
                    status, kind, body = error.code, error.headers["Content-Type"], error.read()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Appliance:
    """A data folder, and the commands that work on it, each in a process of its own."""

    def __init__(self, folder: Path, source: str, **settings: str) -> None:
        self.is_run_by_nobody = False
        self.folder = folder
        self.database = folder / "utxoracle_cache.db"
        self.snapshot = folder / "utxoracle_snapshot.db"
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("UTXORACLE_")
        } | {
            "UTXORACLE_DATA_DIR": str(folder),
            "UTXORACLE_SOURCE": source,
            "UTXORACLE_NETWORK": "regtest",
            # A process that scans takes longer to start than the small blocks of tests to scan.
            "UTXORACLE_WORKERS": "1",
            **settings,
        }

    def copy(self, folder: Path) -> "Appliance":
        """Return another one that holds the same, in a folder that isn't there yet."""
        other = Appliance(shutil.copytree(self.folder, folder), "")
        other.environment = self.environment | {"UTXORACLE_DATA_DIR": str(folder)}
        return other

    def command(self, *arguments: str) -> list[str]:
        program = [str(AS_NOBODY)] if self.is_run_by_nobody else ["-m", "utxoracle"]
        return [sys.executable, *program, *arguments]

    def disturbed(self, mishap: str, moment: str, *arguments: str) -> list[str]:
        """Return a command to which something happens at a moment: see tests/disturbed.py."""
        return [sys.executable, str(DISTURBED), mishap, *moment.split(), *arguments]

    def run(self, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        return self._finished(self.command(*arguments), settings)

    def run_disturbed(
        self, mishap: str, moment: str, *arguments: str
    ) -> "subprocess.CompletedProcess[str]":
        return self._finished(self.disturbed(mishap, moment, *arguments), {})

    def start(self, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
        return self._started(self.command(*arguments), settings)

    @contextmanager
    def halted(self, moment: str, *arguments: str) -> Iterator[int]:
        """Start a command that stands still from a moment on; give its pid, and kill it at last."""
        process = self._started(self.disturbed("halt", moment, *arguments), {})
        try:
            how = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            assert how
            assert how.si_status == signal.SIGSTOP
            yield process.pid
        finally:
            kill(process)

    def _finished(
        self, command: list[str], settings: Mapping[str, str]
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            env=self.environment | settings,
        )

    def _started(self, command: list[str], settings: Mapping[str, str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment | settings,
        )

    def init(self) -> "Appliance":
        create_database(DataFolder(self.folder), REGTEST)
        return self

    def analyze(self, *arguments: str, **settings: str) -> dict[str, Any]:
        """Run analyze, which must succeed, and return its JSON."""
        done = self.run("analyze", "--json", *arguments, **settings)
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def refused(self, exit_code: int, *arguments: str, **settings: str) -> str:
        """Run a command, expect a failure of one line, and return the line."""
        return one_line(self.run(*arguments, **settings), exit_code)

    def last_run(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "last_run.json").read_text())
        return found

    def rows(self, query: str, file: Path | None = None) -> list[tuple[Any, ...]]:
        """Return what the snapshot, or another database file, answers to a query."""
        with duckdb.connect(str(file or self.snapshot), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def chain_rows(self, file: Path | None = None) -> dict[str, list[tuple[Any, ...]]]:
        """Return everything that the chain alone decides: equal on two machines, `==`."""
        with duckdb.connect(str(file or self.snapshot), read_only=True) as connection:
            return self.chain_rows_of(connection)

    @staticmethod
    def chain_rows_of(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[Any, ...]]]:
        """Return the same of a file that is open."""
        queries = {
            "blocks": "SELECT height, hash, prev_hash, time, size, tx_count, candidates "
            "FROM blocks ORDER BY height",
            "windows": f"SELECT height, hash, time, {CHAIN_COLUMNS} FROM window_prices "
            "ORDER BY height",
            "days": f"SELECT date, first_height, last_height, blocks, {CHAIN_COLUMNS} "
            "FROM daily_prices ORDER BY date",
            "points": "SELECT height, heights, prices FROM latest_points",
        }
        return {name: connection.execute(query).fetchall() for name, query in queries.items()}


def one_line(done: "subprocess.CompletedProcess[str]", exit_code: int) -> str:
    """Check that a command has failed with a code and one line, and return the line."""
    assert done.returncode == exit_code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("utxoracle: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill a process and its children at once, as a loss of power would."""
    process.send_signal(signal.SIGKILL)
    process.wait(SECONDS)
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()
