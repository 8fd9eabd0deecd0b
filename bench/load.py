"""Servers under load: started, asked by wrk and hey, and weighed by what /proc tells of them."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from bench.process import environment_of_installed

WRK, HEY = "wrk", "hey"

START_SECONDS = 20
CONNECTIONS = 16

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A server with its workers: the URL, and the process that began it all."""

    url: str
    pid: int

    def processes(self) -> list[int]:
        """Return the ids of all its processes."""
        found = [self.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, children.read_text().split())
        return found

    def busy_seconds(self) -> float:
        """Return the processor time that they have taken, those that ended included."""
        total = 0
        for pid in self.processes():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15] if pid == self.pid else fields[11:13]))
        return total / _TICKS

    def memory_mb(self) -> list[float]:
        """Return the resident memory of each process but the first, which only watches."""
        return [_resident(pid) for pid in self.processes()[1:]]


@dataclass(frozen=True)
class Load:
    """What came of a load: answers, failures, rate and latencies in ms by their percent."""

    answers: int
    failures: int
    per_second: float
    latencies: dict[int, float]


def missing_tools() -> list[str]:
    """Return the programs that are needed and not there."""
    return [tool for tool in (WRK, HEY) if shutil.which(tool) is None]


@contextmanager
def serving(command: Sequence[str], port: int, probe: str, **environment: str) -> Iterator[Server]:
    """Run a server until the block ends, from the moment on at which it answers `probe`."""
    with subprocess.Popen(
        command,
        env=environment_of_installed() | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _await(f"{url}{probe}")
            yield Server(url, process.pid)
        finally:
            process.terminate()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


def ask_as_often_as_it_can(url: str, seconds: float) -> Load:
    """Ask over CONNECTIONS connections, each as soon as the answer before has come."""
    command = [WRK, "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    return Load(
        answers=int(_found(r"(\d+) requests in", output)),
        failures=sum(map(int, errors.groups() if errors else ()))
        + int(refused[1] if refused else 0),
        per_second=float(_found(r"Requests/sec:\s+([\d.]+)", output)),
        latencies={
            int(percent): float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]
            for percent, value, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s)\b", output)
        },
    )


def ask_at_rate(url: str, per_second: int, seconds: float) -> Load:
    """Ask so many times a second, however long the answers take."""
    askers = 10
    command = [HEY, "-z", f"{seconds:g}s", "-c", f"{askers}", "-q", f"{per_second // askers}", url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    statuses = {
        int(status): int(count)
        for status, count in re.findall(r"\[(\d+)\]\s+(\d+) responses", output)
    }
    errors = re.findall(r"^\s+\[(\d+)\]\s+(?!\d+ responses)", output, re.MULTILINE)
    good = statuses.pop(200, 0)
    return Load(
        answers=good,
        failures=sum(statuses.values()) + sum(map(int, errors)),
        per_second=float(_found(r"Requests/sec:\s+([\d.]+)", output)),
        latencies={
            int(percent): 1000 * float(value)
            for percent, value in re.findall(r"(\d+)% in ([\d.]+) secs", output)
        },
    )


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if not match:
        raise SystemExit(f"no {pattern} in: {text}")
    return match[1]


def _await(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=START_SECONDS).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"{url} does not answer")


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(_found(r"VmRSS:\s+(\d+) kB", status)) / 1000
