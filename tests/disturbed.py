"""The program, with a mishap at a chosen moment: `disturbed.py MISHAP EVENT FILE COMMAND ...`.

The moment is when Python is about to do EVENT, one of its audit events such as os.rename, to a file
of the name FILE; both are patterns. The mishaps are the functions below.
"""

import os
import resource
import signal
import sys
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

MOST_BYTES = 100_000
"""Less than any database has, and more than the log of a commit."""


def kill(path: Path) -> None:
    """End at once, as by kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


def halt(path: Path) -> None:
    """Stand still, for whoever started this to go on with."""
    os.kill(os.getpid(), signal.SIGSTOP)


def limit(path: Path) -> None:
    """Let no file grow beyond MOST_BYTES from now on."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))


def kill_within(path: Path) -> None:
    """End in the midst of writing the next file that grows beyond MOST_BYTES."""
    limit(path)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)


def fill(path: Path) -> None:
    """Fill the disk that the file is on, to the last byte."""
    chunk = bytes(1 << 20)
    with suppress(OSError), path.with_name("filler").open("wb", buffering=0) as filler:
        while filler.write(chunk):
            pass


MISHAPS = {mishap.__name__: mishap for mishap in (kill, halt, limit, kill_within, fill)}


def main(mishap: str, event: str, name: str, *command: str) -> None:
    """Run a command, and let something happen to it when `event` comes for the first time."""
    is_over = False

    def watch(seen: str, arguments: tuple[Any, ...]) -> None:
        nonlocal is_over
        if is_over or not fnmatchcase(seen, event):
            return
        for path in map(Path, filter(_is_path, arguments)):
            if fnmatchcase(path.name, name):
                is_over = True
                MISHAPS[mishap](path)

    from utxoracle.cli import main as program

    sys.argv = ["utxoracle", *command]
    sys.addaudithook(watch)
    program()


def _is_path(argument: Any) -> bool:
    return isinstance(argument, str | os.PathLike)


if __name__ == "__main__":
    main(*sys.argv[1:])
