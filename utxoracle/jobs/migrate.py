"""The tree that was made by hand, taken over."""

import fcntl
import os
import pwd
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from utxoracle.bitcoin.network import Network
from utxoracle.errors import StorageError, UsageError
from utxoracle.jobs.migration.compose import Translation, translate
from utxoracle.jobs.migration.in_use import Obstacles, in_use
from utxoracle.jobs.migration.installed import installed
from utxoracle.jobs.migration.journal import Journal
from utxoracle.jobs.migration.kinds import Kind
from utxoracle.jobs.migration.layout import DATA, USER, ours
from utxoracle.jobs.migration.measure import is_allowed
from utxoracle.jobs.migration.old_prices import OldPrices, read_old_prices
from utxoracle.jobs.migration.old_rows import import_old_rows
from utxoracle.jobs.migration.plan import Plan, make_plan
from utxoracle.jobs.migration.secret_files import link_to_secrets, write_secrets
from utxoracle.jobs.migration.transfer import NOTE, leave_note, make_folder, transfer
from utxoracle.jobs.migration.tree import find_tree
from utxoracle.settings import Settings, variable_of
from utxoracle.store.mounts import ROOT_IS_MEANT, check_mounted

if TYPE_CHECKING:
    from utxoracle.store.predecessor import Imported

Progress = Callable[[int, int], None]
"""Is told how many bytes were copied and read back, and of how many: each counts twice."""


@dataclass(frozen=True)
class Done:
    """What was done.

    Attributes:
        imported: What became of the predecessor's rows.
        secrets: The files of passwords that were made.
        remarks: What was not done, one line each, nothing secret.
    """

    imported: "Imported"
    secrets: list[Path]
    remarks: list[str]


@dataclass(frozen=True)
class Migration:
    """What is to be done, or was.

    Attributes:
        plan: What becomes of files.
        prices: The predecessor's rows.
        translation: Its settings as options of the NixOS module.
        obstacles: What uses the old tree, or would start its jobs.
        done: What was done; None of a dry run.
    """

    plan: Plan
    prices: OldPrices
    translation: Translation
    obstacles: Obstacles
    done: Done | None = None

    @property
    def refusals(self) -> list[str]:
        """Why it can't be done as it stands, with what to do about each."""
        found = [*map(str, self.obstacles.found), *self.plan.refusals, *self.prices.refusals]
        return [*dict.fromkeys(found)]


def migrate(
    settings: Settings,
    network: Network,
    *,
    root: Path,
    base: Path,
    also: Iterable[Path] = (),
    chosen: Mapping[Kind, Path | None] | None = None,
    always_copy: bool = False,
    is_applied: bool = False,
    despite_unknown: bool = False,
    progress: Progress = lambda done, total: None,
    warn: Callable[[str], None] = lambda unknown: None,
    machine: Path = Path("/"),
) -> Migration:
    """Plan how the tree in `root` is taken over, and do so if `is_applied`.

    First the predecessor's databases and the import of their rows, then passwords, then the rest.
    What an interrupted run has done is not done again.

    Args:
        settings: Those of this run, but for the data folder: that is in `base`.
        network: The network of the rows.
        root: The old tree (see `find_tree`).
        base: The folder that holds mempool/ and utxoracle/ afterwards.
        also: More databases, .env files, and folders of the price job.
        chosen: What to take of a kind, where there are several.
        always_copy: Whether to copy also where a rename would do.
        is_applied: Whether to do it; otherwise nothing is written.
        despite_unknown: Whether to do it where root can't learn which containers there are.
        progress: Told how far the copies are.
        warn: Told what could not be found out, before anything is moved.
        machine: The root of the machine, for its temporary folders and its jobs.

    Raises:
        UsageError: There is no such folder, nothing in it is known, or there is a choice to make.
        StorageError: Something is in the way, or a file can't be looked at, read or written.
    """
    with _looking_at(root):
        base = _checked_base(base.resolve(), settings)
        root = _without_dots(root)
    planned = partial(
        _planned,
        root,
        base,
        tuple(also),
        chosen=chosen,
        always_copy=always_copy,
        despite_unknown=despite_unknown,
        machine=machine,
    )
    if not is_applied:
        return planned()
    with _lock(base):
        migration = planned()
        if migration.refusals:
            raise StorageError("nothing was moved: " + "; ".join(migration.refusals))
        for unknown in migration.obstacles.unknown:
            warn(unknown)
        settings = replace(settings, data_dir=base / DATA)
        try:
            return _done(migration, settings, network, progress)
        except OSError as error:
            raise StorageError(
                f"taking over {migration.plan.tree.root} stopped at {error.filename or base}: "
                f"{error.strerror}; nothing is lost: mend it, then run it again to go on"
            ) from None


