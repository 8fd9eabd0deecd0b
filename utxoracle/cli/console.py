"""What all commands share on the terminal."""

import io
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

VERBOSE = "--verbose"

SECONDS_BETWEEN_LINES = 10
"""Where there is no terminal, long work tells so often how far it is."""

HEIGHT = click.IntRange(min=0)


class NamedPath(click.Path):
    """A path that isn't empty: pathlib takes an empty one for the folder one stands in."""

    def convert(
        self,
        value: "str | os.PathLike[str]",
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Return the Path, or fail as click's own type does."""
        if not os.fspath(value):
            self.fail("it is empty; give a name, or . for the current folder", param, ctx)
        return super().convert(value, param, ctx)


verbose_option = click.option(
    VERBOSE,
    is_flag=True,
    expose_value=False,
    help="Tell more of what is done, and show the traceback of a failure.",
)


def say(text: str, *, end_line: bool = True) -> None:
    """Print `text`; that nobody reads any more is no failure."""
    try:
        click.echo(text, nl=end_line)
    except BrokenPipeError:
        give_up_output()


def buffer_output() -> None:
    """Let all that is printed be written, or fail: an unbuffered stream drops what finds no room.

    Python has one where PYTHONUNBUFFERED is set, as it often is in containers.
    """
    raw = getattr(sys.stdout, "buffer", None)
    if isinstance(raw, io.RawIOBase):
        old = sys.stdout
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(raw), old.encoding, old.errors, line_buffering=True
        )


def warn(text: str) -> None:
    """Print a line on stderr that tells of no failure but deserves a look."""
    click.echo(f"utxoracle: warning: {text}", err=True)


class _Lines(logging.Handler):
    """Writes each event as a line on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        message = " ".join(record.getMessage().split())
        with suppress(OSError):
            if record.levelno >= logging.WARNING:
                warn(message)
            else:
                click.echo(f"utxoracle: {message}", err=True)


def show_events(*, verbose: bool) -> None:
    """Let events be shown from now on: warnings, or when `verbose` what is of interest only."""
    logger = logging.getLogger("utxoracle")
    logger.handlers = [_Lines()]
    logger.setLevel(logging.INFO if verbose else logging.WARNING)


def give_up_output() -> None:
    """Let nothing more be written, not even what is buffered when the process ends."""
    if sys.stdout:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def progress_of(
    action: str, unit: str = "blocks", factor: int = 1
) -> Iterator[Callable[[int, int], None]]:
    """Give a callback that draws a bar on a terminal and writes some lines elsewhere.

    It is told how much is done, and of how much; what is shown are units of `factor` of these.
    """
    if sys.stderr and sys.stderr.isatty():
        with click.progressbar(
            length=1, label=action, show_eta=False, show_pos=True, file=sys.stderr
        ) as bar:

            def draw(done: int, total: int) -> None:
                bar.length = total // factor
                bar.update(done // factor - bar.pos)

            yield draw
    else:
        last_line = time.monotonic()

        def log(done: int, total: int) -> None:
            nonlocal last_line
            if time.monotonic() - last_line >= SECONDS_BETWEEN_LINES:
                last_line = time.monotonic()
                click.echo(
                    f"utxoracle: {action}: {done // factor} of {total // factor} {unit}", err=True
                )

        yield log
