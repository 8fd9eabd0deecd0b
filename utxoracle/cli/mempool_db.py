"""`utxoracle backup-mempool-db`: a dump of the mempool back end's database."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from utxoracle.cli.backup_options import (
    backup_folder_option,
    backup_settings,
    keep_days_option,
    keep_min_option,
    removed_text,
)
from utxoracle.cli.console import SECONDS_BETWEEN_LINES, say, verbose_option
from utxoracle.cli.options import data_dir_option, json_option
from utxoracle.jobs.backup_mempool_db import MempoolBackup, backup_mempool_db
from utxoracle.jobs.report import size


@click.command("backup-mempool-db", short_help="Dump the database of the mempool back end.")
@backup_folder_option("--to", "Folder that the dump goes to")
@click.option(
    "--container", default="mempool-db", show_default=True, help="Container that MariaDB runs in."
)
@click.option("--database", default="mempool", show_default=True, help="Database to dump.")
@keep_days_option
@keep_min_option
@json_option
@data_dir_option
@verbose_option
def backup_mempool_db_command(
    *,
    backup_dir: Path | None,
    container: str,
    database: str,
    keep_days: int | None,
    keep_min: int | None,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Dump the database of the mempool back end out of its container, packed and verified.

    mariadb-dump runs in the container by podman exec, which mostly only root may. The dump is of
    one moment, and the back end goes on meanwhile.

    \b
    Examples:
      utxoracle backup-mempool-db
      utxoracle backup-mempool-db --to . --keep-days 90 --json
    """
    settings = backup_settings(
        data_dir=data_dir,
        backup_dir=backup_dir,
        backup_keep_days=keep_days,
        backup_keep_min=keep_min,
    )
    # What systemd sends to end a unit is to leave nothing half done, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _progress() as progress:
        made = backup_mempool_db(
            settings, container=container, database=database, progress=progress
        )
    say(json.dumps(_as_json(made)) if as_json else _as_text(made))


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """Give a callback that tells how much has come; of how much, nobody knows before the end."""
    is_terminal = bool(sys.stderr and sys.stderr.isatty())
    pause = 0.2 if is_terminal else SECONDS_BETWEEN_LINES
    last = time.monotonic()
    is_drawn = False

    def tell(count: int) -> None:
        nonlocal last, is_drawn
        if time.monotonic() - last < pause:
            return
        last = time.monotonic()
        is_drawn = is_terminal
        line = f"dumping: {size(count)} so far"
        if is_terminal:
            click.echo(f"\r{line:<40}", err=True, nl=False)
        else:
            click.echo(f"utxoracle: {line}", err=True)

    try:
        yield tell
    finally:
        if is_drawn:
            click.echo(err=True)


def _as_json(made: MempoolBackup) -> dict[str, object]:
    return {
        "file": str(made.path),
        "bytes": made.size,
        "sha256": made.sha256,
        "sql_bytes": made.sql_size,
        "seconds": round(made.seconds, 3),
        "removed": [str(path) for path in made.removed],
    }


def _as_text(made: MempoolBackup) -> str:
    return (
        f"made {made.path}: {size(made.size)} ({size(made.sql_size)} of SQL), read back, "
        f"in {made.seconds:.1f} s{removed_text(made.removed)}"
    )
