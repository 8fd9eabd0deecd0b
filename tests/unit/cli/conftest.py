import os
import subprocess
import sys
from collections.abc import Callable

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def utxoracle(tmp_path) -> Run:
    """Run the command in a process of its own, in an empty folder and without any settings."""

    def run(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("UTXORACLE_")
        }
        return subprocess.run(
            [sys.executable, "-m", "utxoracle", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd=tmp_path,
            env=environment | settings,
        )

    return run


@pytest.fixture
def refused(utxoracle) -> Callable[..., str]:
    """Run the command, expect it to fail with a code and one line, and give that line."""

    def run(exit_code: int, *arguments: str, **settings: str) -> str:
        done = utxoracle(*arguments, **settings)
        assert done.returncode == exit_code, done.stderr
        assert done.stdout == ""
        assert done.stderr.startswith("utxoracle: ")
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    return run
