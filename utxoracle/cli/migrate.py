"""`utxoracle migrate`: a tree that was made by hand, taken over."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from utxoracle.bitcoin.network import network_named
from utxoracle.cli.console import NamedPath, progress_of, say, verbose_option, warn
from utxoracle.cli.options import data_dir_option, json_option, network_option, settings_from
from utxoracle.cli.tables import table
from utxoracle.errors import UsageError
from utxoracle.jobs.migration.kinds import Kind
from utxoracle.jobs.migration.layout import DATA
from utxoracle.jobs.report import duration, size
from utxoracle.settings import Settings, variable_of

if TYPE_CHECKING:
    from utxoracle.jobs.migrate import Migration
    from utxoracle.jobs.migration.plan import Plan, Step

MEGABYTE = 2_000_000
"""Bytes that are read and read back for each megabyte of progress."""

_NONE = "none"
_FOLDERS = {kind.value: kind for kind in Kind if kind is not Kind.DATABASE}


def _chosen(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[Kind, Path | None]:
    """Return which folder to take of a kind; None for none."""
    chosen: dict[Kind, Path | None] = {}
    for value in values:
        kind, _, folder = value.partition("=")
        if kind not in _FOLDERS or not folder:
            raise click.BadParameter(
                f"{value!r} is not KIND=FOLDER or KIND=none, where KIND is one of "
                f"{', '.join(_FOLDERS)}"
            )
        chosen[_FOLDERS[kind]] = None if folder == _NONE else Path(folder)
    return chosen


@click.command("migrate", short_help="Take over a stack and prices that were set up by hand.")
@click.option(
    "--from",
    "root",
    required=True,
    type=NamedPath(path_type=Path),
    help="The old folder: one with mempool/ and utxoracle/, a compose stack, or a price job.",
)
@click.option(
    "--to",
    "base",
    type=NamedPath(path_type=Path),
    help="The folder that holds mempool/ and utxoracle/ afterwards; told from the data folder "
    "where that is called utxoracle/data.",
)
@click.option(
    "--also",
    multiple=True,
    type=NamedPath(path_type=Path),
    help="What else belongs to it: a database, a .env, the checkout of the price job; may be given "
    "several times.",
)
@click.option(
    "--take",
    "chosen",
    multiple=True,
    metavar="KIND=FOLDER",
    callback=_chosen,
    help="Which folder to take of a kind, or none; may be given several times. Kinds: "
    f"{', '.join(_FOLDERS)}.",
)
@click.option("--copy", "always_copy", is_flag=True, help="Copy where a rename would do, too.")
@click.option(
    "--despite-unknown",
    is_flag=True,
    help="As root, go on where podman or docker does not tell which containers there are.",
)
@click.option("--apply", "is_applied", is_flag=True, help="Do it; without this, nothing is done.")
@json_option
@data_dir_option
@network_option
@verbose_option
def migrate_command(
    *,
    root: Path,
    base: Path | None,
    also: tuple[Path, ...],
    chosen: dict[Kind, Path | None],
    always_copy: bool,
    despite_unknown: bool,
    is_applied: bool,
    as_json: bool,
    data_dir: Path | None,
    network: str | None,
) -> None:
    """Take over a mempool stack and prices that were set up by hand.

    Says what would be done; --apply does it. Within a file system data is renamed, across it is
    copied and read back, and the old stays as it is. Nothing is deleted. A run that is interrupted
    is gone on with by the next.

    \b
    Examples:
      utxoracle migrate --from old --to new
      utxoracle migrate --from old --to new --json
      utxoracle migrate --from old --to new --apply
    """
    from utxoracle.jobs.migrate import migrate

    settings = settings_from(data_dir=data_dir, network=network)
    # What systemd and containers send to end a program is to end it as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _progress(is_applied) as progress:
        migration = migrate(
            settings,
            network_named(settings.network_name()),
            root=root,
            base=base or _base_of(settings),
            also=also,
            chosen=chosen,
            always_copy=always_copy,
            is_applied=is_applied,
            despite_unknown=despite_unknown,
            progress=progress,
            warn=_warn_of_unknown,
        )
    if migration.done:
        for remark in migration.done.remarks:
            warn(remark)
    else:
        for refusal in migration.refusals:
            warn(_printable(f"in the way: {refusal}"))
        for unknown in migration.obstacles.unknown:
            _warn_of_unknown(unknown)
    data = migration.plan.base / DATA
    if settings.data_dir and settings.data_dir.resolve() != data:
        name = variable_of("data_dir")
        warn(f"rows go to {data}, not to {settings.data_dir}: set {name} to the first afterwards")
    told = json.dumps(_as_json(migration)) if as_json else "\n".join(_as_text(migration))
    say(_printable(told))


def _warn_of_unknown(unknown: str) -> None:
    warn(_printable(f"not known: {unknown}"))


def _progress(is_applied: bool) -> AbstractContextManager[Callable[[int, int], None]]:
    # A dry run copies nothing, and is to draw no bar.
    if is_applied:
        return progress_of("copying and verifying", "MB", MEGABYTE)
    return nullcontext(lambda done, total: None)


def _base_of(settings: Settings) -> Path:
    folder = settings.data_dir
    if folder and folder.absolute().parts[-2:] == DATA.parts:
        return folder.absolute().parents[1]
    raise UsageError(
        "where to? Give the folder that is to hold mempool/ and utxoracle/ as --to (or set "
        f"{variable_of('data_dir')} to its utxoracle/data)"
    )


def _printable(text: str) -> str:
    # Names of files are bytes, which need not be UTF-8.
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _as_text(migration: "Migration") -> Iterator[str]:
    from utxoracle.jobs.migration.afterwards import CHANGES, archive_command

    plan, done = migration.plan, migration.done
    yield f"{plan.tree.root} to {plan.base}"
    yield ""
    if plan.steps:
        heads = ("what", "from", "to", "how", "size", "files", "owner")
        yield table(heads, [_row(step, plan) for step in plan.steps])
        yield ""
        yield from (f"{step.found.kind}: {mark}" for step in plan.steps for mark in step.remarks)
    elif not plan.tree.closed:
        yield "nothing is left there to be taken over"
    for space in plan.spaces if not done else ():
        verdict = "enough" if space.suffices else "NOT ENOUGH"
        yield (
            f"space: {size(space.needed)} needed on the disk of {space.disk}, "
            f"{size(space.free)} free: {verdict}"
        )
    if not done:
        yield f"time: {_time(plan)}"
    yield f"rows of the predecessor: {_rows(migration)}"
    yield from migration.prices.remarks
    for left in plan.tree.left:
        yield f"not taken from {left.folder} ({left.reason}): {', '.join(left.names)}"
    yield ""
    yield "What changes:"
    yield from (f"  {change}" for change in (*CHANGES, *migration.translation.remarks))
    yield ""
    yield "For the host's configuration:"
    yield migration.translation.nix.rstrip()
    yield ""
    yield "Or for utxoracle.env, without NixOS:"
    yield migration.translation.env.rstrip()
    yield ""
    if commands := migration.translation.commands:
        yield "For the alerts, as root, once it is done:"
        yield from (f"  {command}" for command in commands)
        yield ""
    if done:
        yield "Done. Check it with utxoracle doctor; then this packs up what is left of the old:"
        yield f"  {archive_command(plan)}"
    else:
        yield "Nothing was done: add --apply to do it."


def _row(step: "Step", plan: "Plan") -> tuple[str, ...]:
    name, root = step.found.name, plan.tree.root
    ((uid, gid), _), *others = step.measured.owners.most_common()
    return (
        str(step.found.kind),
        str(name.relative_to(root) if name.is_relative_to(root) else name),
        str(step.target.relative_to(plan.base)),
        str(step.how),
        size(step.measured.allocated),
        f"{step.measured.files:,}",
        f"{uid}:{gid}" + (" and others" if others else ""),
    )


def _time(plan: "Plan") -> str:
    if not plan.bytes_to_copy:
        return "at once, everything is renamed"
    return (
        f"about {duration(plan.seconds)} for {size(plan.bytes_to_copy)}, each byte read, written "
        f"and read back at {size(int(plan.rate))}/s"
    )


def _rows(migration: "Migration") -> str:
    prices, done = migration.prices, migration.done
    told = f"{len(prices.rows):,} in {prices.files} files"
    if prices.rows:
        days = [row.date for row in prices.rows]
        told += f", {min(days)} to {max(days)}"
    if prices.refused:
        told += f", {prices.refused:,} refused"
    if done:
        counts = done.imported
        told += f"; imported {counts.new:,} new, {counts.changed:,} changed"
        told += f", {counts.unchanged:,} were there already"
    return told


def _as_json(migration: "Migration") -> dict[str, Any]:
    from utxoracle.jobs.migration.afterwards import CHANGES, archive_command

    plan, prices, done = migration.plan, migration.prices, migration.done
    return {
        "from": str(plan.tree.root),
        "to": str(plan.base),
        "applied": done is not None,
        "steps": [_step_as_json(step) for step in plan.steps],
        "space": [
            {"disk": str(space.disk), "needed_bytes": space.needed, "free_bytes": space.free}
            for space in plan.spaces
        ],
        "seconds": plan.seconds,
        "in_the_way": migration.refusals,
        "unknown": migration.obstacles.unknown,
        "left": [
            {"folder": str(left.folder), "names": left.names, "reason": left.reason}
            for left in plan.tree.left
        ],
        "rows": {
            "files": prices.files,
            "rows": len(prices.rows),
            "refused": prices.refused,
            "remarks": prices.remarks,
            "new": done.imported.new if done else None,
            "changed": done.imported.changed if done else None,
            "unchanged": done.imported.unchanged if done else None,
        },
        "changes": [*CHANGES, *migration.translation.remarks],
        "nix": migration.translation.nix,
        "env": migration.translation.env,
        "commands": migration.translation.commands,
        "secrets": [str(path) for path in done.secrets] if done else [],
        "archive": archive_command(plan) if done else None,
    }


def _step_as_json(step: "Step") -> dict[str, Any]:
    measured = step.measured
    return {
        "kind": step.found.kind,
        "from": str(step.found.name),
        "to": str(step.target),
        "how": step.how,
        "allocated_bytes": measured.allocated,
        "bytes": measured.size,
        "files": measured.files,
        "owners": [
            {"uid": uid, "gid": gid, "files": count}
            for (uid, gid), count in measured.owners.most_common()
        ],
        "remarks": step.remarks,
    }
