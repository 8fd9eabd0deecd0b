"""`utxoracle backup`, `backups` and `restore`."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from utxoracle.bitcoin.network import network_named
from utxoracle.cli.backup_options import (
    backup_folder_option,
    backup_settings,
    keep_days_option,
    keep_min_option,
    removed_text,
)
from utxoracle.cli.console import progress_of, say, verbose_option, warn
from utxoracle.cli.options import data_dir_option, json_option, network_option
from utxoracle.cli.tables import table
from utxoracle.errors import UtxoracleError
from utxoracle.jobs.backup import MadeBackup, backup
from utxoracle.jobs.backups import ListedBackup, backups
from utxoracle.jobs.report import duration, size
from utxoracle.jobs.restore import Restored, restore
from utxoracle.settings import Settings
from utxoracle.sources.days import moment, rfc3339

if TYPE_CHECKING:
    from utxoracle.store.backups import BackupFacts

_MB = 1_000_000


@click.command("backup", short_help="Copy the published database, verify the copy, keep it.")
@backup_folder_option("--to", "Folder that the backup goes to")
@keep_days_option
@keep_min_option
@json_option
@data_dir_option
@verbose_option
def backup_command(
    *,
    backup_dir: Path | None,
    keep_days: int | None,
    keep_min: int | None,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Copy the published database, verify the copy, and remove backups that are too old.

    The copy is read back from the disk, and gets its name only when all of it is good. A run
    that is going on neither waits nor is waited for.

    \b
    Examples:
      utxoracle backup
      utxoracle backup --keep-days 90 --json
    """
    settings = backup_settings(
        data_dir=data_dir,
        backup_dir=backup_dir,
        backup_keep_days=keep_days,
        backup_keep_min=keep_min,
    )
    with progress_of("backing up", "MB", _MB) as progress:
        made = backup(settings, progress=progress)
    say(json.dumps(_made_as_json(made)) if as_json else _made_as_text(made))


