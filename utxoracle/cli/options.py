"""Options that several commands share, and the settings that come of them."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from utxoracle.bitcoin.network import NETWORKS
from utxoracle.cli.console import NamedPath
from utxoracle.errors import UsageError
from utxoracle.settings import SOURCE_EXAMPLES, Settings
from utxoracle.sources.factory import has_password

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

source_option: Decorator = click.option(
    "--source",
    metavar="URL",
    help=f"Where blocks come from [UTXORACLE_SOURCE]: {SOURCE_EXAMPLES}, files:DIR or "
    "sim:seed=1,days=3; several in quotes, the preferred one first.",
)

network_option: Decorator = click.option(
    "--network",
    type=click.Choice(list(NETWORKS)),
    help="Network to expect [UTXORACLE_NETWORK]; main by default, regtest for sim:.",
)

data_dir_option: Decorator = click.option(
    "--data-dir",
    type=NamedPath(file_okay=False, readable=False, path_type=Path),
    help="Folder of the database [UTXORACLE_DATA_DIR]; ~/.local/share/utxoracle by default.",
)

json_option: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object."
)


def settings_from(
    *,
    source: str | None = None,
    network: str | None = None,
    data_dir: Path | None = None,
    needs_source: bool = False,
) -> Settings:
    """Return the settings of the environment, with the options that were given in their place.

    Raises:
        UsageError: One of them can't be used, or no source is named where one is needed.
    """
    if source and has_password(source):
        raise UsageError(
            "a password on the command line shows in the list of processes; put the URL into "
            "UTXORACLE_SOURCE, or use UTXORACLE_RPC_USER and UTXORACLE_RPC_PASSWORD_FILE"
        )
    given: dict[str, Any] = {"source": source, "network": network, "data_dir": data_dir}
    settings = replace(
        Settings.from_environment(), **{name: value for name, value in given.items() if value}
    )
    if needs_source and not (settings.source or "").strip():
        raise UsageError(
            f"no source of blocks: set UTXORACLE_SOURCE or --source, for example {SOURCE_EXAMPLES}"
        )
    return settings


def worker_count(settings: Settings) -> int:
    """Return how many processes may scan: what is set, or one for each core."""
    return settings.workers or len(os.sched_getaffinity(0))
