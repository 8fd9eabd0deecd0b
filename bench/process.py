"""Running a command as a user does: its wall time, its memory, its output."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

LAUNCHER = Path(__file__).with_name("launcher.py")

_BYTECODE = TemporaryDirectory()
"""Where compiled modules are kept: an installed program has them, whatever this shell says."""


@dataclass(frozen=True)
class Run:
    """One run of a command: wall and processor time, memory of the largest process, output."""

    seconds: float
    busy_seconds: float
    peak_mb: float
    output: str


def run(
    command: list[str], *, cores: int | None = None, may_find: bool = False, **environment: str
) -> Run:
    """Run `command` to its end on so many cores, or on all.

    With `may_find` it may end as a check does that has found something.
    """
    cores = cores or os.cpu_count() or 1
    done = subprocess.run(
        [sys.executable, "-S", LAUNCHER, "taskset", "--cpu-list", f"0-{cores - 1}", *command],
        capture_output=True,
        text=True,
        check=True,
        env=environment_of_installed() | environment,
    )
    seconds, busy, peak_mb, exit_code = done.stderr.split()
    if exit_code not in ("0", "1" if may_find else "0"):
        raise SystemExit(f"{' '.join(command)} ended with {exit_code}")
    return Run(float(seconds), float(busy), float(peak_mb), done.stdout)


def environment_of_installed() -> dict[str, str]:
    """Return an environment in which the program is as quick to start as when it is installed.

    But for the first time, which compiles it.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": _BYTECODE.name}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment
