"""`utxoracle demo`: everything at once on a simulated chain, the page included."""

import logging
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from utxoracle.cli.analyze import say_init_db
from utxoracle.cli.console import NamedPath, progress_of, say, verbose_option, warn
from utxoracle.cli.options import worker_count
from utxoracle.cli.status import status_as_text
from utxoracle.errors import UsageError, UtxoracleError
from utxoracle.jobs.report import counted
from utxoracle.jobs.status import status
from utxoracle.settings import HIGHEST_PORT, Settings

if TYPE_CHECKING:
    import socket

    from utxoracle.jobs.demo import Demo

MOST_DAYS = 90

SECONDS_BETWEEN_RUNS = 60
"""As often as the page asks for news."""

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_TRIALS = """
  curl {url}api/prices/latest
  curl '{url}api/prices/historical?days=1&format=csv'
  curl {url}health
  utxoracle status --data-dir {folder}
  utxoracle export --what daily --data-dir {folder}"""


@click.command("demo", short_help="Try everything on a simulated chain, the page included.")
@click.option(
    "--days",
    type=click.IntRange(1, MOST_DAYS),
    default=2,
    show_default=True,
    help="Whole UTC days before the present one that the chain goes back.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=1,
    show_default=True,
    help="Names the chain among those that begin on the same day.",
)
@click.option("--host", help="Address to listen on; 127.0.0.1 by default.")
@click.option(
    "--port",
    type=click.IntRange(0, HIGHEST_PORT),
    help="Port to listen on; 8000 by default, 0 takes a free one.",
)
@click.option("--no-serve", is_flag=True, help="End when all is stored, without the page.")
@click.option(
    "--data-dir",
    type=NamedPath(file_okay=False, readable=False, path_type=Path),
    help="New or empty folder for the database, which is kept; a temporary one by default.",
)
@verbose_option
def demo_command(
    *,
    days: int,
    seed: int,
    host: str | None,
    port: int | None,
    no_serve: bool,
    data_dir: Path | None,
) -> None:
    """Make a simulated chain that ends now, store and price it, and show the page until Ctrl-C.

    New blocks come as on the real chain, every ten minutes or so. Needs no node, uses none of the
    settings, and leaves nothing behind.

    \b
    Examples:
      utxoracle demo
      utxoracle demo --days 7 --port 0
      utxoracle demo --no-serve
    """
    from utxoracle.jobs.demo import Demo, demo_folder, demo_options

    if no_serve and (host, port) != (None, None):
        raise UsageError("--host and --port don't go with --no-serve; leave one or the other away")
    _forget_settings()
    given: dict[str, Any] = {"api_host": host, "api_port": port}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    options = demo_options(seed, days)
    _end_by_signals()
    with (
        # Before all the work: a port that is in use is told of at once.
        nullcontext() if no_serve else closing(_listening(settings)) as listener,
        demo_folder(data_dir) as folder,
        Demo(options, replace(settings, data_dir=folder)) as demo,
        _undisturbed_end(),
    ):
        say(
            f"A simulated chain of {counted(days, 'day')} and the present one, whose true price "
            f"began at ${options.price:,.0f}. Its exchange prices are the true ones."
        )
        _fill(demo)
        if listener:
            _serve(demo, listener, is_kept=data_dir is not None)


def _forget_settings() -> None:
    """Use nothing that a real service is told: neither its data, nor its source, nor its token."""
    for name in list(os.environ):
        if name.startswith("UTXORACLE_"):
            # The server's process gets the environment as it is then.
            del os.environ[name]


def _end_by_signals() -> None:
    """Let the end of a terminal, and what systemd and containers send, do what Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # What is ignored, as by nohup, stays so.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


@contextmanager
def _undisturbed_end() -> Iterator[None]:
    """Let no second Ctrl-C keep the folder from being removed once the block has ended."""
    try:
        yield
    finally:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)


def _listening(settings: Settings) -> "socket.socket":
    from utxoracle.api.server import listen

    return listen(settings)


def _fill(demo: "Demo") -> None:
    """Do, and tell, what somebody with a node would do."""
    settings = demo.settings
    say("\n$ utxoracle init-db")
    say_init_db(settings)
    say("\n$ utxoracle analyze")
    with progress_of("simulating") as progress:
        demo.make_blocks(progress)
    with progress_of("analyzing") as progress:
        report = demo.first_run(workers=worker_count(settings), progress=progress)
    for warning in report.warnings(settings):
        warn(warning)
    say(report.message)
    say("\n$ utxoracle status")
    say(status_as_text(status(settings)))


def _serve(demo: "Demo", listener: "socket.socket", *, is_kept: bool) -> None:
    """Answer, and let the chain go on, until a signal ends it.

    Raises:
        SystemExit: The server has failed.
    """
    from utxoracle.api.apart import served_apart
    from utxoracle.api.server import url_of

    url, folder = url_of(listener), demo.settings.data_folder()
    verbose = logging.getLogger("utxoracle").isEnabledFor(logging.INFO)
    try:
        with served_apart(demo.settings, listener, verbose=verbose) as server:
            say(
                f"\nThe page is at {url}; a new block comes every ten minutes or so. Try also:"
                + _TRIALS.format(url=url, folder=shlex.quote(str(folder)))
                + f"\nStop with Ctrl-C; {folder} is {'kept' if is_kept else 'removed then'}."
            )
            while server.is_alive():
                server.join(SECONDS_BETWEEN_RUNS)
                if server.is_alive():
                    _go_on(demo)
    except KeyboardInterrupt:
        # That is how a server in the foreground is meant to end.
        return
    if server.exitcode:
        warn(f"the server has ended by itself, with exit code {server.exitcode}")
        sys.exit(UtxoracleError.exit_code)


def _go_on(demo: "Demo") -> None:
    try:
        report = demo.next_run(workers=worker_count(demo.settings))
    except UtxoracleError as error:
        # As with a timer: the next run may be good, and what is there is served.
        warn(str(error))
    else:
        if report.growth and report.growth.blocks:
            say(report.message)