def _planned(
    root: Path,
    base: Path,
    also: tuple[Path, ...],
    *,
    chosen: Mapping[Kind, Path | None] | None,
    always_copy: bool,
    despite_unknown: bool,
    machine: Path,
) -> Migration:
    with _looking_at(root):
        find = partial(find_tree, root, chosen=chosen, ours=ours(base), machine=machine)
        tree = find(also=also)
        databases = translate(tree.settings, base=base).databases
        if named := [path for path in databases if path.is_file()]:
            tree = find(also=(*also, *named))
        if tree.closed and not tree.found:
            raise _closed(tree.closed[0])
        if not tree.found and not (root / NOTE).exists():
            raise UsageError(
                f"{root} holds nothing that is known: name the folder with mempool/ and "
                "utxoracle/, that of a compose stack, or that of the price job"
            )
        plan = make_plan(tree, base, Journal(base), always_copy=always_copy)
        translation = translate(
            tree.settings,
            base=base,
            owners=plan.owners,
            is_mempool_index=plan.takes_mempool_index,
        )
        if translation.secrets and (link := link_to_secrets(base)):
            refusal = f"{link} is a link, but passwords go below it: put a folder in its place"
            plan = replace(plan, refusals=(*plan.refusals, refusal))
        prices = read_old_prices(plan)
        obstacles = in_use(tree.places, despite_unknown=despite_unknown)
        obstacles += installed(tree.places, machine)
    return Migration(plan, prices, translation, obstacles)


def _done(
    migration: Migration, settings: Settings, network: Network, progress: Progress
) -> Migration:
    plan = migration.plan
    journal, total, done = Journal(plan.base), 2 * plan.bytes_to_copy, 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        progress(done, total)

    _load_what_imports()
    _make_data_folder(plan.base / DATA)
    _check_reach(plan.base / DATA)
    leave_note(plan.tree.root, plan.steps)
    # First of all, since one of them may be where ours is to be.
    databases = [step for step in plan.steps if step.found.kind is Kind.DATABASE]
    for step in databases:
        transfer(step, journal, tell)
    # Anew: a run that was killed may have moved a log alone, whose rows were not read then.
    prices = read_old_prices(plan, are_taken=True)
    if prices.refusals:
        raise StorageError("no rows were imported: " + "; ".join(prices.refusals))
    with _as_owner_of(plan.base / DATA):
        imported = import_old_rows(settings, network, prices.rows)
    remarks: list[str] = []
    secrets = write_secrets(plan.base, migration.translation.secrets, remarks)
    for step in plan.steps:
        if step not in databases:
            transfer(step, journal, tell)
    return replace(migration, prices=prices, done=Done(imported, secrets, remarks))


@contextmanager
def _looking_at(root: Path) -> Iterator[None]:
    """Tell what can't be looked at, for as long as the block runs."""
    try:
        yield
    except PermissionError as error:
        path = Path(error.filename or root)
        raise _closed(
            next((part for part in path.parents[::-1] if not is_allowed(part, os.X_OK)), path)
        ) from None
    except OSError as error:
        raise StorageError(
            f"{error.filename or root} can't be looked at: {error.strerror}; see that its disk is "
            "mounted and nothing uses it, then run it again"
        ) from None


def _closed(path: Path) -> StorageError:
    return StorageError(f"{path} can't be looked into by this user: run it as root")


def _without_dots(path: Path) -> Path:
    """Return the absolute path without `..`, as cron files and units spell it."""
    # Not by resolve(): they may name a link.
    shortened = Path(os.path.normpath(path.absolute()))
    with suppress(OSError):
        if shortened.samefile(path):
            return shortened
    # That is where `..` follows a link, too.
    return path.resolve()


def _checked_base(base: Path, settings: Settings) -> Path:
    check_mounted(settings)
    point = settings.mount_point
    if point not in (None, ROOT_IS_MEANT) and not base.is_relative_to(Path(point).resolve()):
        raise UsageError(
            f"{base} is not on the disk mounted at {point}: choose a folder on it with --to, or "
            f"correct {variable_of('mount_point')}"
        )
    if not base.is_dir():
        raise UsageError(f"there is no folder {base} to take it to: mount its disk, or make it")
    return base


def _make_data_folder(path: Path) -> None:
    if path.is_dir():
        return
    owner = None
    with suppress(KeyError):
        if os.geteuid() == 0:
            # Whose a data folder is that is made here, where there is such an account.
            account = pwd.getpwnam(USER)
            owner = (account.pw_uid, account.pw_gid)
    try:
        make_folder(path, mode=0o750, owner=owner)
    except OSError as error:
        raise StorageError(
            f"can't make the folder {path}: {error.strerror}; check the one that it is in"
        ) from None


def _load_what_imports() -> None:
    """Load what the import of rows needs: the user who does it may be unable to read Python."""
    import duckdb

    import utxoracle.store.database  # noqa: F401

    # DuckDB loads some modules only when it is used.
    with duckdb.connect() as connection:
        connection.execute("SELECT ?, ?", [1, ""]).fetchall()


def _check_reach(path: Path) -> None:
    """Check that whoever a folder belongs to can get to it, and write there."""
    with _as_owner_of(path):
        is_reached = is_allowed(path, os.R_OK | os.W_OK | os.X_OK)
    if not is_reached:
        raise StorageError(
            f"{path} can't be used: its owner may not get there or not write there; check the "
            "modes and owners of the folders that lead to it"
        )


@contextmanager
def _as_owner_of(path: Path) -> Iterator[None]:
    """Let root be whom a folder belongs to: what root made in it would lock that user out."""
    owner = path.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


@contextmanager
def _lock(base: Path) -> Iterator[None]:
    """Let no two migrations to one place go on at once."""
    with _looking_at(base):
        handle = os.open(base, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(f"another migration to {base} is going on: wait for it") from None
        yield
    finally:
        os.close(handle)
