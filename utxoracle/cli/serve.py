"""`utxoracle serve`: the API and its page in the foreground."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from utxoracle.cli.console import say, verbose_option
from utxoracle.cli.options import data_dir_option, settings_from
from utxoracle.settings import HIGHEST_PORT, MOST_API_WORKERS


@click.command("serve", short_help="Answer over HTTP: the prices, a page, metrics.")
@click.option("--host", help="Address to listen on [UTXORACLE_API_HOST]; 127.0.0.1 by default.")
@click.option(
    "--port",
    type=click.IntRange(0, HIGHEST_PORT),
    help="Port to listen on [UTXORACLE_API_PORT]; 8000 by default, 0 takes a free one.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_API_WORKERS),
    help="Processes that answer [UTXORACLE_API_WORKERS]; 2 by default.",
)
@data_dir_option
@click.option(
    "--access-log/--no-access-log", default=True, help="Tell each request; done by default."
)
@verbose_option
def serve_command(
    *,
    host: str | None,
    port: int | None,
    workers: int | None,
    data_dir: Path | None,
    access_log: bool,
) -> None:
    """Answer requests until Ctrl-C, from what analyze published last.

    \b
    Examples:
      utxoracle serve
      utxoracle serve --port 0 --no-access-log
    """
    from utxoracle.api.server import serve

    given: dict[str, Any] = {"api_host": host, "api_port": port, "api_workers": workers}
    settings = replace(
        settings_from(data_dir=data_dir),
        **{name: value for name, value in given.items() if value is not None},
    )
    serve(
        settings,
        access_log=access_log,
        events=logging.getLogger("utxoracle").isEnabledFor(logging.INFO),
        ready=lambda url: say(
            f"listening at {url}, serving {settings.data_folder()}; stop with Ctrl-C"
        ),
    )
