"""`utxoracle backup-mempool-db`: a dump of the mempool back end's database."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from utxoracle.cli.console import SECONDS_BETWEEN_LINES, NamedPath, say, verbose_option
from utxoracle.cli.options import data_dir_option, json_option, settings_from
from utxoracle.jobs.backup_mempool_db import MempoolBackup, backup_mempool_db
from utxoracle.jobs.report import size


@click.command("backup-mempool-db", short_help="Dump the database of the mempool back end.")
@click.option(
    "--to",
    "folder",
    type=NamedPath(file_okay=False, path_type=Path),
    help="Folder of the backups [UTXORACLE_BACKUP_DIR]; backups in the data folder by default.",
)
@click.option(
    "--container", default="mempool-db", show_default=True, help="Container that MariaDB runs in."
)
@click.option("--database", default="mempool", show_default=True, help="Database to dump.")
@click.option(
    "--keep-days",
    type=click.IntRange(min=0),
    help="Days after which a dump is removed [UTXORACLE_BACKUP_KEEP_DAYS].",
)
@click.option(
    "--keep-min",
    type=click.IntRange(min=0),
    help="Good dumps that are kept however old they are [UTXORACLE_BACKUP_KEEP_MIN].",
)
@json_option
@data_dir_option
@verbose_option
def backup_mempool_db_command(
    *,
    folder: Path | None,
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
    given: dict[str, Any] = {
        "backup_dir": folder,
        "backup_keep_days": keep_days,
        "backup_keep_min": keep_min,
    }
    settings = replace(
        settings_from(data_dir=data_dir),
        **{name: value for name, value in given.items() if value is not None},
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
    text = (
        f"made {made.path}: {size(made.size)} ({size(made.sql_size)} of SQL), read back, "
        f"in {made.seconds:.1f} s"
    )
    if made.removed:
        text += f"; removed {len(made.removed)} that were too old, up to {made.removed[0].name}"
    return text
