import shutil
from contextlib import ExitStack

import pytest

from tests import conftest


@pytest.fixture
def mounted(tmp_path):
    """Mount a file system at a new folder of a name; it is unmounted when the test ends."""
    with ExitStack() as stack:
        yield lambda *options, name="disk": stack.enter_context(
            conftest.mounted(tmp_path / name, *options)
        )


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a program of a name in the place of the machine's own.

    It prints a text, or does what a script of the shell says, and ends.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    cat = shutil.which("cat")
    monkeypatch.setenv("PATH", str(folder))

    def put(name, prints="", exit_code=0, script=""):
        path = folder / name
        lines = script or f"{cat} <<'END'\n{prints}\nEND"
        path.write_text(f"#!/bin/sh\n{lines}\nexit {exit_code}\n")
        path.chmod(0o755)

    return put
