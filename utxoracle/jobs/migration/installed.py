"""What would start the hand-made jobs again: lines for cron, and units of systemd."""

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from utxoracle.jobs.migration.in_use import Obstacle, Obstacles
from utxoracle.jobs.migration.measure import is_allowed

_SCRIPTS = ("daily_analysis.py", "backup_duckdb.sh", "utxoracle_backup.sh", "api.main:app")
"""What the predecessor's jobs are called; so may be others', wherever nothing else tells them."""

_NAMED = "utxoracle"
"""What a file with one of the predecessor's jobs says somewhere, in any case, or names a place."""

_TABLES_OF_ROOT = ("etc/crontab", "etc/anacrontab")
_SCHEDULES = (
    "etc/cron.d",
    "etc/cron.hourly",
    "etc/cron.daily",
    "etc/cron.weekly",
    "etc/cron.monthly",
)
_TABLES = ("var/spool/cron", "var/spool/cron/crontabs")
_NOT_RUN = ("~", ".bak", ".old", ".disabled", ".dpkg-old", ".dpkg-dist", ".rpmsave", ".rpmorig")
"""How the names of files end that cron passes over."""

_SYSTEM = ("etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd", "lib/systemd")
_HOMES = ("root", "home/*")
_UNITS = ("*.service", "*.timer", "*.service.d/*.conf")
_STORE = Path("/nix/store")


def installed(places: Collection[Path], machine: Path = Path("/")) -> Obstacles:
    """Return what cron and systemd would start of the predecessor's jobs, or in `places`.

    Args:
        places: The folders of the old tree.
        machine: The root of the machine.
    """
    rules = _Rules.about(places)
    obstacles = Obstacles()
    folders = [machine / name for name in (*_SCHEDULES, *_TABLES)]
    tables = [machine / name for name in _TABLES_OF_ROOT]
    for path in (*tables, *(path for one in folders for path in _files(one, "*"))):
        if not path.name.endswith(_NOT_RUN):
            _judge_schedule(path, rules, machine, obstacles)
    for unit, files in _units(machine, obstacles).items():
        is_theirs = rules.are_theirs([unit, *(line for lines in files.values() for line in lines)])
        for path, lines in files.items():
            # Those of NixOS are generated, and ours name our folders, which may be the old ones.
            names_places = not path.resolve().is_relative_to(_STORE)
            if any(rules.uses(line, is_theirs, names_places) for line in lines):
                obstacles.found.append(_unit_obstacle(path, unit))
    obstacles.unknown += [
        f"the jobs in {folder} can't be seen: run it as root to be sure"
        for folder in folders
        if folder.is_dir() and not is_allowed(folder, os.R_OK | os.X_OK)
    ]
    return obstacles


@dataclass(frozen=True)
class _Rules:
    """Tells lines that run the predecessor's jobs, or use its folders, from all others."""

    jobs: re.Pattern[str]
    places: re.Pattern[str]

    @classmethod
    def about(cls, places: Collection[Path]) -> "_Rules":
        # Not what only begins as a place is called.
        names = dict.fromkeys(path for place in places for path in (place, place.resolve()))
        either = "|".join(rf"{re.escape(str(name))}(?![\w.-])" for name in names)
        return cls(re.compile("|".join(map(re.escape, _SCRIPTS))), re.compile(either or r"(?!)"))

    def are_theirs(self, lines: Iterable[str]) -> bool:
        """Tell whether lines are the predecessor's, should a job among them be called so."""
        return any(_NAMED in line.lower() or self.places.search(line) for line in lines)

    def uses(self, line: str, is_theirs: bool, names_places: bool = True) -> bool:
        """Tell whether a line runs a job of what is theirs, or names one of their places."""
        return bool(
            (is_theirs and self.jobs.search(line)) or (names_places and self.places.search(line))
        )


def _judge_schedule(path: Path, rules: _Rules, machine: Path, obstacles: Obstacles) -> None:
    lines = _lines(path, obstacles)
    is_theirs = rules.are_theirs([path.name, *(line for _, line in lines)])
    found = [number for number, line in lines if rules.uses(line, is_theirs)]
    if not found:
        return
    which = f"line{'s' if len(found) > 1 else ''} {', '.join(map(str, found))}"
    # Variables are set on lines of their own.
    others = [line for number, line in lines if number not in found and not _is_variable(line)]
    if path.parent in [machine / name for name in _TABLES]:
        remedy = f"delete {which} with crontab -u {path.name} -e"
    elif path in [machine / name for name in _TABLES_OF_ROOT] or (
        others and path.parent.name == "cron.d"
    ):
        remedy = f"delete {which}"
    else:
        remedy = f"rm {path}"
    obstacles.found.append(Obstacle(f"cron still runs it: {path}, {which}", remedy))


def _units(machine: Path, obstacles: Obstacles) -> dict[str, dict[Path, list[str]]]:
    """Return the lines of each unit's files: what one leaves open, another of them may say."""
    units: dict[str, dict[Path, list[str]]] = defaultdict(dict)
    for path in _unit_files(machine):
        unit = path.parent.name.removesuffix(".d") if path.suffix == ".conf" else path.name
        units[unit][path] = [line for _, line in _lines(path, obstacles)]
    return units


def _unit_obstacle(path: Path, name: str) -> Obstacle:
    names = [name]
    if (timer := path.with_name(f"{Path(name).stem}.timer")).exists() and timer != path:
        names.insert(0, timer.name)
    of_user = "/user/" in str(path) or path.parent.parent.name == "user"
    user = path.parts[path.parts.index(".config") - 1] if ".config" in path.parts else None
    scope = f"--user --machine={user}@ " if user else "--user " if of_user else ""
    remedy = f"systemctl {scope}disable --now {' '.join(names)} && rm {path}"
    if path.resolve().is_relative_to(_STORE):
        remedy = "remove it from the host's configuration"
    return Obstacle(f"systemd still runs it: {path}", remedy)


def _unit_files(machine: Path) -> Iterator[Path]:
    folders = [machine / name / scope for name in _SYSTEM for scope in ("system", "user")]
    folders += [path for home in _HOMES for path in machine.glob(f"{home}/.config/systemd/user")]
    # lib may be a link to usr/lib.
    for folder in dict.fromkeys(folder.resolve() for folder in folders):
        for pattern in _UNITS:
            yield from _files(folder, pattern)


def _files(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(path for path in folder.glob(pattern) if path.is_file())
    except OSError:
        return []


def _lines(path: Path, obstacles: Obstacles) -> list[tuple[int, str]]:
    """Return the lines of a file that say something, with their numbers."""
    try:
        text = path.read_text(errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        obstacles.unknown.append(f"{path} can't be read ({error.strerror}): run it as root")
        return []
    lines = enumerate(text.splitlines(), 1)
    return [
        (number, line) for number, line in lines if line.strip() and line.strip()[0] not in "#;"
    ]


def _is_variable(line: str) -> bool:
    return re.match(r"\s*\w+\s*=", line) is not None
