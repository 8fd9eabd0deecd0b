"""What is to be taken over: from where to where, how, and what speaks against it."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from utxoracle.jobs.migration import links
from utxoracle.jobs.migration.journal import Journal
from utxoracle.jobs.migration.kinds import Kind, has_mempool_index
from utxoracle.jobs.migration.layout import OWNERS, TARGETS
from utxoracle.jobs.migration.measure import (
    Measured,
    can_rename,
    existing_parent,
    is_allowed,
    measure,
    reading_rate,
)
from utxoracle.jobs.migration.tree import IN_PROGRESS, Found, OldTree
from utxoracle.jobs.report import size

LOGS = (Kind.LOGS, Kind.STACK_LOGS)

MARGIN = 0.05
SPARE = 64 << 20
"""What must be left free: a share of what is copied, and bytes for the database of our own."""

ASSUMED_RATE = 100e6
"""Bytes a second of a disk that is not measured, since there is no file large enough for that."""

_PASSES = 3
"""Each byte is read, written and read back."""


class How(StrEnum):
    """How something is taken over."""

    RENAME = "rename"
    COPY = "copy"
    STAY = "stay"
    DONE = "done"


@dataclass(frozen=True)
class Step:
    """Something that is taken over.

    Attributes:
        found: What it is.
        target: Where it goes.
        how: RENAME moves it within a file system; COPY leaves the old one as it is; STAY: it is
            there already; DONE: an earlier run has copied it.
        measured: How much it is, and whose.
        remarks: What is wrong with its owners, and what isn't copied.
    """

    found: Found
    target: Path
    how: How
    measured: Measured
    remarks: tuple[str, ...]

    @property
    def owner(self) -> tuple[int, int]:
        """The user and the group that most of it belongs to."""
        ((owner, _),) = self.measured.owners.most_common(1)
        return owner

    @property
    def unfinished(self) -> Path:
        """What its copy is called as long as it isn't whole."""
        return self.target.with_name(self.target.name + IN_PROGRESS)


@dataclass(frozen=True)
class Space:
    """What copies need on a disk, in bytes, margin included, and what is free there."""

    disk: Path
    needed: int
    free: int

    @property
    def suffices(self) -> bool:
        """Whether there is enough."""
        return self.needed <= self.free


@dataclass(frozen=True)
class Plan:
    """All that is to be done with files.

    Attributes:
        base: The folder that holds mempool/ and utxoracle/ afterwards.
        tree: The old tree.
        steps: In the order in which they are done.
        spaces: What copies need, by disk.
        rate: Bytes a second at which a sample of what is to be copied was read, or ASSUMED_RATE.
        seconds: About how long copies take.
        refusals: Why it can't be done as it stands.
    """

    base: Path
    tree: OldTree
    steps: tuple[Step, ...]
    spaces: tuple[Space, ...]
    rate: float
    seconds: float
    refusals: tuple[str, ...]

    def to_do(self, how: How) -> list[Step]:
        """Return what is to be taken over in one way."""
        return [step for step in self.steps if step.how is how]

    @property
    def owners(self) -> dict[Kind, int]:
        """The users that data may go on to belong to, if the module is told of them."""
        return _owners(self.steps)

    @property
    def takes_mempool_index(self) -> bool:
        """Whether an index is taken over that is of mempool's own electrs."""
        return any(map(_is_mempool_index, self.steps))

    @property
    def bytes_to_copy(self) -> int:
        """Bytes of the files that are to be copied, holes included."""
        return sum(step.measured.size for step in self.to_do(How.COPY))


