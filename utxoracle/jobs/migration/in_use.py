"""What uses the old tree at this moment: processes, locks and containers."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from utxoracle.jobs.file_locks import file_locks
from utxoracle.store.folder import user_name

_PROC = Path("/proc")
_SECONDS = 30

_NAMED = 5
"""Processes that are named at most: an ordinary user can't look into hundreds."""

_KERNEL_THREAD = 0x0020_0000
"""A flag of the kernel, PF_KTHREAD."""

_CONTAINER = re.compile(r"(docker|libpod)[-/]([0-9a-f]{64})")
_SERVICE = re.compile(r"/([^/\n]+\.service)$", re.MULTILINE)
_USER_MANAGER = re.compile(r"/user@([0-9]+)\.service/")

Key = tuple[int, int]
"""Device and inode: what a file is, also for a process to which it has another path."""


@dataclass(frozen=True)
class Obstacle:
    """Something that must be out of the way first, and how to do that."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}: {self.remedy}"


@dataclass
class Obstacles:
    """What is in the way, and what could not be found out."""

    found: list[Obstacle] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def __add__(self, other: "Obstacles") -> "Obstacles":
        return Obstacles(self.found + other.found, self.unknown + other.unknown)


def in_use(places: Collection[Path], *, despite_unknown: bool = False) -> Obstacles:
    """Return who uses files and folders, or what is below them.

    Args:
        places: The files and folders.
        despite_unknown: Whether podman or docker is not in the way where it gives root no answer.
    """
    files = _files_of(places)
    processes, hidden = _processes(files)
    obstacles = Obstacles([_told(pid, what) for pid, what in processes.items()])
    obstacles.found += [
        _told(pid, f"holds a lock ({kind}) on {path}")
        for pid, kind, path in _locks(files)
        if pid not in processes
    ]
    if hidden:
        named = ", ".join(hidden[:_NAMED])
        others = f" and {len(hidden) - _NAMED:,} more" if len(hidden) > _NAMED else ""
        advice = "" if os.geteuid() == 0 else ": run it as root to be sure"
        obstacles.unknown.append(f"processes that can't be looked into: {named}{others}{advice}")
    for program in filter(shutil.which, ("podman", "docker")):
        obstacles += _containers(program, places, despite_unknown)
    return obstacles


def _files_of(places: Collection[Path]) -> dict[Key, Path]:
    files: dict[Key, Path] = {}
    below = [*places]
    while below:
        path = below.pop()
        # What may not be looked into is refused elsewhere; what vanishes isn't used.
        with suppress(OSError):
            status = path.lstat()
            files[status.st_dev, status.st_ino] = path
            if path.is_dir() and not path.is_symlink():
                below += path.iterdir()
    return files


def _processes(files: Mapping[Key, Path]) -> tuple[dict[int, str], list[str]]:
    """Return how each process that uses `files` does so, and those that can't be looked into."""
    using: dict[int, str] = {}
    hidden: list[str] = []
    ancestors = {*_ancestors()}
    pids = sorted(int(path.name) for path in _PROC.iterdir() if path.name.isdecimal())
    for pid in pids:
        folder = _PROC / str(pid)
        if pid == os.getpid():
            continue
        try:
            use = _use(folder, files, ignores_cwd=pid in ancestors)
        except PermissionError:
            hidden += _hidden(folder)
        except (FileNotFoundError, ProcessLookupError):
            # It has ended.
            continue
        else:
            if use:
                using[pid] = use
    return using, hidden


def _hidden(process: Path) -> Iterator[str]:
    """Yield what a process is called, but for zombies and the kernel's own, which open nothing."""
    with suppress(OSError):
        name, state = _name_and_state(process)
        if state[0] not in "ZX" and not int(state[6]) & _KERNEL_THREAD:
            yield f"{name} (pid {process.name})"


def _name_and_state(process: Path) -> tuple[str, list[str]]:
    """Return what a process is called, and the fields of its stat from the third one on."""
    # The name may hold anything, but is in brackets.
    before, _, after = (process / "stat").read_text(errors="replace").rpartition(")")
    return before.partition("(")[2], after.split()


def _ancestors() -> Iterator[int]:
    """Yield whoever started this: a shell that stands in the tree doesn't use it."""
    pid = os.getppid()
    while pid > 1:
        yield pid
        try:
            pid = int(_name_and_state(_PROC / str(pid))[1][1])
        except OSError:
            return


