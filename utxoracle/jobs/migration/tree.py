"""The tree that was made by hand: its folders, and the data that is in them."""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from utxoracle.errors import UsageError
from utxoracle.jobs.migration.databases import find_databases
from utxoracle.jobs.migration.kinds import Kind, kind_of
from utxoracle.jobs.migration.measure import is_allowed
from utxoracle.jobs.migration.old_rows import old_databases

IN_PROGRESS = ".in-progress"
"""What a copy's name ends with as long as it isn't whole."""

_STACKS = ("mempool", "mempool-stack")
_DEPTH = 3
"""Folders below a stack's that are looked into: a checkout of mempool has docker/mysql/data."""

_CODE = ("node_modules", "site-packages", "__pycache__")
_COMPOSE = ("docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml")
_SETTINGS = (".env", *_COMPOSE)
_SETTINGS_SUFFIXES = (".env", ".yml", ".yaml")

_LEVELS = 2
"""Folders below the one that was named in which the right one is looked for."""

TRANSLATED = "its settings are translated"
UNREAD = "nothing here reads it"
ELSEWHERE = "behind a link that leads out of the old tree"
UNSEEN = "not looked into, or not to its end: name with --from or --also what is to be taken of it"


@dataclass(frozen=True)
class Found:
    """Data that was found.

    Attributes:
        kind: What it is.
        path: The folder, or the file of a database, with no symbolic link on the way.
        name: What it is called in the tree, which may be a link.
    """

    kind: Kind
    path: Path
    name: Path


@dataclass(frozen=True)
class Left:
    """Entries of a folder that are not taken over, and why."""

    folder: Path
    names: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class OldTree:
    """What was found.

    Attributes:
        root: The folder that was named.
        places: Folders and files that belong to it; `root` itself may hold other things too.
        found: The data, in the order of taking.
        settings: .env and compose files.
        left: What isn't taken over.
        closed: Folders that this user may not look into.
    """

    root: Path
    places: tuple[Path, ...]
    found: tuple[Found, ...]
    settings: tuple[Path, ...]
    left: tuple[Left, ...]
    closed: tuple[Path, ...]


def find_tree(
    root: Path,
    *,
    also: Iterable[Path] = (),
    chosen: Mapping[Kind, Path | None] | None = None,
    ours: Collection[Path] = (),
    machine: Path = Path("/"),
) -> OldTree:
    """Return what there is of a tree that was made by hand.

    Args:
        root: The folder with the stack and the price job (…/prod/apps), or one of both alone: a
            stack's folder, the folder docker of a checkout of mempool, or the price job's.
        also: What else belongs to it: databases, .env files, folders of the price job.
        chosen: What to take of a kind, where there are several; None for nothing.
        ours: Files and folders of our own, without symbolic links, which are passed over.
        machine: The root of the machine, for its temporary folders.

    Raises:
        UsageError: There is no such folder or file, it is only above the one that is meant, what
            was chosen isn't such data, or there are several folders of a kind and none was chosen.
        PermissionError: This user may not look at what leads there.
    """
    root, also = _existing(root), [_existing(path) for path in also]
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder: name the one that it is in")
    stacks, jobs = _stacks_and_jobs(root)
    jobs += filter(Path.is_dir, also)
    scan = _Scan(ours)
    for folder in stacks:
        scan.look_into(folder, _DEPTH)
    if stacks == [root] and not jobs:
        _refuse_if_above(root, scan)
    for folder in jobs:
        scan.settings += _settings_in(folder)
    scan.settings += [
        path for path in also if path.suffix in _SETTINGS_SUFFIXES or path.name == ".env"
    ]
    folders = tuple(dict.fromkeys((*stacks, *jobs)))
    # Not where links in it lead, which whoever owns it may have set to any folder.
    within = tuple(folder.resolve() for folder in (root, *filter(Path.is_dir, also)))
    databases = find_databases(
        jobs,
        [path for path in also if path.is_file() and path not in scan.settings],
        tree=within,
        owners={0, os.geteuid(), *(folder.stat().st_uid for folder in (root, *jobs))},
        machine=machine,
    )
    logs = dict.fromkeys(_logs_in(stacks), Kind.STACK_LOGS)
    logs |= dict.fromkeys(_logs_in(jobs), Kind.LOGS)
    # Any folder is one of logs: such a link could be to all those of the machine.
    strays = databases.left | {
        path: ELSEWHERE for path in logs if not _is_within(path.resolve(), within)
    }
    scan.found += [
        Found(kind, path.resolve(), path) for path, kind in logs.items() if path not in strays
    ]
    found = (
        *(Found(Kind.DATABASE, path, name) for path, name in databases.taken.items()),
        *_one_of_each(scan.found, chosen or {}),
    )
    found = tuple(one for one in found if not _is_within(one.path, ours))
    names = {path for one in found for path in (one.path, one.name)}
    names |= {*strays, *ours}
    left = [left for folder in folders for left in _left_in(folder, names, scan)]
    left += _strays_left(strays)
    return OldTree(
        root,
        tuple(dict.fromkeys((*folders, *(one.path for one in found)))),
        found,
        tuple(dict.fromkeys(scan.settings)),
        tuple(left),
        tuple(scan.closed),
    )


@dataclass
class _Scan:
    """A walk through the folders of a stack, and what it has met."""

    ours: Collection[Path]
    found: list[Found] = field(default_factory=list)
    closed: list[Path] = field(default_factory=list)
    settings: list[Path] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)

    def look_into(self, folder: Path, depth: int) -> None:
        """Look into `folder`, and into those at most `depth` below it that hold other things."""
        if kind := kind_of(folder):
            self.found.append(Found(kind, folder.resolve(), folder))
        elif not is_allowed(folder, os.R_OK | os.X_OK):
            self.closed.append(folder)
        else:
            self.seen.add(folder)
            self.settings += _settings_in(folder)
            for child in _folders_in(folder) if depth else ():
                if child.resolve() not in self.ours:
                    self.look_into(child, depth - 1)


