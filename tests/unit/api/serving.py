"""The real server, in a process of its own on a data folder."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from utxoracle.store.folder import DataFolder

SECONDS = 30
"""How long a server may take to start or to end."""

COMMAND = (sys.executable, "-m", "utxoracle.api")

# Stands for systemd: passes a listening socket in, and keeps the process id.
_PASS_ON = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Server:
    """A server that runs.

    Attributes:
        url: `http://host:port`, without a slash at the end.
        pid: Of the process that looks after the workers.
    """

    def __init__(self, process: subprocess.Popen[bytes], stderr: Path) -> None:
        self.process = process
        self.pid = process.pid
        self.url = ""
        self._stderr = stderr

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 0

    def stderr(self) -> str:
        """Return what it has told so far."""
        return self._stderr.read_text()

    def workers(self) -> list[int]:
        """Return the process ids of its workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def get(
        self, path: str = "/api/prices/latest", **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Ask for `path` on a connection of its own."""
        connection = http.client.HTTPConnection(*self.address, timeout=SECONDS)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def started(
    folder: DataFolder | Path,
    *,
    workers: int = 2,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = COMMAND,
    listener: socket.socket | None = None,
) -> Iterator[Server]:
    """Start a server; it needs not come as far as to listen.

    With a `listener`, that is passed in as systemd does, and nothing else is listened on.
    """
    path = folder.path if isinstance(folder, DataFolder) else folder
    # A test of another server's settings must not depend on the shell that it runs in.
    kept = {name: text for name, text in os.environ.items() if not name.startswith("UTXORACLE_")}
    given = {
        "UTXORACLE_DATA_DIR": str(path),
        "UTXORACLE_API_PORT": "0",
        "UTXORACLE_API_WORKERS": str(workers),
        **(env or {}),
    }
    passed = () if listener is None else (listener.fileno(),)
    before = [sys.executable, "-c", _PASS_ON, str(passed[0])] if passed else []
    with tempfile.TemporaryDirectory() as scratch:
        stderr = Path(scratch) / "stderr"
        with stderr.open("wb") as file:
            process = subprocess.Popen(
                [*before, *command],
                env={**kept, **given},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                pass_fds=passed,
            )
        try:
            yield Server(process, stderr)
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def served(
    folder: DataFolder | Path,
    *,
    workers: int = 2,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = COMMAND,
    listener: socket.socket | None = None,
) -> Iterator[Server]:
    """Serve a data folder, with `env` beside the settings; it answers when the block begins."""
    with started(folder, workers=workers, env=env, command=command, listener=listener) as server:
        wait_for(lambda: server.process.poll() is not None or "istening at" in server.stderr())
        told = re.search(r"istening at:? (http://\S+[0-9])", server.stderr())
        if told:
            server.url = told[1]
            # The socket listens before a worker is there: the first answer waits for one.
            server.get("/")
        else:
            assert "istening at: unix:" in server.stderr(), server.stderr()
        yield server


def wait_for(happened, seconds: float = SECONDS) -> None:
    """Wait until `happened()` is true."""
    ends_at = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < ends_at, "it doesn't happen"
        time.sleep(0.02)
