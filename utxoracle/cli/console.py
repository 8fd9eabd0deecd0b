"""What all commands share on the terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

VERBOSE = "--verbose"

SECONDS_BETWEEN_LINES = 10
"""Where there is no terminal, long work tells so often how far it is."""

HEIGHT = click.IntRange(min=0)

verbose_option = click.option(
    VERBOSE, is_flag=True, expose_value=False, help="Show the traceback of a failure."
)


@contextmanager
def progress_of(action: str) -> Iterator[Callable[[int, int], None]]:
    """Give a callback that draws a bar on a terminal and writes some lines elsewhere."""
    if sys.stderr.isatty():
        with click.progressbar(
            length=1, label=action, show_eta=False, show_pos=True, file=sys.stderr
        ) as bar:

            def draw(done: int, total: int) -> None:
                bar.length = total
                bar.update(done - bar.pos)

            yield draw
    else:
        last_line = time.monotonic()

        def log(done: int, total: int) -> None:
            nonlocal last_line
            if time.monotonic() - last_line >= SECONDS_BETWEEN_LINES:
                last_line = time.monotonic()
                click.echo(f"utxoracle: {action}: {done} of {total} blocks", err=True)

        yield log