@click.command("backups", short_help="List the backups, and verify each.")
@backup_folder_option("--from", "Folder of the backups")
@click.option("--quick", is_flag=True, help="Look at names and checksum files only.")
@json_option
@data_dir_option
@verbose_option
@click.pass_context
def backups_command(
    context: click.Context,
    *,
    backup_dir: Path | None,
    quick: bool,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """List the backups, newest first, and verify each by reading all of it.

    The exit code is 1 when one isn't good, those of the hand-made predecessor excepted.

    \b
    Examples:
      utxoracle backups
      utxoracle backups --quick --json
    """
    settings = backup_settings(data_dir=data_dir, backup_dir=backup_dir)
    with progress_of("verifying", "MB", _MB) as progress:
        listed = backups(settings, quick=quick, progress=progress)
    if as_json:
        say(json.dumps(_listed_as_json(settings, listed)))
    else:
        say(_listed_as_text(settings, listed))
    if any(one.trouble and not one.is_of_predecessor for one in listed):
        context.exit(UtxoracleError.exit_code)


@click.command("restore", short_help="Put a backup in the place of the database.")
@click.argument("which", metavar="FILE|latest|DATE")
@backup_folder_option("--from", "Folder of the backups")
@click.option(
    "--without-checksum",
    is_flag=True,
    help="Take a backup that has no checksum file beside it, if it is sound.",
)
@click.option("--dry-run", is_flag=True, help="Verify the backup, and do no more.")
@json_option
@data_dir_option
@network_option
@verbose_option
def restore_command(
    *,
    which: str,
    backup_dir: Path | None,
    without_checksum: bool,
    dry_run: bool,
    as_json: bool,
    data_dir: Path | None,
    network: str | None,
) -> None:
    """Verify a backup, put it in the place of the database, and publish it.

    That database is kept beside it. latest is the newest backup that is good, a DATE (UTC) the
    newest good one of that day. The next analyze goes on from the backup's newest block.

    \b
    Examples:
      utxoracle restore latest --dry-run
      utxoracle restore latest
    """
    settings = backup_settings(data_dir=data_dir, backup_dir=backup_dir, network=network)
    with progress_of("verifying" if dry_run else "restoring", "MB", _MB) as progress:
        restored = restore(
            settings,
            which,
            network=network_named(settings.network_name()),
            without_checksum=without_checksum,
            dry_run=dry_run,
            progress=progress,
        )
    for reason in restored.passed_over:
        warn(f"passed over: {reason}")
    say(json.dumps(_restored_as_json(restored)) if as_json else _restored_as_text(restored))


def _made_as_text(made: MadeBackup) -> str:
    line = f"made {made.path}: {_contents(made.facts)}, verified, {made.seconds:.1f} s"
    return line + removed_text(made.removed)


def _made_as_json(made: MadeBackup) -> dict[str, Any]:
    return {
        "file": str(made.path),
        **_facts_as_json(made.facts),
        "seconds": round(made.seconds, 3),
        "removed": [str(path) for path in made.removed],
    }


def _listed_as_text(settings: Settings, listed: list[ListedBackup]) -> str:
    if not listed:
        return f"no backups yet in {settings.backup_folder()}: run utxoracle backup"
    heads = ("backup", "made", "age", "size", "heights", "blocks", "verified")
    now = time.time()
    rows = [
        (
            one.file.path.name,
            moment(one.file.made),
            "in the future" if one.file.made > now else duration(now - one.file.made),
            "" if one.size is None else size(one.size),
            _heights(one.facts) if one.facts else "",
            f"{one.facts.counts.blocks:,}" if one.facts else "",
            _verdict(one),
        )
        for one in listed
    ]
    return f"{settings.backup_folder()}\n\n{table(heads, rows)}"


def _verdict(one: ListedBackup) -> str:
    if one.trouble:
        # The first column names it.
        return f"NO: {one.trouble.removeprefix(f'{one.file.path} ')}"
    return "yes" if one.facts else "not read"


def _listed_as_json(settings: Settings, listed: list[ListedBackup]) -> dict[str, Any]:
    return {
        "folder": str(settings.backup_folder()),
        "backups": [
            {
                "file": str(one.file.path),
                "made": rfc3339(one.file.made),
                "bytes": one.size,
                "verified": False if one.trouble else True if one.facts else None,
                "trouble": one.trouble,
                "of_predecessor": one.is_of_predecessor,
                **(_facts_as_json(one.facts) if one.facts else {}),
            }
            for one in listed
        ],
    }


def _restored_as_text(restored: Restored) -> str:
    contents = _contents(restored.facts)
    if restored.dry_run:
        return f"{restored.path} is good and would be restored: {contents}"
    kept = f"; the database before it is kept as {restored.kept}" if restored.kept else ""
    return (
        f"restored {restored.path} as {restored.database}: {contents}{kept}; run utxoracle "
        "analyze to go on from there"
    )


def _restored_as_json(restored: Restored) -> dict[str, Any]:
    return {
        "file": str(restored.path),
        **_facts_as_json(restored.facts),
        "database": str(restored.database),
        "kept": None if restored.kept is None else str(restored.kept),
        "passed_over": restored.passed_over,
        "dry_run": restored.dry_run,
    }


def _contents(facts: "BackupFacts") -> str:
    blocks = f"{facts.counts.blocks:,} blocks ({_heights(facts)})"
    return f"{size(facts.size)}, {blocks if facts.counts.blocks else 'no blocks yet'}"


def _heights(facts: "BackupFacts") -> str:
    counts = facts.counts
    return f"{counts.first_height} to {counts.last_height}" if counts.blocks else "none"


def _facts_as_json(facts: "BackupFacts") -> dict[str, Any]:
    counts = facts.counts
    return {
        "bytes": facts.size,
        "sha256": facts.sha256,
        "network": facts.network,
        "schema_version": facts.schema_version,
        "revision": facts.revision,
        "blocks": counts.blocks,
        "first_height": counts.first_height,
        "last_height": counts.last_height,
        "windows": counts.windows,
        "days": counts.days,
        "last_day": counts.last_day.isoformat() if counts.last_day else None,
    }
