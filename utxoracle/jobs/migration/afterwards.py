"""What is different once everything is taken over, and what becomes of the old tree."""

import shlex
from pathlib import Path

from utxoracle.jobs.migration.layout import TARGETS, ours
from utxoracle.jobs.migration.plan import Plan

CHANGES = (
    "prices come from verified blocks, by the original method; the predecessor's are kept as they "
    "were, in a table of their own: utxoracle export --what predecessor",
    "there is a price for each block and for each finished UTC day; there was one a day, that of "
    "the day's most confident block; what was the latest is now the newest",
    "timers of systemd do what cron did: systemctl list-timers 'utxoracle-*'",
    "logs are in the journal: journalctl -u 'utxoracle-*'",
)
"""What is different for those who use it, whatever the old settings were."""


def archive_command(plan: Plan) -> str:
    """Return the command that packs up what is left of the old tree; it removes nothing."""
    root, base = plan.tree.root, plan.base
    archive = root.with_name(f"{root.name}-predecessor.tar.gz")
    folders = [place for place in plan.tree.places if not _is_below(place, plan.tree.places)]
    # Only where both are in one place.
    kept = [*ours(base), *(base / target for target in TARGETS.values())]
    kept = [path for path in kept if _is_below(path, folders) and not _is_below(path, kept)]
    words = ["tar", "--create", "--gzip", "--sparse", f"--file={archive}", "--anchored"]
    words += [f"--exclude={_member(path, root)[1]}" for path in kept]
    for folder in folders:
        words += ["-C", *map(str, _member(folder, root))]
    # Everyone may not read what a .env in it holds.
    return f"(umask 077; {shlex.join(words)})"


def _member(path: Path, root: Path) -> tuple[Path, Path]:
    """Return the folder in which tar is to stand, and what a path is called from there."""
    above = root.parent if path.is_relative_to(root) else path.parent
    return above, path.relative_to(above)


def _is_below(path: Path, folders: list[Path] | tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders if folder != path)