def make_plan(tree: OldTree, base: Path, journal: Journal, *, always_copy: bool = False) -> Plan:
    """Return how a tree is taken over.

    Args:
        tree: What was found of it.
        base: The folder that holds mempool/ and utxoracle/ afterwards.
        journal: What earlier runs have copied.
        always_copy: Whether to copy also where a rename would do.

    Raises:
        OSError: Something vanishes meanwhile.
    """
    found = [_step(one, tree, base, journal, always_copy) for one in tree.found]
    kept = _owners(found)
    steps = tuple(
        replace(step, remarks=(*_remarks(step, kept), *_left_behind(step, tree))) for step in found
    )
    copied = [step for step in steps if step.how is How.COPY]
    spaces = _spaces(copied)
    rate = _rate(copied)
    allocated = sum(step.measured.allocated for step in copied)
    refusals = [*_closed(tree)]
    for step in steps:
        refusals += _refusals(step, journal)
    refusals += [
        f"the disk of {space.disk} has {size(space.free)} free, but {size(space.needed)} are "
        "needed: make room, or choose another disk with --to"
        for space in spaces
        if not space.suffices
    ]
    return Plan(base, tree, steps, spaces, rate, _PASSES * allocated / rate, tuple(refusals))


def origin_of(path: Path, root: Path) -> Path:
    """Return where a database was found: below the old root, or below the root of the machine."""
    return path.relative_to(root if path.is_relative_to(root) else path.anchor)


def _step(found: Found, tree: OldTree, base: Path, journal: Journal, always_copy: bool) -> Step:
    target = base / TARGETS[found.kind]
    if found.kind is Kind.DATABASE:
        target /= origin_of(found.name, tree.root)
    measured = measure(found.path)
    is_there = [target, target.parent] if found.kind in LOGS else [target]
    if found.path in [path.resolve() for path in is_there]:
        how = How.STAY
    elif journal.is_done(found.path, target):
        how = How.DONE
    elif not always_copy and can_rename(found.path, target):
        how = How.RENAME
    else:
        how = How.COPY
    return Step(found, target, how, measured, ())


def _owners(steps: Iterable[Step]) -> dict[Kind, int]:
    """Return whom data may go on to belong to: no container is root, and no two are one user."""
    found = {step.found.kind: step.owner[0] for step in steps if step.found.kind in OWNERS}
    taken = Counter(uid for kind, (usual, _) in OWNERS.items() for uid in {usual, found.get(kind)})
    return {
        kind: uid
        for kind, uid in found.items()
        if uid == OWNERS[kind][0] or (OWNERS[kind][1] and uid and taken[uid] == 1)
    }


def _remarks(step: Step, kept: Mapping[Kind, int]) -> Iterator[str]:
    """Yield what is wrong with the owners, what a copy will lack, and what will be left over."""
    found, target, how, measured = step.found, step.target, step.how, step.measured
    uid, gid = step.owner
    theirs = f"{uid}:{gid}"
    if found.kind in OWNERS:
        usual, option = OWNERS[found.kind]
        theirs = f"{usual}:{usual}"
        if uid == 0:
            yield f"it belongs to root, whom no container is: chown -R {theirs} {target}"
        elif uid != usual and not option:
            yield (
                f"it belongs to user {uid}, and images of mempool are of user {usual}: chown -R "
                f"{theirs} {target} once it is there"
            )
        elif found.kind not in kept:
            yield (
                f"it belongs to user {uid}, whose number other data has, too: chown -R {theirs} "
                f"{target} once it is there"
            )
        elif uid != usual:
            setting = f"services.utxoracle.{option} = {uid}"
            yield (
                f"it belongs to user {uid}: chown -R {theirs} {target} once it is there and "
                f"leave {setting} out, or set that where {uid} is nobody else's number"
            )
    if _is_mempool_index(step):
        yield (
            "it is the index of mempool's own electrs, which another one can't use: set "
            'services.utxoracle.mempool.electrs.mode = "esplora", or leave it out with --take '
            "electrs=none"
        )
    if len(measured.owners) > 1 and found.kind not in LOGS:
        owners = ", ".join(
            f"{count} of {user}:{group}" for (user, group), count in measured.owners.most_common()
        )
        yield (
            f"its owners are mixed ({owners}): give all to one once it is there: "
            f"chown -R {theirs} {target}"
        )
    if (
        how is How.COPY
        and os.geteuid() != 0
        and {uid for uid, _ in measured.owners} != {os.geteuid()}
    ):
        yield f"its copy will belong to user {os.geteuid()}: only root can keep the owners"
    if how is How.COPY and measured.special:
        names = ", ".join(path.name for path in measured.special)
        yield f"not copied, since nothing is in it: {names} (sockets and the like)"
    if how in (How.RENAME, How.STAY) and step.unfinished.exists():
        yield f"{step.unfinished} is left of a copy that was interrupted: remove it afterwards"


