"""Simulated chains, each made by a process of its own: its memory and time are not ours."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def _command(options: str, *more: str) -> list[str]:
    """Return the command line for a chain whose options are written as in a sim: URL."""
    pairs = [option.partition("=") for option in options.split(",")]
    arguments = [f"--{key.replace('_', '-')}={value}" for key, _, value in pairs]
    return [sys.executable, "-m", "utxoracle", "simulate", *arguments, *more]


def simulate(options: str, *more: str) -> None:
    """Run `utxoracle simulate` to its end."""
    subprocess.run(_command(options, *more), check=True, stdout=subprocess.DEVNULL)


@contextmanager
def served(options: str) -> Iterator[str]:
    """Serve the chain of `options` (as in a sim: URL) from a process of its own; give its URL."""
    command = _command(options, "--serve", "--port", "0")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            found = re.search(r"http://\S+", line)
            if not found:
                raise SystemExit(f"the simulation did not start: {line!r}")
            yield found[0]
        finally:
            process.terminate()
