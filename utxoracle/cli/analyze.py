"""`utxoracle init-db` and `utxoracle analyze`: what the timer runs."""

import json
import signal
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from utxoracle.bitcoin.network import Network, network_named
from utxoracle.cli.console import progress_of, say, verbose_option, warn
from utxoracle.cli.options import (
    data_dir_option,
    json_option,
    network_option,
    settings_from,
    source_option,
    worker_count,
)
from utxoracle.cli.rows import day_as_json, window_as_json
from utxoracle.jobs.analyze import MOST_BLOCKS, analyze
from utxoracle.jobs.init_db import init_db
from utxoracle.settings import Settings
from utxoracle.sources.days import rfc3339

if TYPE_CHECKING:
    from utxoracle.jobs.report import Report


@click.command("init-db", short_help="Make the data folder, the database and an empty snapshot.")
@click.option("--anew", is_flag=True, help="Begin a new database also beside backups of another.")
@data_dir_option
@source_option
@network_option
@verbose_option
def init_db_command(
    *, anew: bool, data_dir: Path | None, source: str | None, network: str | None
) -> None:
    """Make the data folder with a database and an empty snapshot.

    Does no harm where they are there already. Refuses where they are not, but backups are.

    \b
    Examples:
      utxoracle init-db
      utxoracle init-db --data-dir data --network main
      utxoracle init-db --anew
    """
    settings = settings_from(source=source, network=network, data_dir=data_dir)
    say_init_db(settings, anew=anew)


@click.command("analyze", short_help="Store and price the blocks that came: what the timer runs.")
@click.option(
    "--init-db", "only_init", is_flag=True, help="Do what init-db does, and nothing more."
)
@click.option("--dry-run", is_flag=True, help="Do everything but writing.")
@click.option(
    "--max-blocks",
    type=click.IntRange(min=1),
    default=MOST_BLOCKS,
    show_default=True,
    help="Most blocks to add; the next run goes on.",
)
@json_option
@data_dir_option
@source_option
@network_option
@verbose_option
def analyze_command(
    *,
    only_init: bool,
    dry_run: bool,
    max_blocks: int,
    as_json: bool,
    data_dir: Path | None,
    source: str | None,
    network: str | None,
) -> None:
    """Store and price the blocks that came since the last run, and publish the result.

    Each new block gets a window price (the 144 blocks before it), each finished day a daily
    price, and both the exchange price of their time. The first run begins two days ago. A run
    that is killed or fails is continued by the next.

    \b
    Examples:
      utxoracle analyze --source mempool+http://127.0.0.1:8999
      utxoracle analyze --source 'bitcoind+http://127.0.0.1:8332?cookie=/path/.cookie' --json
      utxoracle analyze --source mempool+http://127.0.0.1:8999 --dry-run
    """
    settings = settings_from(
        source=source, network=network, data_dir=data_dir, needs_source=not only_init
    )
    if only_init:
        say_init_db(settings)
        return
    # What systemd and containers send to end a program is to end it as Ctrl-C does: published and
    # with word of it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with progress_of("analyzing") as progress:
        report = analyze(
            settings,
            network=_network_of(settings),
            workers=worker_count(settings),
            max_blocks=max_blocks,
            dry_run=dry_run,
            progress=progress,
        )
    for warning in report.warnings(settings):
        warn(warning)
    say(json.dumps(_as_json(report, settings)) if as_json else report.message)


def _network_of(settings: Settings) -> Network:
    return network_named(settings.network_name())


def say_init_db(settings: Settings, *, anew: bool = False) -> None:
    """Make the database, and say whether it was there already."""
    network = _network_of(settings)
    folder, made = init_db(settings, network, anew=anew)
    done = "made" if made else "is there already:"
    say(f"{done} {folder.database} for the {network.name} network")


def _as_json(report: "Report", settings: Settings) -> dict[str, Any]:
    growth = report.growth
    latest = growth.latest if growth else None
    return {
        "state": report.state(settings),
        "source": report.source,
        "sources": [asdict(one) for one in report.sources],
        "tip": {
            "height": report.tip.height,
            "hash": report.tip.hash,
            "time": rfc3339(report.tip.time),
        },
        "caught_up": report.caught_up,
        "dry_run": report.dry_run,
        "revision": report.revision,
        "blocks": growth.blocks if growth else 0,
        "first_height": growth.first_height if growth else None,
        "last_height": growth.last_height if growth else None,
        "stale": growth.stale if growth else 0,
        "windows": growth.windows if growth else 0,
        "invalid": growth.invalid if growth else 0,
        "days": [day_as_json(day) for day in growth.days] if growth else [],
        "latest": window_as_json(latest) if latest else None,
        "message": report.message,
    }
