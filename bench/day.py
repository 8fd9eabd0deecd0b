"""A whole day of blocks: seconds, throughput and memory of the program as a user runs it."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Run:
    """One run of a command: its wall time, the memory of its largest process, its output."""

    seconds: float
    peak_mb: float
    output: str


def run(command: list[str], *, cores: int, **environment: str) -> Run:
    """Run `command` to its end on so many cores."""
    started = time.perf_counter()
    with subprocess.Popen(
        ["taskset", "--cpu-list", f"0-{cores - 1}", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Run(seconds, usage.ru_maxrss / 1024, output)


def price(source: str, day: str, *, cores: int) -> tuple[Run, dict[str, Any]]:
    """Run `utxoracle price` for a day of a regtest source, with a worker for each core."""
    command = [sys.executable, "-m", "utxoracle", "price", "--source", source, "--day", day]
    done = run(
        [*command, "--network", "regtest", "--json"], cores=cores, UTXORACLE_WORKERS=str(cores)
    )
    return done, json.loads(done.output)
