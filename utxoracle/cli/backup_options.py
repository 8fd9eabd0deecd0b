"""Options of the commands that make or read backups, and what they tell alike."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from utxoracle.cli.console import NamedPath
from utxoracle.cli.options import Decorator, settings_from
from utxoracle.settings import Settings

keep_days_option: Decorator = click.option(
    "--keep-days",
    type=click.IntRange(min=0),
    help="Days after which a backup is removed [UTXORACLE_BACKUP_KEEP_DAYS]; 30 by default.",
)

keep_min_option: Decorator = click.option(
    "--keep-min",
    type=click.IntRange(min=0),
    help="Good backups that are kept however old [UTXORACLE_BACKUP_KEEP_MIN]; 3 by default.",
)


def backup_folder_option(name: str, what: str) -> Decorator:
    """Return the option that names the folder of the backups, as `backup_dir`."""
    return click.option(
        name,
        "backup_dir",
        metavar="DIR",
        type=NamedPath(file_okay=False, path_type=Path),
        help=f"{what} [UTXORACLE_BACKUP_DIR]; backups in the data folder by default.",
    )


def backup_settings(
    *, data_dir: Path | None, network: str | None = None, **given: Path | int | None
) -> Settings:
    """Return the settings of the environment, with the options that were given in their place.

    Raises:
        UsageError: One of them can't be used.
    """
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return replace(settings_from(data_dir=data_dir, network=network), **values)


def removed_text(removed: tuple[Path, ...]) -> str:
    """Return what to say of backups that were removed, behind the one that was made."""
    if not removed:
        return ""
    return f"; removed {len(removed)} that were too old, up to {removed[0].name}"
