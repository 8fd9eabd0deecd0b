import os
import subprocess

import pytest


@pytest.fixture
def mounted(tmp_path):
    """Mount a file system at a new folder of a name; it is unmounted when the test ends."""
    places = []

    def mount(*options, name="disk"):
        place = tmp_path / name
        place.mkdir()
        done = subprocess.run(["mount", *options, place], capture_output=True, check=False)
        if os.geteuid() != 0 or done.returncode:
            pytest.skip("nothing can be mounted here")
        places.append(place)
        return place

    yield mount
    for place in reversed(places):
        subprocess.run(["umount", place], check=True)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a program of a name in the place of the machine's own: it prints a text and ends."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name, prints="", exit_code=0):
        path = folder / name
        path.write_text(f"#!/bin/sh\n/bin/cat <<'END'\n{prints}\nEND\nexit {exit_code}\n")
        path.chmod(0o755)

    return put