def _use(process: Path, files: Mapping[Key, Path], *, ignores_cwd: bool) -> str | None:
    for link in (process / "fd").iterdir():
        if path := _led_to(link, files):
            return f"has {path} open"
    if path := _led_to(process / "exe", files):
        return f"runs {path}"
    for line in (process / "maps").read_text(errors="replace").splitlines():
        _, _, _, device, inode, *_ = line.split()
        major, minor = (int(part, 16) for part in device.split(":"))
        if path := files.get((os.makedev(major, minor), int(inode))):
            return f"has {path} mapped"
    if not ignores_cwd and (path := _led_to(process / "cwd", files)):
        return f"stands in {path}"
    return None


def _led_to(link: Path, files: Mapping[Key, Path]) -> Path | None:
    # Not by its text: in a container the path is another one.
    try:
        status = link.stat()
    except (PermissionError, ProcessLookupError):
        raise
    except OSError:
        # It leads to a file that is removed, or to a disk that has gone away.
        return None
    return files.get((status.st_dev, status.st_ino))


def _locks(files: Mapping[Key, Path]) -> Iterator[tuple[int, str, Path]]:
    """Yield process, kind and file of each lock; also those of processes of other users."""
    for lock in file_locks((_PROC / "locks").read_text()):
        path = files.get((lock.device, lock.inode))
        if path and lock.pid != os.getpid():
            yield lock.pid, lock.kind, path


def _told(pid: int, use: str) -> Obstacle:
    process = _PROC / str(pid)
    try:
        name = (process / "comm").read_text().strip()
        user = user_name(process.stat().st_uid)
        return Obstacle(f"{name} (pid {pid}, user {user}) {use}", _how_to_stop(process))
    except OSError:
        return Obstacle(f"a process that can't be seen from here {use}", "stop it")


def _how_to_stop(process: Path) -> str:
    group = (process / "cgroup").read_text()
    if container := _CONTAINER.search(group):
        program = "docker" if container[1] == "docker" else "podman"
        return f"{program} stop {container[2][:12]}"
    if service := _SERVICE.search(group):
        if manager := _USER_MANAGER.search(group):
            user = user_name(int(manager[1]))
            return f"systemctl --user --machine={user}@ stop {service[1]}"
        return f"systemctl stop {service[1]}"
    return f"kill {process.name}"


def _containers(program: str, places: Collection[Path], despite_unknown: bool) -> Obstacles:
    """Return the containers that have a part of `places`, and run or would be started again."""
    try:
        names = _asked(program, "ps", "--all", "--quiet", "--no-trunc").split()
        containers = json.loads(_asked(program, "inspect", *names)) if names else []
    except (OSError, ValueError, subprocess.SubprocessError):
        silent = f"{program} doesn't tell which containers there are"
        remedy = f"see {program} ps --all"
        # Others may not be allowed to ask at all, and don't move what containers own.
        if os.geteuid() == 0 and not despite_unknown:
            return Obstacles([Obstacle(silent, f"{remedy}, or consent with --despite-unknown")])
        return Obstacles(unknown=[f"{silent}: {remedy}"])
    found = []
    for container in containers:
        name = container["Name"].removeprefix("/")
        sources = (mount.get("Source") or "" for mount in container.get("Mounts") or ())
        used = [source for source in sources if _is_in(source, places)]
        restart = (container["HostConfig"].get("RestartPolicy") or {}).get("Name")
        if used and container["State"].get("Running"):
            remedy = f"{program} stop {name} && {program} rm {name}"
            found.append(Obstacle(f"the container {name} runs on {used[0]}", remedy))
        elif used and restart not in (None, "", "no"):
            what = f"the container {name} is started again on {used[0]} (restart: {restart})"
            found.append(Obstacle(what, f"{program} rm {name}"))
    return Obstacles(found)


def _asked(program: str, *arguments: str) -> str:
    # The name is found on the path, as the user's shell does.
    command = [program, *arguments]
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=True, timeout=_SECONDS
    )
    return done.stdout


def _is_in(source: str, places: Collection[Path]) -> bool:
    path = Path(os.path.realpath(source))
    return bool(source) and any(path.is_relative_to(os.path.realpath(place)) for place in places)
