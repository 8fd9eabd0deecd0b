"""A whole day of blocks: seconds, throughput and memory of the program as a user runs it."""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Run:
    """One run of a command: its wall time, the greatest memory of a process, its output."""

    seconds: float
    peak_mb: float
    output: str


def run(command: list[str], *, cores: int | None = None, **environment: str) -> Run:
    """Run `command` to its end, on the given number of cores."""

    def pin() -> None:
        if cores:
            os.sched_setaffinity(0, range(cores))

    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
        preexec_fn=pin,
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Run(seconds, usage.ru_maxrss / 1024, output)


def price(source: str, day: str, workers: int) -> tuple[Run, dict[str, Any]]:
    """Run `utxoracle price` for a day on as many cores as workers."""
    command = [sys.executable, "-m", "utxoracle", "price", "--source", source, "--day", day]
    done = run(
        [*command, "--network", "regtest", "--json"],
        cores=workers,
        UTXORACLE_WORKERS=str(workers),
    )
    return done, json.loads(done.output)


def children_peak_mb() -> float:
    """Return the greatest memory any child process has had so far."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
