"""Simulated chains, each made by a process of its own: its memory and time are not ours."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import requests


def simulate(options: str, *more: str) -> None:
    """Run `utxoracle simulate` to its end, for a chain whose options are as in a sim: URL."""
    pairs = [option.partition("=") for option in options.split(",")]
    arguments = [f"--{key.replace('_', '-')}={value}" for key, _, value in pairs]
    subprocess.run(
        [sys.executable, "-m", "utxoracle", "simulate", *arguments, *more],
        check=True,
        stdout=subprocess.DEVNULL,
    )


@contextmanager
def served(options: str, *, delay: float = 0.0) -> Iterator[str]:
    """Serve a chain, each raw block after `delay` seconds, from another process; give its URL.

    All blocks are made before.
    """
    command = [sys.executable, "-m", "bench.server", options, str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise SystemExit(f"the simulation of {options} did not start")
            yield url
        finally:
            process.terminate()


def move_tip(url: str, blocks: int) -> None:
    """Let the served chain end so many blocks later, or earlier when negative."""
    requests.post(f"{url}/simulation/tip", json={"by": blocks}, timeout=10).raise_for_status()


def take_requests(url: str) -> list[str]:
    """Return what was asked for since the last call: method and target of each request."""
    answer = requests.post(f"{url}/simulation/requests", timeout=10)
    answer.raise_for_status()
    return list(answer.json()["requests"])
