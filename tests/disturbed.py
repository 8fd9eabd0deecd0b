"""The program, with a mishap at a chosen moment: `disturbed.py MISHAP EVENT FILE COMMAND ...`.

The moment is when Python is about to do EVENT, one of its audit events such as os.rename, to a file
of the name FILE. The mishaps are the names of the functions below.
"""

import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

PART = 100_000
"""Bytes: less than any database has."""


def kill(path: Path) -> None:
    """End at once, as by kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_later(path: Path) -> None:
    """End in the midst of the next file that becomes longer than PART."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (PART, PART))


def fill(path: Path) -> None:
    """Fill the disk that the file is on, to the last byte."""
    chunk = bytes(1 << 20)
    with suppress(OSError), path.with_name("filler").open("wb", buffering=0) as filler:
        while filler.write(chunk):
            pass


def main(mishap: str, event: str, name: str, *command: str) -> None:
    """Run a command, and let something happen to it when `event` comes for the first time."""
    is_over = False

    def watch(seen: str, arguments: tuple[Any, ...]) -> None:
        nonlocal is_over
        if seen != event or is_over:
            return
        for path in map(Path, filter(_is_path, arguments)):
            if path.name == name:
                is_over = True
                {"kill": kill, "kill_later": kill_later, "fill": fill}[mishap](path)

    from utxoracle.cli import main as program

    sys.argv = ["utxoracle", *command]
    sys.addaudithook(watch)
    program()


def _is_path(argument: Any) -> bool:
    return isinstance(argument, str | os.PathLike)


if __name__ == "__main__":
    main(*sys.argv[1:])