def _is_mempool_index(step: Step) -> bool:
    return step.found.kind is Kind.ELECTRS and has_mempool_index(step.found.path)


def _left_behind(step: Step, tree: OldTree) -> Iterator[str]:
    """Yield which links will lead nowhere once it is done, or once the old tree is archived."""
    name = step.found.name
    if step.how is How.RENAME and name.is_symlink():
        yield f"{name} is a link to it, at {step.found.path}, and leads nowhere then"
    taken = step.measured.links if step.how in (How.RENAME, How.COPY) else []
    if into := links.leading_into(taken, (tree.root, *tree.places)):
        yield (
            f"{links.told(into)}, in the old tree: it leads nowhere once that is moved or archived"
        )


def _refusals(step: Step, journal: Journal) -> Iterator[str]:
    source, target = step.found.path, step.target
    if unreadable := step.measured.unreadable:
        others = f" and {len(unreadable) - 1:,} more" if len(unreadable) > 1 else ""
        yield f"{unreadable[0]}{others} can't be read by this user: run it as root"
    if step.how is How.DONE:
        if journal.changed_since(source, target, step.measured.changed):
            yield (
                f"{source} changed since it was copied: to copy it again, move {target} away"
                + _or_leave_out(step)
            )
        return
    if step.how is How.STAY:
        return
    if out := links.leading_out(step.measured.links, source):
        yield (
            f"{links.told(out)}, out of {source}, and would lead elsewhere from {target}: put "
            "what it leads to in its place, or make it absolute" + _or_leave_out(step)
        )
    if target.is_relative_to(source) or source.is_relative_to(target):
        yield (
            f"{source} can't become {target}, one of which is within the other: choose another "
            "folder with --to" + _or_leave_out(step)
        )
    elif target.is_symlink() or (target.exists() and (target.is_file() or any(target.iterdir()))):
        yield (
            f"{target} holds data already: move it away, choose another folder with --to"
            + _or_leave_out(step)
        )
    elif step.unfinished.exists() and not journal.knows(source, target):
        yield f"{step.unfinished} is not of this tree: move it away"
    if step.how is How.RENAME and not is_allowed(source.parent, os.W_OK):
        yield f"{source} can't be moved by this user: run it as root, or copy it with --copy"
    if not is_allowed(existing_parent(target), os.W_OK):
        yield f"{existing_parent(target)} can't be written by this user: run it as root"


def _or_leave_out(step: Step) -> str:
    kind = step.found.kind
    return "" if kind is Kind.DATABASE else f", or leave it out with --take {kind}=none"


def _closed(tree: OldTree) -> Iterator[str]:
    for folder in tree.closed:
        yield f"{folder} can't be looked into by this user: run it as root"


def _spaces(steps: list[Step]) -> tuple[Space, ...]:
    by_disk: dict[int, list[Step]] = defaultdict(list)
    for step in steps:
        by_disk[existing_parent(step.target).stat().st_dev].append(step)
    return tuple(_space(on_disk) for on_disk in by_disk.values())


def _space(steps: list[Step]) -> Space:
    disk = existing_parent(steps[0].target)
    needed = sum(step.measured.allocated for step in steps)
    there = sum(measure(one.unfinished).allocated for one in steps if one.unfinished.exists())
    state = os.statvfs(disk)
    needed = max(0, needed - there) + int(MARGIN * needed) + SPARE
    return Space(disk, needed, state.f_bavail * state.f_frsize)


def _rate(steps: list[Step]) -> float:
    largest = max(steps, key=lambda step: step.measured.allocated, default=None)
    if largest and largest.measured.largest and not largest.measured.unreadable:
        return reading_rate(largest.measured.largest) or ASSUMED_RATE
    return ASSUMED_RATE
