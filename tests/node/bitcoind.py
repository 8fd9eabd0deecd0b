"""A real bitcoind on a regtest chain of its own, in a process of its own."""

import base64
import http.client
import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS = 60
_PAUSE = 0.02

ALWAYS_SYNCED = "-maxtipage=4000000000"
"""Blocks of any age count as new; without it a node whose tip is a day old says it is syncing."""


class Bitcoind:
    """A data folder of bitcoind's, and the process that runs on it at times.

    Args:
        command: How bitcoind is called.
        folder: Its data folder, which may hold a chain already.

    Attributes:
        folder: The data folder.
        has_rest: Whether it is started with REST on.
        cookie: File of its password for JSON-RPC, while it runs.
        place: Host and port.
        source: Its URL as a source; with its cookie in `source_with_cookie`.
    """

    def __init__(self, command: list[str], folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._command = command
        self.folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._port = _free_port()
        self.has_rest = True
        self.cookie = folder / "regtest/.cookie"
        self.place = f"127.0.0.1:{self._port}"
        self.source = f"bitcoind+http://{self.place}"
        self.source_with_cookie = f"{self.source}?cookie={self.cookie}"

    def start(self, *arguments: str, ready: bool = True) -> None:
        """Start it with these arguments, or ALWAYS_SYNCED; wait until it is `ready`."""
        self._process = subprocess.Popen(
            [
                *self._command,
                "-regtest",
                f"-datadir={self.folder}",
                f"-rpcport={self._port}",
                f"-rest={int(self.has_rest)}",
                "-server",
                "-listen=0",
                "-connect=0",
                "-disablewallet",
                "-printtoconsole=0",
                *(arguments or (ALWAYS_SYNCED,)),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        if ready:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        self._wait_until(lambda: "result" in self._try_call("getblockcount"))

    def wait_until_loading(self) -> None:
        """Wait until it says that it isn't ready yet (-28)."""
        self._wait_until(lambda: self._try_call("getblockcount").get("code") == -28)

    def stop(self) -> None:
        """Stop it as an operator would; it takes its cookie away."""
        assert self._process
        self._process.terminate()
        self._ended()

    def kill(self) -> None:
        """End it at once, if it runs, whatever state it is in."""
        if self._process:
            self._process.kill()
            self._ended()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop its process in its tracks: connections stand, and nothing is answered."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def call(self, method: str, *params: object) -> Any:
        """Return the result of a JSON-RPC call."""
        reply = self._post(json.dumps({"id": 1, "method": method, "params": params}))
        assert reply["error"] is None, reply
        return reply["result"]

    def submit(self, blocks: Sequence[bytes]) -> list[str | None]:
        """Return what `submitblock` says to each block: None where it was taken."""
        results: list[str | None] = []
        # Some at once, since a call costs more than most blocks; its body is limited to 32 MB.
        for first in range(0, len(blocks), 20):
            calls = [
                {"id": 1, "method": "submitblock", "params": [block.hex()]}
                for block in blocks[first : first + 20]
            ]
            results += [reply["result"] for reply in self._post(json.dumps(calls))]
        return results

    def tip(self) -> tuple[int, str]:
        info = self.call("getblockchaininfo")
        return info["blocks"], info["bestblockhash"]

    def _ended(self) -> None:
        assert self._process
        self._process.communicate(timeout=SECONDS)
        self._process = None

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        for _ in range(int(SECONDS / _PAUSE)):
            if condition():
                return
            assert self._process
            assert self._process.poll() is None, self._process.communicate()[1]
            time.sleep(_PAUSE)
        raise AssertionError(f"bitcoind wasn't as expected after {SECONDS} s")

    def _try_call(self, method: str) -> dict[str, Any]:
        """Return `{"result": …}`, or the error of the call, or nothing when there is no answer."""
        try:
            reply = self._post(json.dumps({"id": 1, "method": method, "params": []}))
        except OSError:
            return {}
        return reply["error"] or {"result": reply["result"]}

    def _post(self, body: str) -> Any:
        login = base64.b64encode(self.cookie.read_bytes()).decode()
        connection = http.client.HTTPConnection(self.place, timeout=SECONDS)
        try:
            connection.request("POST", "/", body, {"Authorization": f"Basic {login}"})
            return json.load(connection.getresponse())
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
