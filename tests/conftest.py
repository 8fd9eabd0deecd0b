"""What all tests share."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The first example of a test may pay for imports and tables; a hang is still found.
settings.register_profile("project", deadline=10_000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")

# What is started in the background of a script ignores Ctrl-C, and so would all that we start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# So does what nohup starts with the end of a terminal.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

NOBODY = 65534

PRINTED = "printed"
"""Name of a property whose value is a line for the end of the output."""


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Lose root's right to pass every permission check, for as long as the block runs."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def another_user() -> Iterator[None]:
    """Be one to whom the files of this user are closed, for as long as the block runs."""
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    with ordinary_user():
        yield


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """Mount something at a folder, which is made, for as long as the block runs.

    Args:
        folder: Where.
        options: What, as for `mount`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", *options, str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def small_disk(folder: Path, size: str) -> AbstractContextManager[Path]:
    """Mount a disk of a size, written as tmpfs takes it, for as long as the block runs."""
    return mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may read; pytest's own lies below one that is private."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured, whichever process they ran in."""
    lines = [
        value
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == PRINTED
    ]
    if lines:
        terminalreporter.section(
            "exit codes of analyze: while a fault stays · when it happens once"
        )
        for line in sorted(map(str, lines)):
            terminalreporter.write_line(line)