def _one_of_each(found: Iterable[Found], chosen: Mapping[Kind, Path | None]) -> Iterator[Found]:
    by_kind: dict[Kind, dict[Path, Found]] = defaultdict(dict)
    for one in found:
        by_kind[one.kind].setdefault(one.path, one)
    for kind, path in chosen.items():
        if path and path.resolve() not in by_kind[kind]:
            raise UsageError(f"{path} is no folder with {kind} data of the tree: choose another")
        by_kind[kind] = {path.resolve(): by_kind[kind][path.resolve()]} if path else {}
    for kind in Kind:
        if len(by_kind[kind]) > 1:
            raise UsageError(
                f"there are {len(by_kind[kind])} folders with {kind} data, "
                f"{' and '.join(str(one.name) for one in by_kind[kind].values())}: choose with "
                f"--take {kind}=FOLDER, or --take {kind}=none"
            )
        yield from by_kind[kind].values()


def _left_in(folder: Path, names: Collection[Path], scan: _Scan) -> Iterator[Left]:
    by_reason: dict[str, list[str]] = defaultdict(list)
    below = []
    for path in _entries(folder):
        if path in names or path.resolve() in names:
            continue
        if any(name.is_relative_to(path) for name in (*names, *scan.settings) if name != path):
            below.append(path)
        elif path in scan.settings:
            by_reason[TRANSLATED].append(path.name)
        elif not path.is_dir():
            by_reason[UNREAD].append(path.name)
        elif not _has_files(path):
            continue
        elif any(Path(below) not in scan.seen for below, _, _ in os.walk(path)):
            by_reason[UNSEEN].append(path.name)
        elif path.name in (Kind.MYSQL, Kind.ELECTRS):
            by_reason[f"it holds no data of {path.name}"].append(path.name)
        else:
            by_reason[UNREAD].append(path.name)
    for reason, left in by_reason.items():
        yield Left(folder, tuple(left), reason)
    for path in below:
        yield from _left_in(path, names, scan)


def _strays_left(strays: Mapping[Path, str]) -> Iterator[Left]:
    by_folder: dict[tuple[Path, str], list[str]] = defaultdict(list)
    for path, reason in strays.items():
        # Strangers name files as they like, and a terminal obeys some of it.
        by_folder[path.parent, reason].append(
            path.name if path.name.isprintable() else ascii(path.name)
        )
    for (folder, reason), names in by_folder.items():
        yield Left(folder, tuple(names), reason)


def _stacks_and_jobs(root: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders of stacks and of price jobs; `root` itself where it has none of them."""
    stacks = [path for name in _STACKS if (path := root / name).is_dir()]
    jobs = [path for path in _folders_in(root) if _is_price_job(path)]
    # Not wherever there is a job: other applications beside it may have a MariaDB too.
    if not stacks and (not jobs or _is_stack(root)):
        stacks = [root]
    if not jobs and _is_price_job(root):
        jobs = [root]
    return stacks, jobs


def _refuse_if_above(root: Path, scan: _Scan) -> None:
    """Refuse a folder that is only above the right one, however much of that was met.

    Raises:
        UsageError: It is such a folder.
    """
    meant = [*_meant_below(root, _LEVELS)]
    met = [*(one.name for one in scan.found), *scan.closed]
    is_stack = any(path.parent == root for path in scan.settings)
    if meant and not is_stack and all(_is_within(path, meant) for path in met):
        raise UsageError(
            f"{root} is only above the folder that is meant: name {' or '.join(map(str, meant))}"
        )


def _meant_below(folder: Path, levels: int) -> Iterator[Path]:
    """Yield the folders at most `levels` below one that hold a stack or a price job."""
    for child in _folders_in(folder):
        parts = [path for path in _folders_in(child) if is_allowed(path, os.R_OK | os.X_OK)]
        # Not any folder called mempool: a checkout has others of that name.
        stacks = [path for path in parts if path.name in _STACKS]
        if any(map(_is_price_job, parts)) or any(
            _is_stack(path) or _is_stack(path / "docker") for path in stacks
        ):
            yield child
        elif levels > 1:
            yield from _meant_below(child, levels - 1)


def _is_stack(folder: Path) -> bool:
    names = (*_COMPOSE, "data", Kind.MYSQL, Kind.ELECTRS)
    return any((folder / name).exists() for name in names)


def _is_price_job(folder: Path) -> bool:
    return (
        folder.name == "utxoracle"
        or (folder / "scripts" / "daily_analysis.py").exists()
        or bool(old_databases([folder / "data"]))
    )


def _settings_in(folder: Path) -> list[Path]:
    return [path for name in _SETTINGS if (path := folder / name).is_file()]


def _logs_in(folders: Iterable[Path]) -> list[Path]:
    return [path for folder in folders if _entries(path := folder / "logs")]


def _folders_in(folder: Path) -> list[Path]:
    """Return the folders in one, but for hidden ones, unfinished copies and those of code."""
    return [
        path
        for path in _entries(folder)
        if path.is_dir()
        and not path.name.startswith(".")
        and not path.name.endswith(IN_PROGRESS)
        and path.name not in _CODE
    ]


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder, in order; nothing where it isn't one, or is closed."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _has_files(folder: Path) -> bool:
    return any(files for _, _, files in os.walk(folder))


def _existing(path: Path) -> Path:
    if not path.exists():
        raise UsageError(f"{path} is not there: name the old folder, or mount its disk")
    return path.absolute()


def _is_within(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
